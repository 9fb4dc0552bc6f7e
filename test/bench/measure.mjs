// What the parts share: the harness of the kernel tests, medians, and what /proc knows of a process.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const bin = join(root, 'bin/nat-tool.js');
export const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** A part that cannot run on this machine. */
export class Skip extends Error {}

export const note = (text) => console.error(`bench: ${text}`);

/** The kernel tests' harness, which is TypeScript. */
export async function loadHarness() {
  const directory = await mkdtemp(join(tmpdir(), 'nat-tool-bench-'));
  const outfile = join(directory, 'harness.mjs');
  const modules = ['requirements', 'internet', 'coturn', 'process'];
  await build({
    stdin: {
      contents: modules.map((name) => `export * from './test/kernel/${name}.ts';`).join('\n'),
      resolveDir: root,
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
  });
  try {
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

export function requireBuilt() {
  if (!existsSync(join(root, 'dist/cli/main.js'))) throw new Skip('the command line is not built: npm run build');
}

export function requireKernel(harness, tools) {
  const lacks = harness.missing(tools);
  if (lacks.length > 0) throw new Skip(`needs ${lacks.join(', ')}`);
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const round = (value, digits = 3) => Number(value.toFixed(digits));

/** Runs the same `count` times, one contender after the other, so that the machine's moods fall on all alike. First round is not counted: it warms the caches. */
export async function interleave(contenders, count) {
  const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let i = 0; i <= count; i++) {
    for (const [name, once] of Object.entries(contenders)) {
      const ms = await once();
      if (i > 0) times[name].push(ms);
    }
  }
  return times;
}

/** Runs a process to its end: whole time, exit, output, and the largest memory it was seen with. */
export function timed(argv, { timeoutMs = 60_000, watchMemory = false } = {}) {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const [command, ...args] = argv;
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    let peakKb = 0;
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.on('data', (data) => (stderr += data));
    const watch = watchMemory && setInterval(() => (peakKb = Math.max(peakKb, peakMemoryKb(child.pid) ?? 0)), 10);
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const done = () => {
      clearInterval(watch);
      clearTimeout(timer);
    };
    child.on('error', (error) => {
      done();
      reject(error);
    });
    child.on('close', (code, signal) => {
      done();
      resolve({ ms: performance.now() - began, code, signal, stdout, stderr, peakKb });
    });
  });
}

/** The kernel's own high-water mark of a living process; undefined where there is no /proc. */
function peakMemoryKb(pid) {
  try {
    // A process that has just ended has no memory to speak of.
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return undefined;
  }
}

/** Processor time that a process has used, seconds; undefined where there is no /proc. To the nanosecond where the scheduler keeps statistics, else to a tick. */
export function cpuSeconds(pid) {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const used = (thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    return threads.reduce((sum, thread) => sum + used(thread), 0) / 1e9;
  } catch {
    return ticksOf(pid);
  }
}

function ticksOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100; // USER_HZ
  } catch {
    return undefined;
  }
}

/** Resolves as soon as a server on loopback gives back anything for a Binding request. */
export function answering(address, port, timeoutMs = 10_000) {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const request = Buffer.alloc(20);
    request.writeUInt16BE(1, 0);
    request.writeUInt32BE(0x2112a442, 4);
    const ask = () => socket.send(request, port, address);
    const end = (act) => {
      clearInterval(again);
      clearTimeout(timer);
      socket.close();
      act();
    };
    const again = setInterval(ask, 50);
    const timer = setTimeout(() => end(() => reject(new Error(`nobody answers on ${address}:${port}`))), timeoutMs);
    socket.on('message', () => end(resolve));
    ask();
  });
}

// Binding throughput on loopback under one load: `nat-tool serve`, alone and with --workers 2, a bare Node echo socket, and coturn.
// The load comes from a process of its own; `busy` near 1 says that the server, not the load, was the limit (coturn may use more threads than one).
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answering, bin, cpuSeconds, here, median, note, requireBuilt, round, Skip } from '../measure.mjs';

const [ADDRESS, PORT] = ['127.0.0.1', 34790];
const [SECONDS, SOCKETS, ROUNDS] = [2, 8, 5];

/** The limiter does its work for every request, but lets them all pass. */
const LIMIT = ['--rate', '1000000', '--burst', '1000000'];

const SERVE = [process.execPath, bin, 'serve', '--quiet', '-s', ADDRESS, '-p', String(PORT), '--udp-only', ...LIMIT];

const servers = (directory) => ({
  echo: [process.execPath, here('servers/echo.mjs'), ADDRESS, String(PORT)],
  serve: SERVE,
  workers: [...SERVE, '--workers', '2'],
  coturn: [
    'turnserver',
    '-n',
    '-L',
    ADDRESS,
    '--listening-port',
    String(PORT),
    '--alt-listening-port',
    String(PORT + 1),
    '--no-auth',
    '--no-tls',
    '--no-dtls',
    '--no-tcp',
    '--no-cli',
    '--no-rfc5780',
    '--realm',
    'example.test',
    '--log-file',
    'stdout',
    '--simple-log',
    '--pidfile',
    join(directory, 'pid'),
    '--userdb',
    join(directory, 'db'),
  ],
});

/** Of a process and those that it has started. */
function cpuOfAll(pid) {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    const each = [pid, ...(children === '' ? [] : children.split(' '))].map(cpuSeconds);
    return each.includes(undefined) ? undefined : each.reduce((sum, seconds) => sum + seconds);
  } catch {
    return undefined;
  }
}

async function load(harness, argv) {
  const server = harness.start(undefined, argv);
  try {
    await answering(ADDRESS, PORT);
    if (argv.includes('--workers')) await server.until(/2 processes answer/);
    const generator = harness.start(undefined, [
      process.execPath,
      here('servers/load.mjs'),
      ADDRESS,
      String(PORT),
      String(SECONDS),
      String(SOCKETS),
    ]);
    await generator.until(/warm/);
    const before = cpuOfAll(server.pid);
    const [, line] = await generator.until(/warm\n(.+)\n/);
    const after = cpuOfAll(server.pid);
    const { answered, sent, seconds } = JSON.parse(line);
    await generator.finished;
    if (answered === 0) throw new Error('the server answered nothing');
    return {
      perSecond: answered / seconds,
      offered: sent / seconds,
      cpu: before === undefined || after === undefined ? undefined : after - before,
      answered,
      seconds,
    };
  } finally {
    await server.stop();
  }
}

export default async function serve({ harness }) {
  requireBuilt();
  if (process.platform !== 'linux') throw new Skip('needs Linux, whose /proc counts the answers');
  const names = ['echo', 'serve', 'workers'];
  if (harness.missing(['turnserver']).length === 0) names.push('coturn');
  else note('serve: without coturn, which is not here');
  const runs = Object.fromEntries(names.map((name) => [name, []]));
  const directory = await mkdtemp(join(tmpdir(), 'nat-tool-bench-'));
  try {
    for (let i = 0; i < ROUNDS; i++)
      for (const name of names) runs[name].push(await load(harness, servers(directory)[name]));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  const result = {};
  for (const name of names) {
    const each = runs[name];
    const withCpu = each.filter(({ cpu }) => cpu !== undefined);
    result[name] = {
      perSecond: round(median(each.map(({ perSecond }) => perSecond)), 0),
      offeredPerSecond: round(median(each.map(({ offered }) => offered)), 0),
      busy: withCpu.length > 0 ? round(median(withCpu.map(({ cpu, seconds }) => cpu / seconds)), 2) : undefined,
      cpuMicrosPerAnswer:
        withCpu.length > 0 ? round(median(withCpu.map(({ cpu, answered }) => (cpu * 1e6) / answered)), 1) : undefined,
    };
  }
  // Of each round by itself: what else the machine does weighs on both alike.
  const ratio = (of, name) =>
    runs[name] && round(median(runs[of].map(({ perSecond }, at) => perSecond / runs[name][at].perSecond)));
  const { serve: own, echo } = result;
  // Where the machine is busy otherwise, processor time tells more than answers a second.
  const perCpu = own.cpuMicrosPerAnswer && round(echo.cpuMicrosPerAnswer / own.cpuMicrosPerAnswer);
  return {
    ...result,
    serveToEcho: ratio('serve', 'echo'),
    serveToEchoPerCpu: perCpu,
    serveToCoturn: ratio('serve', 'coturn'),
    workersToServe: ratio('workers', 'serve'),
    workersToCoturn: ratio('workers', 'coturn'),
  };
}

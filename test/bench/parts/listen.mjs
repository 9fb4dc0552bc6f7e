// Datagrams from the kernel to standard output without a loss: `nat-tool listen` against Debian's nc and socat, each with its output in a file.
// The same load, evenly paced, at rising rates; a contender is out at the first rate that it does not hold in three tries.
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bin, here, note, requireBuilt, round, Skip } from '../measure.mjs';

const [ADDRESS, PORT, COUNT, SIZE] = ['127.0.0.1', 34793, 200_000, 1200];
const RATES = [12_500, 25_000, 37_500, 50_000, 75_000, 100_000, 125_000, 150_000];
const TRIES = 3;

const CONTENDERS = {
  listen: [process.execPath, bin, 'listen', '--quiet', '-4', '-s', ADDRESS, '-p', String(PORT)],
  nc: ['nc', '-u', '-l', '-p', String(PORT), '-s', ADDRESS],
  socat: ['socat', '-u', '-b', '65536', `UDP4-RECV:${PORT},bind=${ADDRESS}`, '-'],
};

const until = async (holds, what) => {
  for (const end = Date.now() + 5000; !(await holds()); ) {
    if (Date.now() > end) throw new Error(what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

const bound = async () =>
  (await readFile('/proc/net/udp', 'utf8')).includes(`:${PORT.toString(16).toUpperCase().padStart(4, '0')} `);

/** Datagrams that arrived in the file, and the rate at which they were really sent. */
async function pour(harness, argv, perSecond, file) {
  const receiver = harness.start(undefined, ['sh', '-c', `exec "$0" "$@" > ${file}`, ...argv], { timeoutMs: 120_000 });
  try {
    await until(bound, `${argv[0]} does not listen`);
    const sender = harness.start(
      undefined,
      [
        process.execPath,
        here('servers/blast.mjs'),
        ADDRESS,
        String(PORT),
        String(COUNT),
        String(SIZE),
        String(perSecond),
      ],
      { timeoutMs: 120_000 },
    );
    const { stdout } = await sender.finished;
    // What is still in the socket's buffer is on its way.
    let size = -1;
    await until(async () => {
      const before = size;
      size = (await stat(file)).size;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return size === before;
    }, 'the output never comes to rest');
    return { arrived: size / SIZE, sentPerSecond: JSON.parse(stdout).perSecond };
  } finally {
    await receiver.stop();
    await until(async () => !(await bound()), 'the port stays taken');
  }
}

export default async function listen({ harness }) {
  requireBuilt();
  if (process.platform !== 'linux') throw new Skip('needs Linux');
  const names = Object.keys(CONTENDERS).filter((name) => name === 'listen' || harness.missing([name]).length === 0);
  if (!names.includes('nc')) throw new Skip('needs nc');
  const best = Object.fromEntries(names.map((name) => [name, 0]));
  const arrived = Object.fromEntries(names.map((name) => [name, {}]));
  const directory = await mkdtemp(join(tmpdir(), 'nat-tool-bench-'));
  try {
    let left = names;
    for (const rate of RATES) {
      const held = [];
      for (const name of left) {
        for (let i = 0; i < TRIES && !held.includes(name); i++) {
          const { arrived: got, sentPerSecond } = await pour(harness, CONTENDERS[name], rate, join(directory, name));
          arrived[name][rate] = Math.max(arrived[name][rate] ?? 0, got);
          // A load that did not reach its rate says nothing about the rate.
          if (got === COUNT && sentPerSecond > 0.9 * rate) {
            held.push(name);
            best[name] = Math.max(best[name], sentPerSecond);
          }
        }
      }
      note(`listen: ${rate}/s held by ${held.join(', ') || 'nobody'}`);
      left = held;
      if (left.length === 0) break;
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return {
    datagrams: COUNT,
    bytes: SIZE,
    highestLosslessPerSecond: best,
    arrived,
    // Who does not hold the lowest rate is counted as if it did: the ratio is then the least that it can be.
    listenToNc: round(best.listen / Math.max(best.nc, RATES[0])),
    ...(names.includes('socat') && { listenToSocat: round(best.listen / Math.max(best.socat, RATES[0])) }),
  };
}

// What `connect --forward` carries without a loss, 1,200-byte datagrams both ways at once, against plain `send` to `listen` both ways
// at once between the same two hosts. Hosts are namespaces on one public segment; both ends, the server and the programs are whole processes.
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bin, here, note, requireBuilt, requireKernel, round } from '../measure.mjs';

const [SERVER, A, B] = ['40.30.20.10', '12.13.14.15', '22.23.24.25'];
const [HELD, PORT, SIZE, SECONDS] = [51820, 12001, 1200, 2];
const RATES = [1000, 2000, 4000, 6000, 8000, 11_000, 15_000, 20_000, 27_000, 36_000, 48_000, 64_000, 85_000, 110_000];
const TRIES = 3;
/** Longer than a path lives whose consent checks get no answer (RFC 7675). */
const STEADY = { perSecond: 1000, seconds: 20 };
const NODE = process.execPath;
const LIMIT = { timeoutMs: 30_000 };

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Bytes in the file once it no longer grows. */
async function atRest(file) {
  for (let before = -1, quiet = 0, left = 100; left > 0; left--) {
    const { size } = await stat(file);
    quiet = size === before ? quiet + 1 : 0;
    if (quiet === 3) return size;
    before = size;
    await pause(100);
  }
  throw new Error('the output never comes to rest');
}

/** Each way: datagrams that arrived of those sent, and the rate at which they were. */
async function plain([a, b], rate, directory) {
  const count = rate * SECONDS;
  const sides = [
    { host: a, peer: b, file: join(directory, 'a') },
    { host: b, peer: a, file: join(directory, 'b') },
  ];
  const listeners = sides.map(({ host, file }) =>
    host.start(['sh', '-c', `exec "$0" "$@" > ${file}`, NODE, bin, 'listen', '-k', '-4', '-p', String(PORT)], LIMIT),
  );
  try {
    await Promise.all(listeners.map((each) => each.until(/listening/)));
    const senders = sides.map(
      ({ host, peer }) =>
        host.start(
          [
            'sh',
            '-c',
            `head -c ${count * SIZE} /dev/zero | "$0" "$@"`,
            NODE,
            bin,
            'send',
            '--json',
            '--size',
            String(SIZE),
            '--rate',
            String(rate),
            peer.address,
            String(PORT),
          ],
          LIMIT,
        ).finished,
    );
    const took = (await Promise.all(senders)).map(({ stdout }) => JSON.parse(stdout).durationMs);
    const sizes = await Promise.all(sides.map(({ file }) => atRest(file)));
    return sizes.map((size, i) => ({ got: size / SIZE, perSecond: Math.round((count * 1000) / took[1 - i]) }));
  } finally {
    await Promise.all(listeners.map((each) => each.stop()));
  }
}

/** The same through two ends that forward, fresh ones: what an earlier try did to a path must not count. */
async function carried(hosts, rate, seconds = SECONDS) {
  const argv = [
    NODE,
    here('servers/duplex.mjs'),
    '127.0.0.1',
    String(HELD),
    String(rate * seconds),
    String(SIZE),
    String(rate),
  ];
  const ends = await openForward(hosts);
  const programs = hosts.map((host) => host.start(argv, LIMIT));
  try {
    await Promise.all(programs.map((each) => each.until(/ready/)));
    await pause(100);
    for (const each of programs) each.write('go\n');
    const ended = await Promise.all(programs.map((each) => each.finished));
    return ended.map(({ stdout }) => JSON.parse(stdout.trim().split('\n').at(-1)));
  } finally {
    await Promise.all([...programs, ...ends].map((each) => each.stop()));
  }
}

const lostOf = (ways, count) => ways.reduce((sum, { got }) => sum + count - got, 0);

async function openForward(hosts) {
  const code = (await hosts[0].must([NODE, bin, 'connect', '--generate'])).trim();
  const ends = hosts.map((host) =>
    host.start([NODE, bin, 'connect', '--server', SERVER, '--forward', String(HELD)], {
      timeoutMs: 60_000,
      env: { NAT_TOOL_CODE: code },
    }),
  );
  await Promise.all(ends.map((each) => each.until(/Forwarding/)));
  return ends;
}

export default async function connectForward({ harness }) {
  requireBuilt();
  requireKernel(harness, []);
  const internet = await harness.Internet.create();
  const directory = await mkdtemp(join(tmpdir(), 'nat-tool-bench-'));
  let server;
  try {
    server = (await internet.host('s', [SERVER])).start([NODE, bin, 'serve', '--udp-only', '-s', SERVER], {
      timeoutMs: 900_000,
    });
    await server.until(/listening/);
    const hosts = [await internet.host('a', [A]), await internet.host('b', [B])];
    const contenders = { plain: (rate) => plain(hosts, rate, directory), forward: (rate) => carried(hosts, rate) };
    const best = { plain: 0, forward: 0 };
    const lost = { plain: {}, forward: {} };
    let left = Object.keys(contenders);
    for (const rate of RATES) {
      const held = [];
      for (const name of left) {
        for (let i = 0; i < TRIES && !held.includes(name); i++) {
          const ways = await contenders[name](rate);
          const missing = lostOf(ways, rate * SECONDS);
          const slower = Math.min(...ways.map(({ perSecond }) => perSecond));
          lost[name][rate] = Math.min(lost[name][rate] ?? Infinity, missing);
          // A load that did not reach its rate says nothing about the rate.
          if (missing === 0 && slower > 0.9 * rate) {
            held.push(name);
            best[name] = slower;
          }
        }
      }
      note(`connect-forward: ${rate}/s each way held by ${held.join(', ') || 'nobody'}`);
      left = held;
      if (left.length === 0) break;
    }
    const steadyLost = lostOf(
      await carried(hosts, STEADY.perSecond, STEADY.seconds),
      STEADY.perSecond * STEADY.seconds,
    );
    return {
      bytes: SIZE,
      seconds: SECONDS,
      highestLosslessPerSecondEachWay: best,
      lost,
      steady: { ...STEADY, lost: steadyLost },
      forwardToPlain: round(best.forward / Math.max(best.plain, RATES[0])),
    };
  } finally {
    await server?.stop();
    internet.close();
    await rm(directory, { recursive: true, force: true });
  }
}

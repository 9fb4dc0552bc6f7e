/** Pairings that last, in the simulated network: two that meet again and again, whatever became of one of them in between. */
import { describe, expect, it } from 'vitest';
import { derivePairing } from '../../src/connect/kept/secret.ts';
import { connect, type ConnectOptions, type ConnectResult } from '../../src/connect/connect.ts';
import { parseBroker } from '../../src/connect/signalling/broker-name.ts';
import { startBroker } from '../../src/lab/broker.ts';
import { createLab, type Lab } from '../../src/lab/topology.ts';
import type { Env } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';

const KEY = new Uint8Array(32).fill(7);
type Host = 'A' | 'C2';

interface World {
  readonly lab: Lab;
  readonly env: Env;
  /** A run of `connect` on this host. */
  open(host: Host, over?: Partial<ConnectOptions>): Run;
  pause(ms: number): Promise<void>;
}

class Run {
  readonly result: Promise<ConnectResult | 'ended'>;
  readonly #lab: Lab;
  readonly #host: Host;
  readonly #ends = new AbortController();

  constructor(lab: Lab, host: Host, env: Env, options: Omit<ConnectOptions, 'signal'>) {
    this.#lab = lab;
    this.#host = host;
    this.result = connect(env, { ...options, signal: this.#ends.signal }).catch((error: unknown) => {
      if (!this.#ends.signal.aborted) throw error;
      return 'ended' as const;
    });
  }

  async connected() {
    const result = await this.result;
    if (result === 'ended' || result.kind === 'failed') throw new Error(JSON.stringify(result));
    return result.connection;
  }

  /** Without a word, as by a power cut. */
  async kill(): Promise<void> {
    const { host } = this.#lab.system(this.#host);
    host.down = true;
    this.#ends.abort();
    const result = await this.result;
    if (result !== 'ended' && result.kind === 'connected') result.connection.close();
    host.down = false;
  }
}

function inWorld<T>(
  work: (world: World) => Promise<T>,
  {
    broker = false,
    skewMs = 0,
    startMs = 0,
  }: { readonly broker?: boolean; readonly skewMs?: number; readonly startMs?: number } = {},
): Promise<T> {
  const lab = createLab({
    nat: 'port-restricted-cone',
    second: { nat: 'port-restricted-cone' },
    names: { 'broker.example.net': ['80.70.60.50'] },
    patienceMs: 60_000,
  });
  lab.addHost('M', ['80.70.60.50']);
  lab.system('M').tcp.certificates.add('broker.example.net');
  if (broker) lab.serve('M', (env) => startBroker(env, { address: '80.70.60.50', port: 8883 }, {}));
  return lab.run(async (env) => {
    const [server] = lab.servers;
    if (!server) throw new Error('no server');
    const open = (host: Host, over: Partial<ConnectOptions> = {}): Run => {
      const own = lab.host(host);
      const date = (): Date => new Date(own.clock.date().getTime() + startMs + (host === 'C2' ? skewMs : 0));
      const side = host === 'A' ? 'a' : 'b';
      return new Run(
        lab,
        host,
        { ...own, clock: { ...own.clock, now: () => own.clock.now(), after: (...x) => own.clock.after(...x), date } },
        {
          server,
          secret: derivePairing(KEY, side),
          side,
          waitMs: 60_000,
          repair: true,
          ...(broker && { stunOnly: true, brokers: { names: [parseBroker('mqtts://broker.example.net')] } }),
          ...over,
        },
      );
    };
    return work({ lab, env, open, pause: (ms) => sleep(env.clock, ms) });
  });
}

/** What the one says the other hears. */
async function talk([a, b]: readonly [Run, Run]): Promise<void> {
  const [one, other] = [await a.connected(), await b.connected()];
  const heard = new Promise<string>((resolve) => other.onData((data) => resolve(Buffer.from(data).toString())));
  one.send(Buffer.from('again'));
  expect(await heard).toBe('again');
}

describe.each([
  ['a rendezvous', false],
  ['a broker', true],
])('two that have a pairing, at %s', (_name, broker) => {
  it('meet as often as they like, whoever comes first', async () => {
    await inWorld(
      async ({ open, pause, env }) => {
        for (let i = 0; i < 6; i++) {
          const first = open(i % 2 ? 'A' : 'C2');
          await pause(i * 500);
          const began = env.clock.now();
          const pair = [first, open(i % 2 ? 'C2' : 'A')] as const;
          await talk(pair);
          expect(env.clock.now() - began).toBeLessThan(3_000);
          (await pair[i % 2 ? 0 : 1].connected()).close();
          await (await pair[i % 2 ? 1 : 0].connected()).ended;
        }
      },
      { broker },
    );
  });

  it('meet where one died waiting', async () => {
    await inWorld(
      async ({ open, pause, env }) => {
        const lost = open('A');
        await pause(5_000);
        await lost.kill();
        const again = open('A');
        await pause(2_000);
        const began = env.clock.now();
        const pair = [again, open('C2')] as const;
        await talk(pair);
        expect(env.clock.now() - began).toBeLessThan(3_000);
        for (const each of pair) (await each.connected()).close();
      },
      { broker },
    );
  });

  it('meet where one died waiting, and the other comes before it is back', async () => {
    await inWorld(
      async ({ open, pause, env }) => {
        const lost = open('A');
        await pause(5_000);
        await lost.kill();
        const began = env.clock.now();
        const other = open('C2');
        await pause(1_000);
        const pair = [open('A'), other] as const;
        await talk(pair);
        expect(env.clock.now() - began).toBeLessThan(8_000);
        for (const each of pair) (await each.connected()).close();
      },
      { broker },
    );
  });

  it('meet anew where one of them has begun anew, in the middle', async () => {
    await inWorld(
      async ({ open, pause }) => {
        const [a, b] = [open('A'), open('C2')];
        await talk([a, b]);
        await pause(3_000);
        await b.kill();
        const again = open('C2');
        // It does not go on with what is over.
        expect(await (await a.connected()).ended).toBe('lost');
        const pair = [open('A'), again] as const;
        await talk(pair);
        for (const each of pair) (await each.connected()).close();
      },
      { broker },
    );
  });

  it('go on with what they had after an outage', async () => {
    await inWorld(
      async ({ open, pause, lab, env }) => {
        const pair = [open('A'), open('C2')] as const;
        await talk(pair);
        for (let i = 0; i < 3; i++) {
          await pause(5_000);
          lab.system('A').host.down = true;
          await pause(20_000);
          lab.system('A').host.down = false;
          const returned = env.clock.now();
          const connection = await pair[1].connected();
          let heard = 0;
          connection.onData(() => (heard = env.clock.now()));
          while (heard === 0 && env.clock.now() < returned + 60_000) {
            (await pair[0].connected()).send(Uint8Array.of(1));
            await pause(50);
          }
          expect(heard - returned).toBeLessThan(5_000);
        }
        for (const each of pair) (await each.connected()).close();
      },
      { broker },
    );
  });

  it('are not kept from each other by a second run on the same host', async () => {
    await inWorld(
      async ({ open, pause }) => {
        const [one, two] = [open('A', { waitMs: 120_000 }), open('A', { waitMs: 120_000 })];
        await pause(20_000);
        const other = open('C2', { waitMs: 120_000 });
        const connection = await other.connected();
        const heard = new Promise<void>((resolve) => connection.onData(() => resolve()));
        void Promise.race([one.result, two.result]).then((found) => {
          if (found !== 'ended' && found.kind === 'connected') found.connection.send(Uint8Array.of(1));
        });
        await heard;
        connection.close();
        for (const each of [one, two]) await each.kill();
      },
      { broker },
    );
  });
});

describe('the day by which two find each other', () => {
  const DAY_MS = 86_400_000;
  const midnight = (ms: number): number => DAY_MS - (createLab().host('A').clock.date().getTime() % DAY_MS) + ms;

  it.each([
    [-60_000, 300_000],
    [60_000, -300_000],
    [-5_000, 0],
  ])('may change between them: %i ms from midnight, the other clock %i ms ahead', async (from, skewMs) => {
    await inWorld(
      async ({ open }) => {
        const pair = [open('A', { waitMs: 120_000 }), open('C2', { waitMs: 120_000 })] as const;
        await talk(pair);
        for (const each of pair) (await each.connected()).close();
      },
      { skewMs, startMs: midnight(from) },
    );
  });

  it('passes while one waits', async () => {
    await inWorld(
      async ({ open, pause }) => {
        const first = open('A', { waitMs: 3_600_000 });
        await pause(1_500_000);
        const pair = [first, open('C2')] as const;
        await talk(pair);
        for (const each of pair) (await each.connected()).close();
      },
      { startMs: midnight(-900_000) },
    );
  });
});

it('waits no longer than it is told to, and says so', async () => {
  await inWorld(async ({ open, env }) => {
    const result = await open('A', { waitMs: 30_000 }).result;
    expect(result).toMatchObject({ kind: 'failed', failure: { kind: 'nobody-came' } });
    expect(env.clock.now()).toBeLessThan(32_000);
  });
});

it('says at once where nothing answers', async () => {
  await inWorld(async ({ open, lab, env }) => {
    lab.system('S').host.down = true;
    const result = await open('A').result;
    expect(result).toMatchObject({ kind: 'failed', failure: { kind: 'signal', status: 'silent' } });
    expect(env.clock.now()).toBeLessThan(10_000);
  });
});

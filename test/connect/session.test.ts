import { describe, expect, it } from 'vitest';
import { deriveSecret } from '../../src/connect/channel/keys.ts';
import { KeyExchange } from '../../src/connect/channel/key-exchange.ts';
import { Sealer } from '../../src/connect/channel/envelope.ts';
import { type Description, encodeDescription } from '../../src/connect/signalling/description.ts';
import type { PeerNews, SignallingListener } from '../../src/connect/signalling/signalling.ts';
import { connect, connectBy, type ConnectResult } from '../../src/connect/connect.ts';
import type { Path } from '../../src/connect/bearer.ts';
import type { Connection } from '../../src/connect/connection.ts';
import { createLab, type Lab, type LabOptions } from '../../src/lab/topology.ts';
import type { Endpoint } from '../../src/net/address.ts';
import { type Env, NetError } from '../../src/net/env.ts';
import { runPair } from '../matrix/pairs.ts';

const sleep = (env: Env, ms: number): Promise<void> => new Promise((resolve) => void env.clock.after(ms, resolve));
const secret = deriveSecret('the code');
const never = new AbortController().signal;
const NOTHING: Description = { hosts: [], reflexive: [], late: undefined, profile: undefined, aim: undefined };

/** Both run `work`, A at once and C2 later. */
function two<T>(lab: Lab, work: (env: Env, side: 'A' | 'C2') => Promise<T>, laterMs = 500): Promise<[T, T]> {
  return lab.run((env) => {
    const other = lab.host('C2');
    return Promise.all([work(env, 'A'), sleep(other, laterMs).then(() => work(other, 'C2'))]);
  });
}

const labOf = (options: LabOptions = {}): Lab =>
  createLab({ nat: 'port-restricted-cone', second: { nat: 'port-restricted-cone' }, ...options });

const start = (
  lab: Lab,
  env: Env,
  over: { waitMs?: number; signal?: AbortSignal; code?: string } = {},
): Promise<ConnectResult> => {
  const [server] = lab.servers;
  if (!server) throw new Error('no server');
  return connect(env, {
    server,
    secret: over.code === undefined ? secret : deriveSecret(over.code),
    waitMs: over.waitMs ?? 30_000,
    signal: over.signal ?? never,
  });
};

/** What came of it, after a while in which the other side may ask for what it lacks. */
async function ended(running: Promise<ConnectResult>): Promise<Path | undefined> {
  const result = await running;
  if (result.kind === 'failed') return undefined;
  const path = result.connection.path;
  result.connection.close();
  return path;
}

describe('time', () => {
  // RTT to the server and between the hosts alike. The register takes one, a check and its answer one, the proof half of one.
  it.each([
    'none',
    'firewall',
    'full-cone',
    'restricted-cone',
    'port-restricted-cone',
    'port-restricted-cone,ports=random',
    'cgnat',
  ])('port-restricted cone and %s: data both ways at 2.5 RTT', async (nat) => {
    for (const rttMs of [10, 40, 200]) {
      const { a, b } = await runPair({ nat: 'port-restricted-cone', nat2: nat, rttMs, seed: 1, laterMs: 800 });
      expect(b.elapsedMs).toBe(2.5 * rttMs);
      expect(a.elapsedMs).toBe(800 + 2.5 * rttMs);
    }
  });

  it('symmetric against restricted cone: the easy filter is used within the first round trip', async () => {
    const { b } = await runPair({ nat: 'symmetric,ports=random', nat2: 'restricted-cone', seed: 1, laterMs: 800 });
    expect(b.elapsedMs).toBe(100);
    expect(b.path).toBe('direct');
  });

  it('both started at once, the first one is told as soon as it has shown to hear the server', async () => {
    const { a, b } = await runPair({ nat: 'full-cone', nat2: 'port-restricted-cone', seed: 1, laterMs: 0 });
    expect([a.elapsedMs, b.elapsedMs]).toEqual([120, 140]);
  });
});

describe('paths', () => {
  it('is on the same network where both are', async () => {
    const lab = createLab({ nat: 'symmetric' });
    const paths = await lab.run((env) => Promise.all([start(lab, env), start(lab, lab.host('Ab'))].map(ended)));
    expect(paths.map((path) => path?.kind)).toEqual(['lan', 'lan']);
  });

  it('is IPv6 where that is open', async () => {
    const lab = labOf({ nat: 'symmetric,ports=random', second: { nat: 'symmetric,ports=random' }, ipv6: 'open' });
    const paths = await two(lab, (env) => ended(start(lab, env)));
    for (const path of paths)
      for (const { address } of [path?.remote, path?.socket.local] as Endpoint[]) expect(address).toMatch(/^2001:db8:/);
  });

  it('survives a router that answers early packets, by those that die before it', async () => {
    // A's news is late, so that C2's checks come to A's router before A has sent anything.
    const lab = labOf({ nat: 'linux', second: { nat: 'linux' } });
    const both = await two(lab, (env, side) => {
      if (side === 'C2') return ended(start(lab, env));
      let held = false;
      return ended(
        start(lab, {
          ...env,
          udp: {
            open: async (options, signal) => {
              const socket = await env.udp.open(options, signal);
              return {
                local: socket.local,
                send: (data, to, options) => socket.send(data, to, options),
                close: () => socket.close(),
                listen: (listener) =>
                  socket.listen({
                    ...listener,
                    datagram: (datagram) => {
                      // The first push is lost.
                      if (datagram.data[0] === 0 && datagram.data[1] === 0x11 && !held) held = true;
                      else listener.datagram(datagram);
                    },
                  }),
              };
            },
          },
        }),
      );
    });
    expect(both.map((path) => path?.kind)).toEqual(['direct', 'direct']);
  });
});

describe('two symmetric NATs, of which one maps and filters by address alone', () => {
  it.each([
    ['random', 'birthday', 10_000],
    ['sequential:1', 'predicted', 2_000],
  ])('with %s ports: %s', async (ports, path, withinMs) => {
    for (let seed = 1; seed <= 4; seed++) {
      const pair = [`symmetric,ports=random`, `symmetric,mapping=ad,filtering=ad,ports=${ports}`] as const;
      const [nat, nat2] = seed % 2 === 0 ? pair : ([pair[1], pair[0]] as const);
      const { a, b, mostPerSecond } = await runPair({ nat, nat2, seed, loss: seed > 2 ? 0.05 : 0, laterMs: 500 });
      expect([a.path, b.path]).toEqual([path, path]);
      expect([a.received, b.received].map((each) => each[0])).toEqual(['hello', 'hello']);
      expect(b.elapsedMs).toBeLessThan(withinMs);
      expect(mostPerSecond).toBeLessThanOrEqual(300);
    }
  });
});

describe('a server on one address', () => {
  const servers = [{ name: 'stun.example.net', addresses: ['40.30.20.10'] }];
  it('can still tell a symmetric NAT by its next port', async () => {
    for (const [nat, nat2, path] of [
      ['symmetric,ports=random', 'port-restricted-cone', 'birthday'],
      ['port-restricted-cone', 'symmetric', 'predicted'],
      ['port-restricted-cone', 'full-cone', 'direct'],
    ] as const) {
      const { a, b } = await runPair({ nat, nat2, seed: 3, laterMs: 500, servers });
      expect([a.path, b.path]).toEqual([path, path]);
    }
  });
});

describe('security', () => {
  it('a wrong code meets nobody', async () => {
    const lab = labOf();
    const [a, b] = await two(lab, (env, side) => start(lab, env, { code: side, waitMs: 5_000 }));
    for (const each of [a, b]) expect(each).toMatchObject({ kind: 'failed', failure: { kind: 'nobody-came' } });
  });

  it('a third one with the right code is refused, and the two notice nothing', async () => {
    const lab = labOf();
    const third = lab.addHost('T', ['60.60.60.60']);
    const results = await lab.run(async (env) => {
      const pair = [start(lab, env), start(lab, lab.host('C2'))];
      await sleep(third, 1_000);
      const late = await start(lab, third);
      const both = await Promise.all(pair);
      for (const each of both) if (each.kind === 'connected') each.connection.close();
      return [...both, late];
    });
    expect(results.map(({ kind }) => kind)).toEqual(['connected', 'connected', 'failed']);
    expect(results[2]).toMatchObject({ failure: { kind: 'signal', status: 'full' } });
  });

  it('says so at once where the peer is of another version, and believes no peer without a share, or with another one than before', async () => {
    const lab = labOf();
    const [server] = lab.servers;
    if (!server) throw new Error('no server');
    const [first, second] = await lab.run(async (env, signal) => {
      const shares = [new KeyExchange(env.random).share, new KeyExchange(env.random).share];
      const bytesOf = (value: object): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
      const one = async (bodies: readonly Uint8Array[]): Promise<[ConnectResult, string[]]> => {
        const events: string[] = [];
        let listener: SignallingListener | undefined;
        const running = connectBy(env, {
          server,
          secret,
          trusted: true,
          waitMs: 2_000,
          plainMs: 1_000,
          signal,
          onEvent: ({ event }) => events.push(event),
          makeSignalling: () => ({ subscribe: (next) => (listener = next), publish: () => {}, close: () => {} }),
        });
        await sleep(env, 50);
        const member = new Uint8Array(16).fill(1);
        const sealer = new Sealer(secret.descriptionKey(member));
        for (const body of bodies) listener?.peer({ member, payload: sealer.seal(0, body), observed: undefined });
        return [await running, events];
      };
      const told = shares.map((share) => encodeDescription({ ...NOTHING, share }));
      const zero = encodeDescription({ ...NOTHING, share: new Uint8Array(32) });
      return [
        await one([bytesOf({ v: 1, h: [], r: [] })]),
        await one([encodeDescription(NOTHING), zero, ...told]),
      ] as const;
    });
    expect(first[0]).toMatchObject({ kind: 'failed', failure: { kind: 'versions-differ' } });
    expect(second[1].filter((event) => event === 'peer' || event === 'refused')).toEqual([
      'refused',
      'refused',
      'peer',
      'refused',
    ]);
  });

  it('listens to the first member that has the code, and to no third one', async () => {
    const lab = labOf();
    const [server] = lab.servers;
    if (!server) throw new Error('no server');
    const aimed = await lab.run(async (env, signal) => {
      const checked = new Set<string>();
      let listener: SignallingListener | undefined;
      const news = (member: number, host: string): PeerNews => {
        const name = new Uint8Array(16).fill(member);
        const { share } = new KeyExchange(env.random);
        const description = { ...NOTHING, share, reflexive: [{ address: host, port: 9 }] };
        const payload = new Sealer(secret.descriptionKey(name)).seal(0, encodeDescription(description));
        return { member: name, payload, observed: undefined };
      };
      const running = connectBy(env, {
        server,
        secret,
        trusted: true,
        waitMs: 5_000,
        plainMs: 1_000,
        signal,
        onEvent: ({ event, to }) => {
          if (event === 'check' || event === 'refused') checked.add(String(to ?? event));
        },
        makeSignalling: ({ observed }) => ({
          subscribe: (next) => (listener = next),
          publish: () => observed({ mapped: { address: '12.13.14.15', port: 1 }, alternates: [], rttMs: 10 }),
          close: () => {},
        }),
      });
      await sleep(env, 50);
      listener?.peer(news(1, '55.0.0.1'));
      listener?.peer(news(2, '55.0.0.2'));
      // What is no member's name at all.
      listener?.peer({ ...news(1, '55.0.0.3'), member: new Uint8Array(15) });
      const result = await running;
      if (result.kind === 'connected') throw new Error('nobody is there');
      return [...checked];
    });
    expect(aimed).toEqual(['55.0.0.1:9']);
  });

  it.each([
    ['duplicated', { duplicate: 0.3 }],
    ['reordered', { reorder: 0.3, jitterMs: 20 }],
    ['lost', { loss: 0.2 }],
    ['all of it', { duplicate: 0.2, reorder: 0.2, jitterMs: 30, loss: 0.1 }],
  ])('packets that are %s change nothing', async (_, link) => {
    for (let seed = 1; seed <= 10; seed++) {
      const { connected, a, b } = await runPair({
        nat: 'port-restricted-cone',
        nat2: 'port-restricted-cone',
        seed,
        laterMs: 300,
        ...link,
      });
      expect(connected).toBe(true);
      expect([a.received, b.received]).toEqual([['hello'], ['hello']].map((each) => expect.arrayContaining(each)));
    }
  });

  it('every packet sent again, damaged or cut, to and from everybody, changes nothing', async () => {
    const lab = labOf();
    const mallory = lab.addHost('M', ['66.66.66.66']);
    const results = await lab.run(async (env) => {
      const socket = await mallory.udp.open({ family: 4 });
      const seen: Uint8Array[] = [];
      const spy = (side: Env): Env => ({
        ...side,
        udp: {
          open: async (options, signal) => {
            const own = await side.udp.open(options, signal);
            let listener: Parameters<typeof own.listen>[0] | undefined;
            own.listen({ datagram: (datagram) => listener?.datagram(datagram) });
            return {
              local: own.local,
              close: () => own.close(),
              listen: (next) => {
                listener = next;
                own.listen({
                  ...next,
                  datagram: (datagram) => {
                    seen.push(datagram.data);
                    next.datagram(datagram);
                    // Again, damaged, cut, and from a stranger.
                    const damaged = datagram.data.slice();
                    damaged[damaged.length - 1] = (damaged[damaged.length - 1] ?? 0) ^ 1;
                    const from = { address: '66.66.66.66', port: 6666 };
                    for (const data of [
                      datagram.data,
                      damaged,
                      datagram.data.slice(0, -4),
                      seen[seen.length >> 1] ?? damaged,
                    ]) {
                      next.datagram({ ...datagram, data });
                      next.datagram({ ...datagram, data, from });
                    }
                  },
                });
              },
              send: (data, to, options) => {
                socket.send(data, { address: '22.23.24.25', port: 24604 }).catch(() => {});
                return own.send(data, to, options);
              },
            };
          },
        },
      });
      const both = await Promise.all([start(lab, spy(env)), start(lab, spy(lab.host('C2')))]);
      const got: string[][] = [[], []];
      both.forEach(
        (each, i) =>
          each.kind === 'connected' && each.connection.onData((data) => got[i]?.push(new TextDecoder().decode(data))),
      );
      for (const each of both)
        if (each.kind === 'connected')
          for (const text of ['one', 'two']) each.connection.send(new TextEncoder().encode(text));
      await sleep(env, 500);
      socket.close();
      const paths = both.map((each) => each.kind === 'connected' && each.connection.path.remote.address);
      for (const each of both) if (each.kind === 'connected') each.connection.close();
      return { got, paths };
    });
    expect(results.paths).toEqual(['22.23.24.25', '12.13.14.15']);
    expect(results.got).toEqual([
      ['one', 'two'],
      ['one', 'two'],
    ]);
  });
});

describe('what may go wrong', () => {
  it('the peer vanishes, at whichever instant', async () => {
    for (const atMs of [0, 10, 30, 41, 55, 61, 75, 81, 95, 101, 150, 400, 700]) {
      const lab = labOf();
      const [a] = await two(
        lab,
        async (env, side) => {
          if (side === 'C2') {
            const stop = new AbortController();
            const cancel = env.clock.after(atMs, () => {
              lab.system('C2').host.down = true;
              stop.abort(new Error('gone'));
            });
            return start(lab, env, { signal: stop.signal }).then(
              (result) => {
                cancel();
                if (result.kind === 'connected') result.connection.close();
                return 'there';
              },
              () => 'gone',
            );
          }
          const result = await start(lab, env, { waitMs: 20_000 });
          if (result.kind === 'failed') return result.failure.kind;
          // The path is found dead by the missing consent.
          const how = await result.connection.ended;
          result.connection.close();
          return how;
        },
        100,
      );
      expect(['nobody-came', 'no-path', 'peer-left', 'lost', 'bye']).toContain(a);
      expect(lab.world.now).toBeLessThan(40_000);
    }
  });

  it('the server dies, at whichever instant', async () => {
    for (const atMs of [0, 130, 145, 165, 181, 200, 300]) {
      const lab = labOf();
      const outcomes = await two(
        lab,
        async (env, side) => {
          if (side === 'A') env.clock.after(atMs, () => (lab.system('S').host.down = true));
          const result = await start(lab, env, { waitMs: 20_000 });
          if (result.kind === 'connected') {
            // For a while, so that what was sent can be answered.
            await sleep(env, 3_000);
            result.connection.close();
            return 'connected';
          }
          return result.failure.kind === 'signal' ? result.failure.status : result.failure.kind;
        },
        100,
      );
      // Once it has told them of each other, it is not needed.
      if (atMs >= 181) expect(outcomes).toEqual(['connected', 'connected']);
      else
        for (const each of outcomes) expect(['connected', 'silent', 'no-path', 'refused', 'network']).toContain(each);
    }
  });

  it('a network without UDP is told after two and a half seconds', async () => {
    const { a, b } = await runPair({ nat: 'blocked', nat2: 'full-cone', seed: 1, waitMs: 20_000 });
    expect([a.path, a.elapsedMs]).toEqual(['signal', 2_500]);
    // Nobody can tell the other side.
    expect([b.path, b.elapsedMs]).toEqual(['nobody-came', 20_000]);
  });

  it('a block that is used up is not tried again', async () => {
    // Most of so small a block is taken by what came before.
    const results = await Promise.all(
      Array.from({ length: 72 }, (_, i) =>
        runPair({ nat: 'symmetric', nat2: 'symmetric,ports=block:64', seed: i + 1, laterMs: ((i + 1) * 137) % 1500 }),
      ),
    );
    const failed = results.filter(({ connected }) => !connected);
    expect(failed.length).toBeGreaterThan(0);
    for (const { a, b } of failed)
      for (const each of [a, b]) expect([each.path, each.elapsedMs < 6_000]).toEqual(['no-path', true]);
  });

  it('an interrupt frees everything at any instant', async () => {
    for (const atMs of [0, 20, 45, 120, 160, 185, 205, 600, 1_500]) {
      const lab = labOf({ nat: 'symmetric,ports=random' });
      const outcomes = await two(
        lab,
        async (env) => {
          const stop = new AbortController();
          const cancel = env.clock.after(atMs, () => stop.abort(new Error('stop')));
          try {
            const result = await start(lab, env, { signal: stop.signal });
            cancel();
            if (result.kind === 'connected') result.connection.close();
            return result.kind;
          } catch (error) {
            return (error as Error).message;
          }
        },
        100,
      );
      // The lab itself fails the run where a socket or timer is left.
      for (const each of outcomes) expect(['stop', 'connected', 'failed']).toContain(each);
    }
  });
});

describe('a connection', () => {
  const open = async (lab: Lab, env: Env): Promise<Connection> => {
    const [server] = lab.servers;
    if (!server) throw new Error('no server');
    const linked = await connect(env, { server, secret, waitMs: 30_000, signal: never, repair: true });
    if (linked.kind !== 'connected') throw new Error('no connection');
    return linked.connection;
  };
  const deliver = async (env: Env, from: Connection, to: Connection, text: string): Promise<string | undefined> => {
    let got: string | undefined;
    to.onData((data) => (got = new TextDecoder().decode(data)));
    from.send(new TextEncoder().encode(text));
    await sleep(env, 200);
    return got;
  };

  it('still carries data after a minute, and ten, without any', async () => {
    for (const nat of ['port-restricted-cone,timeout=30', 'symmetric,ports=random,filtering=ei,timeout=30']) {
      const lab = labOf({ nat, second: { nat } });
      const got = await lab.run(async (env) => {
        const [a, b] = await Promise.all([open(lab, env), open(lab, lab.host('C2'))]);
        await sleep(env, 60_000);
        const first = [await deliver(env, a, b, 'there'), await deliver(env, b, a, 'back')];
        await sleep(env, 600_000);
        const second = [await deliver(env, a, b, 'there'), await deliver(env, b, a, 'back')];
        const repairs = a.repairs + b.repairs;
        a.close();
        b.close();
        return [...first, ...second, repairs];
      });
      expect(got).toEqual(['there', 'back', 'there', 'back', 0]);
    }
  });

  it('keeps its path while it carries far more than its own rate', async () => {
    const lab = labOf({ nat: 'port-restricted-cone' });
    const got = await lab.run(async (env) => {
      const [a, b] = await Promise.all([open(lab, env), open(lab, lab.host('C2'))]);
      let received = 0;
      b.onData(() => received++);
      for (let i = 0; i < 4000; i++) {
        for (const end of [a, b]) for (let each = 0; each < 4; each++) end.send(new Uint8Array(100));
        await sleep(env, 10);
      }
      await sleep(env, 200);
      const result = [received, a.repairs + b.repairs];
      a.close();
      b.close();
      return result;
    });
    expect(got).toEqual([16_000, 0]);
  });

  it('finds a new path when a router forgets everything', async () => {
    const lab = labOf({ nat: 'port-restricted-cone,ports=random' });
    const got = await lab.run(async (env) => {
      const [a, b] = await Promise.all([open(lab, env), open(lab, lab.host('C2'))]);
      await sleep(env, 5_000);
      lab.nat('N').nat()?.reset();
      await sleep(env, 60_000);
      const result = [await deliver(env, a, b, 'there'), await deliver(env, b, a, 'back'), a.repairs, b.repairs];
      a.close();
      b.close();
      return result;
    });
    expect(got).toEqual(['there', 'back', 1, 1]);
  });

  it('ends for one when the other says goodbye', async () => {
    const lab = labOf();
    const how = await lab.run(async (env) => {
      const [a, b] = await Promise.all([open(lab, env), open(lab, lab.host('C2'))]);
      a.close();
      return b.ended;
    });
    expect(how).toBe('bye');
  });
});

describe('a system that refuses sends now and then', () => {
  it.each([
    ['EPERM for every other one', { every: 2 }],
    ['ENOBUFS for every third one', { every: 3, kind: 'other' }],
  ] as const)('%s: a path all the same, and data on it', async (_, refusedSends) => {
    for (const [nat, nat2, path] of [
      ['port-restricted-cone', 'port-restricted-cone', 'direct'],
      ['restricted-cone', 'symmetric,ports=random', 'direct'],
      ['port-restricted-cone', 'symmetric,ports=sequential:1', 'predicted'],
    ] as const)
      for (let seed = 1; seed <= 10; seed++) {
        const { a, b } = await runPair({ nat, nat2, seed, laterMs: 300, refusedSends });
        expect([a.path, b.path, a.received[0], b.received[0]]).toEqual([path, path, 'hello', 'hello']);
        expect(b.elapsedMs).toBeLessThan(3_000);
      }
  });

  it('for good: that is what is said, after a second', async () => {
    const { a } = await runPair({
      nat: 'full-cone',
      nat2: 'full-cone',
      seed: 1,
      waitMs: 5_000,
      refusedSends: { every: 1 },
    });
    expect([a.path, a.elapsedMs]).toEqual(['network', 1_000]);
  });

  /** All that this side sends meets this. */
  const broken = (env: Env, refuses: () => NetError | undefined): Env => ({
    ...env,
    udp: {
      open: async (options, signal) => {
        const socket = await env.udp.open(options, signal);
        return {
          local: socket.local,
          listen: (listener) => socket.listen(listener),
          close: () => socket.close(),
          send: async (...datagram) => {
            const error = refuses();
            if (error) throw error;
            return socket.send(...datagram);
          },
        };
      },
    },
  });

  it('no route for a moment, at whichever instant, is an event', async () => {
    for (const atMs of [0, 30, 45, 70, 95, 120, 400, 3_000]) {
      const lab = labOf();
      const got = await two(
        lab,
        async (env, side) => {
          const begin = env.clock.now();
          const gone = (): boolean => env.clock.now() - begin >= atMs && env.clock.now() - begin < atMs + 600;
          const own =
            side === 'A'
              ? broken(env, () => (gone() ? new NetError('unreachable', 'no route', 'ENETUNREACH') : undefined))
              : env;
          const result = await start(lab, own);
          if (result.kind === 'failed') return result.failure.kind;
          let heard = 0;
          result.connection.onData(() => heard++);
          for (let i = 0; i < 60; i++) {
            result.connection.send(Uint8Array.of(i));
            await sleep(env, 100);
          }
          result.connection.close();
          return heard > 40;
        },
        30,
      );
      expect(got).toEqual([true, true]);
    }
  });

  it('no route when the first socket is opened is one too', async () => {
    const lab = labOf();
    const got = await two(lab, async (env, side) => {
      let tries = 0;
      const own: Env = {
        ...env,
        udp: {
          open: async (options, signal) => {
            if (side === 'A' && options.remote && tries++ < 10) throw new NetError('unreachable', 'no', 'ENETUNREACH');
            return env.udp.open(options, signal);
          },
        },
      };
      return (await ended(start(lab, own)))?.kind;
    });
    expect(got).toEqual(['direct', 'direct']);
  });
});

/** Pairs that only a relay connects: at a rendezvous that relays, or by a TURN server that is named. */
import { describe, expect, it } from 'vitest';
import type { ConnectOptions } from '../../src/connect/connect.ts';
import { namedRelay } from '../../src/connect/traversal/relay-places.ts';
import { LAB_LOGIN } from '../../src/lab/topology.ts';
import type { Env } from '../../src/net/env.ts';
import { parseTurnServer } from '../../src/turn/uri.ts';
import { type PairOptions, runPair, type SideResult } from '../matrix/pairs.ts';

const RANDOM = 'symmetric,ports=random';
const hopeless: PairOptions = { nat: RANDOM, nat2: RANDOM, seed: 1, laterMs: 500 };

const at = ({ timeline }: SideResult, event: string, type?: string) =>
  timeline.find((each) => each.event === event && (type === undefined || each['type'] === type))?.atMs;
const named =
  (password: string = LAB_LOGIN.password) =>
  (env: Env): Partial<ConnectOptions> => {
    const credentials = { ...LAB_LOGIN, password };
    return { relays: [namedRelay(env, parseTurnServer('turn:stun.example.net'), { credentials })] };
  };

describe('two random symmetric NATs', () => {
  it.each([0, 0.05])(
    'are connected by the server that relays as soon as there is no hope, at a loss of %f',
    async (loss) => {
      const { a, b } = await runPair({ ...hopeless, relay: true, loss });
      for (const each of [a, b]) {
        expect([each.path, each.received[0]]).toEqual(['relay', 'hello']);
        expect(at(each, 'relayed')).toBe(at(each, 'judged'));
        expect(each.elapsedMs - (at(each, 'judged') ?? 0)).toBeLessThan(300);
      }
    },
  );

  it('are connected by a TURN server that both name, or one of them', async () => {
    for (const sides of ['ab', 'a', 'b']) {
      const { a, b } = await runPair({
        ...hopeless,
        turn: true,
        options: (env, side) => (sides.includes(side) ? named()(env) : {}),
      });
      expect([sides, a.path, b.path, a.received[0], b.received[0]]).toEqual([
        sides,
        'relay',
        'relay',
        'hello',
        'hello',
      ]);
    }
  });

  it('stay apart where one of them wants no relay, and no relay is asked for', async () => {
    for (const sides of ['ab', 'a', 'b']) {
      const { a, b } = await runPair({
        ...hopeless,
        relay: true,
        options: (_, side) => (sides.includes(side) ? { relays: 'refused' } : {}),
      });
      expect([sides, a.path, b.path]).toEqual([sides, 'hopeless', 'hopeless']);
      expect([a, b].map((each) => at(each, 'candidate', 'relay'))).toEqual([undefined, undefined]);
    }
  });

  it('are told why the relay did not help', async () => {
    const { a } = await runPair({ ...hopeless, turn: true, options: named('wrong') });
    expect(a.path).toBe('hopeless');
    expect(a.timeline.find(({ event }) => event === 'relay-failed')?.['why']).toContain('error 401');
  });
});

describe('a relay', () => {
  it('carries the data for as long as the two want, though the meeting is long over', async () => {
    const { a, b } = await runPair({ ...hopeless, relay: true, limitMs: 3_000_000, staysMs: 1_500_000 });
    for (const each of [a, b]) expect([each.path, each.received[0]]).toEqual(['relay', 'hello']);
  });
});

describe('a pair that connects directly', () => {
  it('does not burden the relay, and is as fast as without', async () => {
    for (const nat of ['none', 'full-cone', 'port-restricted-cone', 'cgnat']) {
      const { a, b } = await runPair({ nat: 'port-restricted-cone', nat2: nat, seed: 1, laterMs: 800, relay: true });
      expect([b.path, b.elapsedMs, a.elapsedMs]).toEqual(['direct', 100, 900]);
      expect([a, b].map((each) => at(each, 'candidate', 'relay'))).toEqual([undefined, undefined]);
    }
  });
});

describe('UDP that does not pass', () => {
  it.each([
    ['blocked', 'port-restricted-cone'],
    ['full-cone', 'blocked'],
    [RANDOM, 'blocked'],
    ['blocked', 'blocked'],
  ])('on %s and %s: by TCP, within moments of its being noticed', async (nat, nat2) => {
    for (const loss of [0, 0.05]) {
      const { a, b } = await runPair({ nat, nat2, seed: 3, laterMs: 500, relay: true, loss });
      for (const each of [a, b]) expect([each.path, each.received[0]]).toEqual(['relay', 'hello']);
      expect(b.elapsedMs).toBeLessThan(2_500);
      const blocked = [nat, nat2].map((each) => each === 'blocked');
      expect([a, b].map((each) => at(each, 'udp-blocked') !== undefined)).toEqual(blocked);
    }
  });

  it('and a TCP port that is closed: by TLS', async () => {
    const { a, b } = await runPair({
      nat: 'blocked',
      nat2: 'blocked',
      seed: 3,
      relay: true,
      wrap: (env) => ({
        ...env,
        tcp: {
          ...env.tcp,
          connect: (to, options, signal) =>
            env.tcp.connect(options.tls ? to : { ...to, address: '40.30.20.99' }, options, signal),
        },
      }),
      options: () => ({ name: 'stun.example.net' }),
    });
    for (const each of [a, b]) {
      expect([each.path, each.received[0]]).toEqual(['relay', 'hello']);
      expect(each.timeline.find(({ transport }) => transport !== undefined)?.['transport']).toBe('tls');
    }
  });
});

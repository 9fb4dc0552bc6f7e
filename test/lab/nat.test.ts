import fc from 'fast-check';
import type { Dependence } from '../../src/nat/dependence.ts';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_LIFETIMES,
  DEFAULT_PARTS,
  LINUX_LIFETIMES,
  type NatParts,
  type PortChoice,
} from '../../src/lab/nat-parts.ts';
import { Nat, type NatAction } from '../../src/lab/nat.ts';
import { natSpec } from '../../src/lab/nat-spec.ts';
import { PortPool } from '../../src/lab/port-pool.ts';
import { seededRandom } from '../../src/lab/random.ts';
import type { Endpoint } from '../../src/net/address.ts';

const PUBLIC = '12.13.14.15';
const A: Endpoint = { address: '192.168.1.3', port: 42_301 };
const A2: Endpoint = { address: '192.168.1.3', port: 42_302 };
const S: Endpoint = { address: '40.30.20.10', port: 3478 };
const S_PORT: Endpoint = { ...S, port: 3479 };
const S_OTHER: Endpoint = { address: '40.30.20.11', port: 3478 };
const nothing = new Uint8Array();

const nat = (parts: Partial<NatParts> = {}, addresses: readonly string[] = [PUBLIC]): Nat =>
  new Nat({ ...DEFAULT_PARTS, ...parts }, addresses, seededRandom(1, 'nat'));
const only = (actions: readonly NatAction[]): NatAction => {
  expect(actions).toHaveLength(1);
  return actions[0] as NatAction;
};
const out = (box: Nat, src: Endpoint, dst: Endpoint, now = 0): NatAction =>
  only(box.handle({ side: 'inside', src, dst, data: nothing }, now));
const back = (box: Nat, src: Endpoint, dst: Endpoint, now = 0): NatAction =>
  only(box.handle({ side: 'outside', src, dst, data: nothing }, now));
const mapped = (action: NatAction): Endpoint => {
  if (action.kind !== 'forward') throw new Error(`dropped: ${action.reason}`);
  return action.src;
};
const verdict = (action: NatAction): string => (action.kind === 'forward' ? 'passed' : action.reason);

const dependence = fc.constantFrom<Dependence>(
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
);
const portChoice = fc.oneof(
  fc.constantFrom<PortChoice>(
    { kind: 'preserving', fallback: 'next' },
    { kind: 'preserving', fallback: 'random' },
    { kind: 'random' },
  ),
  fc.record({
    kind: fc.constant('sequential' as const),
    step: fc.constantFrom(1, 2, -1, 7, -64),
    start: fc.integer({ min: 1024, max: 65_535 }),
  }),
  fc.record({ kind: fc.constant('block' as const), size: fc.constantFrom(16, 64, 512) }),
);
const inner = fc.record({
  address: fc.constantFrom('192.168.1.3', '192.168.1.4', '192.168.1.5'),
  port: fc.integer({ min: 2000, max: 2005 }),
});
const remote = fc.record({
  address: fc.constantFrom('40.30.20.10', '40.30.20.11', '50.60.70.80'),
  port: fc.integer({ min: 3478, max: 3480 }),
});
const parts = fc.record({ mapping: dependence, filtering: dependence, ports: portChoice, parity: fc.boolean() });

const part = (of: Dependence, { address, port }: Endpoint): string =>
  of === 'endpoint-independent' ? '' : of === 'address-dependent' ? address : `${address}:${port}`;
const text = ({ address, port }: Endpoint): string => `${address}:${port}`;

describe('mapping', () => {
  it('depends on exactly the part of the remote that its key names', () => {
    fc.assert(
      fc.property(parts, fc.array(fc.tuple(inner, remote), { minLength: 1, maxLength: 40 }), (chosen, flows) => {
        const box = nat(chosen);
        const seen = new Map<string, string>();
        const owners = new Map<string, string>();
        for (const [from, to] of flows) {
          const action = out(box, from, to);
          if (action.kind === 'drop') {
            expect([action.reason, chosen.ports.kind]).toEqual(['no-port', 'block']);
            continue;
          }
          const key = `${text(from)}>${part(chosen.mapping, to)}`;
          const place = text(action.src);
          expect(action.created).toBe(!seen.has(key));
          // The same key keeps its public endpoint, and no two keys share one.
          expect(seen.get(key) ?? place).toBe(place);
          expect(owners.get(place) ?? key).toBe(key);
          seen.set(key, place);
          owners.set(place, key);
          if (chosen.parity) expect((action.src.port ^ from.port) & 1).toBe(0);
        }
        expect(box.mappings(0)).toHaveLength(owners.size);
      }),
    );
  });

  it('translates back to where it came from', () => {
    fc.assert(
      fc.property(parts, fc.array(fc.tuple(inner, remote), { minLength: 1, maxLength: 30 }), (chosen, flows) => {
        const box = nat(chosen);
        for (const [from, to] of flows) {
          const action = out(box, from, to);
          if (action.kind === 'drop') continue;
          expect(back(box, to, action.src)).toMatchObject({ kind: 'forward', to: 'inside', src: to, dst: from });
        }
      }),
    );
  });

  it('lets overloaded ports serve several flows as long as their remotes differ, as Linux does', () => {
    const box = nat(natSpec('linux').parts);
    expect(mapped(out(box, A, S)).port).toBe(A.port);
    expect(mapped(out(box, A, S_OTHER)).port).toBe(A.port);
    // Another host with the same port: free towards another remote, taken towards the same.
    const twin = { address: '192.168.1.4', port: A.port };
    expect(mapped(out(box, twin, S_PORT)).port).toBe(A.port);
    expect(mapped(out(box, twin, S)).port).not.toBe(A.port);
    expect(back(box, S_PORT, { address: PUBLIC, port: A.port })).toMatchObject({ dst: twin });
    expect(back(box, S_OTHER, { address: PUBLIC, port: A.port })).toMatchObject({ dst: A });
  });
});

describe('port choice', () => {
  const series = (choice: PortChoice, count = 6): number[] => {
    const box = nat({ ports: choice });
    return Array.from({ length: count }, (_, i) => mapped(out(box, { ...A, port: A.port + i }, S)).port);
  };

  it('counts', () => {
    expect(series({ kind: 'sequential', step: 1, start: 24_604 })).toEqual([
      24_604, 24_605, 24_606, 24_607, 24_608, 24_609,
    ]);
    expect(series({ kind: 'sequential', step: -2, start: 24_604 }, 3)).toEqual([24_604, 24_602, 24_600]);
    expect(series({ kind: 'sequential', step: 1, start: 65_534 }, 4)).toEqual([65_534, 65_535, 1024, 1025]);
  });

  it('preserves, and falls back when the port is taken', () => {
    expect(series({ kind: 'preserving', fallback: 'next' }, 3)).toEqual([42_301, 42_302, 42_303]);
    const box = nat({ ports: { kind: 'preserving', fallback: 'next' } });
    out(box, A, S);
    expect(mapped(out(box, { address: '192.168.1.4', port: A.port }, S)).port).toBe(A.port + 1);
  });

  it('keeps a block to a host, and takes another when it is full', () => {
    const box = nat({ ports: { kind: 'block', size: 16 } });
    const portsOf = (address: string, count: number) =>
      Array.from({ length: count }, (_, i) => mapped(out(box, { address, port: 2000 + i }, S)).port);
    const mine = portsOf('192.168.1.3', 16);
    const theirs = portsOf('192.168.1.4', 16);
    const blocks = (ports: number[]) => new Set(ports.map((port) => Math.floor(port / 16)));
    expect(blocks(mine).size).toBe(1);
    expect(blocks(theirs).size).toBe(1);
    expect([...blocks(mine)]).not.toEqual([...blocks(theirs)]);
    expect(blocks([...mine, mapped(out(box, { address: '192.168.1.3', port: 3000 }, S)).port]).size).toBe(2);
  });

  it('finds the last free port, and none when there is none', () => {
    for (const choice of [
      { kind: 'sequential', step: 2, start: 1024 },
      { kind: 'random' },
      { kind: 'preserving', fallback: 'next' },
      { kind: 'preserving', fallback: 'random' },
    ] as const) {
      const pool = new PortPool(choice, seededRandom(1, 'pool'));
      expect(pool.pick('192.168.1.3', 42_301, (port) => port === 5001)).toBe(5001);
      expect(pool.pick('192.168.1.3', 42_301, () => false)).toBeUndefined();
    }
  });
});

describe('filtering', () => {
  it('admits exactly those whom its key has let in', () => {
    fc.assert(
      fc.property(
        dependence,
        fc.array(remote, { minLength: 1, maxLength: 6 }),
        remote,
        (filtering, contacted, stranger) => {
          const box = nat({ filtering });
          let at: Endpoint | undefined;
          for (const to of contacted) at = mapped(out(box, A, to));
          const expected = contacted.some((each) => part(filtering, each) === part(filtering, stranger));
          expect(verdict(back(box, stranger, at as Endpoint))).toBe(expected ? 'passed' : 'filtered');
        },
      ),
    );
  });

  it('opens no filter by a packet that comes in', () => {
    const box = nat({ filtering: 'address-dependent' });
    const at = mapped(out(box, A, S));
    back(box, S_OTHER, at);
    expect(verdict(back(box, S_OTHER, at))).toBe('filtered');
    expect(verdict(back(box, S_PORT, at))).toBe('passed');
  });

  it('has nothing for a port without a mapping', () => {
    expect(verdict(back(nat({ filtering: 'endpoint-independent' }), S, { address: PUBLIC, port: 9 }))).toBe(
      'no-mapping',
    );
  });

  it('leaves addresses alone in a firewall', () => {
    const box = nat(natSpec('firewall').parts, []);
    const host = { address: '12.13.14.15', port: 42_301 };
    expect(verdict(back(box, S, host))).toBe('no-mapping');
    expect(out(box, host, S)).toMatchObject({ src: host, dst: S });
    expect(back(box, S, host)).toMatchObject({ src: S, dst: host });
    expect(verdict(back(box, S_PORT, host))).toBe('filtered');
  });

  it('passes no UDP where it is blocked', () => {
    const box = nat(natSpec('blocked').parts);
    expect(verdict(out(box, A, S))).toBe('blocked');
    expect(verdict(back(box, S, { address: PUBLIC, port: 1024 }))).toBe('blocked');
  });
});

describe('lifetimes', () => {
  const lifetimes = { ...DEFAULT_LIFETIMES, unrepliedMs: 30_000, streamMs: 30_000 };

  it('ends a mapping at its instant, not before', () => {
    const box = nat({ lifetimes });
    const at = mapped(out(box, A, S));
    expect(verdict(back(box, S, at, 29_999.9))).toBe('passed');
    const quiet = nat({ lifetimes });
    const place = mapped(out(quiet, A, S));
    expect(quiet.table(29_999)).toHaveLength(1);
    expect(quiet.table(30_000)).toHaveLength(0);
    expect(verdict(back(quiet, S, place, 30_000))).toBe('no-mapping');
    expect(mapped(out(quiet, A, S, 30_001)).port).toBe(place.port + 1);
  });

  it.each([
    ['both', 'passed', 'passed'],
    ['outbound', 'passed', 'no-mapping'],
    ['inbound', 'no-mapping', 'passed'],
  ] as const)('is refreshed by %s', (refresh, afterOutbound, afterInbound) => {
    const box = nat({ lifetimes: { ...lifetimes, refresh } });
    const at = mapped(out(box, A, S));
    out(box, A, S, 20_000);
    expect(verdict(back(box, S, at, 40_000))).toBe(afterOutbound);
    const other = nat({ lifetimes: { ...lifetimes, refresh } });
    const place = mapped(out(other, A, S));
    back(other, S, place, 20_000);
    expect(verdict(back(other, S, place, 40_000))).toBe(afterInbound);
  });

  it('gives a stream longer, as Linux: replied to and older than two seconds', () => {
    const expiry = (box: Nat, now: number) => box.table(now)[0]?.expiresAt;
    const box = nat({ lifetimes: LINUX_LIFETIMES });
    const at = mapped(out(box, A, S, 0));
    back(box, S, at, 100);
    expect(expiry(box, 100)).toBe(30_100);
    out(box, A, S, 1_900);
    expect(expiry(box, 1_900)).toBe(31_900);
    out(box, A, S, 2_100);
    expect(expiry(box, 2_100)).toBe(122_100);
    const unreplied = nat({ lifetimes: LINUX_LIFETIMES });
    out(unreplied, A, S, 0);
    out(unreplied, A, S, 2_500);
    expect(expiry(unreplied, 2_500)).toBe(32_500);
  });

  it('may close a filter before the mapping goes', () => {
    const box = nat({ lifetimes: { ...lifetimes, filterMs: 5_000, refresh: 'outbound' } });
    const at = mapped(out(box, A, S));
    expect(verdict(back(box, S, at, 4_999))).toBe('passed');
    expect(verdict(back(box, S, at, 5_000))).toBe('filtered');
    expect(mapped(out(box, A, S, 6_000))).toEqual(at);
    expect(verdict(back(box, S, at, 6_001))).toBe('passed');
  });

  it('wakes for the first expiry', () => {
    const box = nat({ lifetimes });
    expect(box.wakeAt()).toBeUndefined();
    out(box, A, S, 10);
    expect(box.wakeAt()).toBe(30_010);
    expect(box.wake(30_010)).toEqual([]);
    expect(box.wakeAt()).toBeUndefined();
  });
});

describe('hairpin', () => {
  it.each([
    ['no', 'no-hairpin', undefined],
    ['external', 'passed', { address: PUBLIC, port: 24_605 }],
    ['internal', 'passed', A2],
  ] as const)('%s', (hairpin, expected, source) => {
    const box = nat({ hairpin });
    const at = mapped(out(box, A, S));
    const action = out(box, A2, at);
    expect(verdict(action)).toBe(expected);
    if (action.kind === 'forward') expect(action).toMatchObject({ to: 'inside', src: source, dst: A, hairpin: true });
  });

  it('may be filtered like everything else', () => {
    const box = nat({ hairpin: 'external', hairpinFiltered: true });
    const first = mapped(out(box, A, S));
    expect(verdict(out(box, A2, first))).toBe('filtered');
    out(box, A, { address: PUBLIC, port: 24_605 });
    expect(verdict(out(box, A2, first))).toBe('passed');
  });
});

describe('several public addresses', () => {
  const addresses = ['12.13.14.15', '12.13.14.16', '12.13.14.17', '12.13.14.18'];
  const used = (pooling: 'paired' | 'arbitrary') => {
    const box = nat({ pooling }, addresses);
    return new Set(Array.from({ length: 40 }, (_, i) => mapped(out(box, { ...A, port: 2000 + i }, S)).address)).size;
  };

  it('stay with a host when paired', () => expect(used('paired')).toBe(1));
  it('change from mapping to mapping when not', () => expect(used('arbitrary')).toBe(4));
});

describe('limits and traits', () => {
  it('holds so many mappings for a host and no more, until one expires', () => {
    const box = nat({ limit: 2, lifetimes: { ...DEFAULT_LIFETIMES, unrepliedMs: 1000, streamMs: 1000 } });
    out(box, { ...A, port: 1 }, S, 0);
    out(box, { ...A, port: 2 }, S, 500);
    expect(verdict(out(box, { ...A, port: 3 }, S, 900))).toBe('session-limit');
    expect(verdict(out(box, { address: '192.168.1.4', port: 3 }, S, 900))).toBe('passed');
    expect(verdict(out(box, { ...A, port: 3 }, S, 1000))).toBe('passed');
  });

  it('is poisoned by an early packet: the later flow to that remote gets another port', () => {
    const at = { address: PUBLIC, port: A.port };
    const clean = nat(natSpec('linux').parts);
    expect(mapped(out(clean, A, S)).port).toBe(A.port);
    const poisoned = nat(natSpec('linux').parts);
    expect(back(poisoned, S, at)).toEqual({ kind: 'drop', reason: 'no-mapping', answered: true });
    expect(mapped(out(poisoned, A, S, 1)).port).not.toBe(A.port);
    expect(mapped(out(poisoned, A, S_OTHER, 1)).port).toBe(A.port);
    // It wears off.
    expect(mapped(out(poisoned, A2, S, 40_000)).port).toBe(A2.port);
    expect(back(nat({ ...natSpec('linux').parts, poison: false }), S, at)).toMatchObject({ answered: false });
  });

  it('poisons an endpoint-independent mapping for that one flow', () => {
    const box = nat({ poison: true });
    const at = mapped(out(box, A, S));
    back(box, S_OTHER, at);
    expect(mapped(out(box, A, S_OTHER))).not.toEqual(at);
    expect(mapped(out(box, A, S))).toEqual(at);
    expect(mapped(out(box, A, S_PORT))).toEqual(at);
  });

  it('rewrites addresses in payloads with an ALG, and only then', () => {
    const payload = Uint8Array.of(0, 1, 0x60, 0x1c, 12, 13, 14, 15, 9);
    const run = (alg: boolean) => {
      const box = nat({ alg });
      const at = mapped(out(box, A, S));
      expect(at.port).toBe(0x601c);
      const action = only(box.handle({ side: 'outside', src: S, dst: at, data: payload }, 0));
      return action.kind === 'forward' ? [...action.data] : [];
    };
    expect(run(false)).toEqual([...payload]);
    expect(run(true)).toEqual([0, 1, A.port >> 8, A.port & 255, 192, 168, 1, 3, 9]);
  });

  it('finds both sides of the flow that an ICMP error is about', () => {
    const box = nat();
    const at = mapped(out(box, A, S));
    expect(box.innerOf({ public: at, remote: S }, 1)).toEqual(A);
    expect(box.outerOf({ private: A, remote: S }, 1)).toEqual(at);
    expect(box.outerOf({ private: A, remote: S_OTHER }, 1)).toBeUndefined();
    expect(box.innerOf({ public: at, remote: S }, 1e9)).toBeUndefined();
  });

  it('forgets everything on a restart', () => {
    const box = nat();
    const at = mapped(out(box, A, S));
    box.reset();
    expect(box.table(0)).toEqual([]);
    expect(verdict(back(box, S, at))).toBe('no-mapping');
  });
});

describe('the table', () => {
  it('has a row for each flow, and all rows are live flows', () => {
    fc.assert(
      fc.property(
        parts,
        fc.array(fc.tuple(inner, remote, fc.integer({ min: 0, max: 90_000 })), { maxLength: 30 }),
        fc.integer({ min: 0, max: 300_000 }),
        (chosen, flows, later) => {
          const box = nat(chosen);
          const last = new Map<string, { at: string; until: number }>();
          let now = 0;
          for (const [from, to, wait] of flows) {
            now += wait;
            const action = out(box, from, to, now);
            if (action.kind === 'forward')
              last.set(`${text(from)}>${text(to)}`, { at: text(action.src), until: now + 120_000 });
          }
          const at = now + later;
          const rows = box.table(at).map((row) => `${text(row.private)}>${text(row.remote)} ${text(row.public)}`);
          const expected = [...last].filter(([, { until }]) => until > at).map(([key, value]) => `${key} ${value.at}`);
          expect(rows.sort()).toEqual(expected.sort());
        },
      ),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { type Deadline, Deadlines } from '../../src/connect/deadlines.ts';
import { Patience } from '../../src/connect/patience.ts';
import type { HardWays } from '../../src/connect/traversal/hard-ways.ts';
import { type Judgement, judgementOf, patienceMs } from '../../src/connect/traversal/strategy.ts';
import { createLab } from '../../src/lab/topology.ts';
import type { Profile } from '../../src/nat/profile.ts';
import { sleep } from '../../src/net/wait.ts';

const profile = (mapping: Profile['mapping'], pattern: Profile['allocation']['pattern'] = 'unknown'): Profile => ({
  mapping,
  filtering: 'address-and-port-dependent',
  allocation: pattern === 'sequential' ? { pattern, step: 1 } : { pattern },
  complete: true,
});
const CONE = profile('endpoint-independent');
const GUESS = judgementOf(CONE, profile('address-and-port-dependent', 'sequential'));
const DIRECT = judgementOf(CONE, CONE);
const RANDOM = profile('address-and-port-dependent', 'random');
const HOPELESS = judgementOf(RANDOM, RANDOM);

const NO_RELAY = { begin: () => {}, want: () => false, instead: () => false, failure: undefined };

interface Course {
  readonly judgement?: Judgement;
  readonly judgedAfterMs?: number;
  readonly plainMs?: number;
  readonly found?: boolean;
  /** What the routers say, from when on. */
  readonly mappings?: readonly (readonly [ms: number, HardWays['mapping']])[];
}

/** What ended the search, and when; what was begun. */
const course = ({ judgement, judgedAfterMs = 0, plainMs, found = false, mappings = [] }: Course) =>
  createLab().run(async ({ clock }) => {
    const begun: string[] = [];
    const ended: (readonly [Deadline, number, string])[] = [];
    const noted: string[] = [];
    let known: Judgement | undefined;
    const hard = {
      mapping: 'none' as HardWays['mapping'],
      get judgement() {
        return known;
      },
      decide: () => {
        if (known || !judgement) return undefined;
        known = judgement;
        return known;
      },
      start: ({ kind }: Judgement) => begun.push(kind),
      meetAtOnceAfter: (ms: number) => begun.push(`at once after ${ms}`),
    };
    const start = clock.now();
    const deadlines: Deadlines = new Deadlines(clock, (name) =>
      ended.push([name, clock.now() - start, patience.failureAt(name as 'plain').kind]),
    );
    const patience: Patience = new Patience({
      clock,
      deadlines,
      hard: hard as unknown as HardWays,
      plainMs,
      path: { current: undefined },
      fallback: { ...NO_RELAY, want: () => noted.push('no hope') > 0 },
      fail: () => {},
      note: (event) => noted.push(event),
    });
    patience.met();
    await sleep(clock, judgedAfterMs);
    patience.decide(40, found);
    // Only the first time.
    patience.decide(40, found);
    for (const [ms, mapping] of mappings) {
      await sleep(clock, ms + start - clock.now());
      hard.mapping = mapping;
      patience.decide(40, found);
    }
    await sleep(clock, 400_000);
    return { begun, ended, noted };
  });

describe('patience', () => {
  it('ends the plain way after twelve seconds, and says that a NAT could not be measured', async () => {
    expect(await course({})).toEqual({ begun: [], ended: [['plain', 12_000, 'no-path']], noted: [] });
  });

  it('gives people who carry the news by hand the time that they were given', async () => {
    expect((await course({ plainMs: 300_000 })).ended).toEqual([['plain', 300_000, 'no-path']]);
  });

  it('begins nothing hard where no port has to be guessed, and meets at one instant where that is slow', async () => {
    expect(await course({ judgement: DIRECT })).toEqual({
      begun: ['at once after 760'],
      ended: [['plain', 12_000, 'no-path']],
      noted: ['judged'],
    });
  });

  it('ends a hard way when nothing is left that it has not tried', async () => {
    const { begun, ended } = await course({ judgement: GUESS, judgedAfterMs: 500 });
    expect([begun, ended]).toEqual([['guess'], [['hard', 500 + patienceMs(GUESS) + 160, 'no-path']]]);
    expect((await course({ judgement: GUESS, plainMs: 300_000 })).ended).toEqual([['hard', 300_000, 'no-path']]);
  });

  it('waits for nothing where there is no hope but for the plain way’s chance', async () => {
    expect((await course({ judgement: HOPELESS, judgedAfterMs: 700 })).ended).toEqual([
      ['hopeless', 3_000, 'hopeless'],
    ]);
    expect((await course({ judgement: HOPELESS, judgedAfterMs: 2_900 })).ended).toEqual([
      ['hopeless', 3_400, 'hopeless'],
    ]);
  });

  it('gives a router that was asked for a port its time, and the port its chance', async () => {
    const asked = [700, 'asked'] as const;
    const opened = [2_500, 'open'] as const;
    const ended = async (...mappings: readonly (readonly [number, HardWays['mapping']])[]) =>
      (await course({ judgement: HOPELESS, judgedAfterMs: 600, mappings })).ended;
    expect(await ended(asked)).toEqual([['hopeless', 8_000, 'hopeless']]);
    expect(await ended(asked, [1_000, 'none'])).toEqual([['hopeless', 3_000, 'hopeless']]);
    expect(await ended(asked, [4_000, 'none'])).toEqual([['hopeless', 4_500, 'hopeless']]);
    expect(await ended(asked, opened)).toEqual([['hopeless', 5_500, 'hopeless']]);
    expect(await ended(opened)).toEqual([['hopeless', 5_500, 'hopeless']]);
    const blocked = { kind: 'blocked', sides: ['a'] } as const;
    expect((await course({ judgement: blocked, mappings: [asked] })).ended).toEqual([['hopeless', 3_000, 'hopeless']]);
  });

  it('begins nothing where there is a path already', async () => {
    expect(await course({ judgement: GUESS, found: true })).toMatchObject({ begun: [], noted: [] });
  });

  it.each([
    ['nobody-came', undefined, 'nobody-came'],
    ['peer-left', undefined, 'peer-left'],
    ['peer-left', GUESS, 'peer-left'],
    // That the peer gave up as well says less than why.
    ['peer-left', HOPELESS, 'hopeless'],
    ['hard', GUESS, 'no-path'],
    ['plain', undefined, 'no-path'],
  ] as const)('%s with %o is %s', (ending, judgement, kind) => {
    const hard = { judgement, mapping: 'none' } as unknown as HardWays;
    const never = {} as Deadlines;
    const clock = { now: () => 0, date: () => new Date(0), after: () => () => {} };
    const patience = new Patience({
      clock,
      deadlines: never,
      hard,
      plainMs: undefined,
      path: { current: undefined },
      fallback: NO_RELAY,
      fail: () => {},
      note: () => {},
    });
    expect(patience.failureAt(ending)).toMatchObject({ kind });
  });
});

import { describe, expect, it } from 'vitest';
import type { Bearer } from '../../src/connect/bearer.ts';
import { Places, Search, type SearchOptions, serversFrom, type Try } from '../../src/connect/search.ts';
import { createLab } from '../../src/lab/topology.ts';
import type { Env } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';

const server = { address: '40.30.20.10', port: 3478 };
const bearer = {} as Bearer;
type Came = Awaited<ReturnType<SearchOptions['attempt']>>;
const nobody: Came = { kind: 'failed', failure: { kind: 'nobody-came' }, pairs: [], server };
const found: Came = { kind: 'connected', bearer, server };
const failed = (status: 'used' | 'full' | 'silent'): Came => ({
  kind: 'failed',
  failure: { kind: 'signal', status },
  pairs: [],
  server,
});

/** Searches with attempts that go so; `visits` tells when they began, and where. */
function searching<T>(
  attempt: (env: Env, number: number, options: Try) => Promise<Came>,
  work: (search: Search, env: Env, visits: readonly [number, number][]) => Promise<T>,
  over: Partial<SearchOptions> = {},
): Promise<T> {
  return createLab().run(async (env, signal) => {
    const visits: [number, number][] = [];
    const options: SearchOptions = {
      clock: env.clock,
      random: env.random,
      patienceMs: 300_000,
      places: new Places(),
      signal,
      attempt: (one) => {
        visits.push([env.clock.now(), one.generation]);
        return attempt(env, visits.length, one);
      },
      ...over,
    };
    return work(new Search(options), env, visits);
  });
}

/** Waits for nobody, at a place that answers. */
const wait = async (env: Env, { waitMs, signal, onEvent }: Try): Promise<Came> => {
  onEvent({ atMs: 0, event: 'signal', status: 'waiting' });
  await sleep(env.clock, waitMs, signal);
  return nobody;
};

describe('the search for a new path', () => {
  it('ends with the first that is found', async () => {
    const got = await searching(
      async () => found,
      async (search, _env, visits) => [await search.found, visits],
    );
    expect(got).toEqual([bearer, [[0, 1]]]);
  });

  it('begins anew in seconds where nothing answers, with short pauses, until patience ends', async () => {
    const visits = await searching(
      async (env, _number, { signal }) => {
        await sleep(env.clock, 60_000, signal);
        return nobody;
      },
      async (search, env, seen) => {
        expect(await search.found).toBeUndefined();
        expect(search.ended).toBe(false);
        expect(env.clock.now()).toBeLessThan(306_000);
        return seen;
      },
    );
    expect(visits.every(([, generation]) => generation === 1)).toBe(true);
    for (const [i, [at]] of visits.entries()) expect(at - (visits[i - 1]?.[0] ?? at)).toBeLessThanOrEqual(5_500);
  });

  it('goes on at the next place where one has served, and at once where that is all', async () => {
    const got = await searching(
      async (_env, number) => (number <= 3 ? failed(number === 2 ? 'full' : 'used') : found),
      async (search, _env, visits) => {
        await search.found;
        return visits;
      },
    );
    expect(got.map(([, generation]) => generation)).toEqual([1, 2, 3, 4]);
    expect(got.at(-1)?.[0]).toBeLessThan(2_000);
  });

  it('counts a place where the two have met as used, whatever came of it', async () => {
    const places = new Places();
    const attempt = async (_env: Env, number: number, { onEvent }: Try): Promise<Came> => {
      onEvent({ atMs: 0, event: 'peer' });
      return number === 1 ? failed('silent') : found;
    };
    await searching(attempt, (search) => search.found, { places });
    expect(places.next(0)).toEqual({ generation: 3, own: true });
  });

  it('stays in its own place most of the time, and looks in beside it', async () => {
    const visits = await searching(
      (env, _number, one) => wait(env, one),
      async (search, _env, seen) => {
        await search.found;
        return seen;
      },
    );
    const own = visits.filter(([, generation]) => generation === 1);
    expect(own.length).toBeGreaterThanOrEqual(visits.length / 2);
    expect(new Set(visits.map(([, generation]) => generation))).toEqual(new Set([1, 2, 3]));
    for (const [i, [at, generation]] of visits.entries()) {
      const stayed = (visits[i + 1]?.[0] ?? Number.NaN) - at;
      if (generation === 1 && i + 2 < visits.length) expect(stayed).toBeGreaterThanOrEqual(12_000);
      if (generation > 1) expect(stayed).toBe(2_000);
    }
  });

  it('brings together two whose counts differ by two', async () => {
    for (const [mine, theirs] of [
      [1, 2],
      [5, 3],
      [3, 3],
    ] as const) {
      const ms = await createLab({ seed: `${mine} ${theirs}` }).run(async (env, signal) => {
        const here = new Map<Places, number>();
        const one = (count: number): Search => {
          const places = new Places();
          places.used(count - 1);
          return new Search({
            ...env,
            patienceMs: 300_000,
            places,
            signal,
            attempt: async (options) => {
              options.onEvent({ atMs: 0, event: 'signal', status: 'waiting' });
              here.set(places, options.generation);
              try {
                for (let left = options.waitMs; left > 0; left -= 100) {
                  await sleep(env.clock, 100, options.signal);
                  if ([...here].some(([other, at]) => other !== places && at === options.generation)) {
                    await sleep(env.clock, 150, options.signal);
                    return found;
                  }
                }
                return nobody;
              } finally {
                here.delete(places);
              }
            },
          });
        };
        const both = [one(mine), one(theirs)];
        expect(await Promise.all(both.map((each) => each.found))).toEqual([bearer, bearer]);
        return env.clock.now();
      });
      expect(ms).toBeLessThan(150_000);
    }
  });

  it('is cancelled where the two have not met, and goes on where they have', async () => {
    const closed: string[] = [];
    const alone = await searching(
      (env, _number, one) => wait(env, one),
      async (search, env) => {
        await sleep(env.clock, 1_000);
        return [search.cancel(), await search.found, search.ended];
      },
    );
    expect(alone).toEqual([true, undefined, true]);
    const met = await searching(
      async (env, _number, { onEvent }) => {
        onEvent({ atMs: 0, event: 'peer' });
        await sleep(env.clock, 5_000);
        return { ...found, bearer: { close: () => closed.push('closed') } as unknown as Bearer };
      },
      async (search, env) => {
        await sleep(env.clock, 1_000);
        const cancelled = search.cancel();
        search.stop();
        return [cancelled, await search.found];
      },
    );
    expect([met, closed]).toEqual([[false, undefined], ['closed']]);
  });

  it('begins anew at once when the network has changed, even in a pause', async () => {
    const visits = await searching(
      async (env, number, one) => {
        if (number > 5) return found;
        if (number === 5) return wait(env, one);
        return failed('silent');
      },
      async (search, env, seen) => {
        await sleep(env.clock, 1_600);
        search.hurry();
        await sleep(env.clock, 1_000);
        search.hurry();
        await search.found;
        return seen;
      },
    );
    // 200, 400 and 800 ms of pauses; the fourth is cut short, and so is the wait.
    expect(visits.map(([at]) => at).slice(0, 5)).toEqual([0, 200, 600, 1_400, 1_600]);
    expect(visits.at(-1)?.[0]).toBeLessThanOrEqual(3_000);
  });

  it('breaks with what should not have happened', async () => {
    const broken = searching(
      async () => {
        throw new TypeError('a bug');
      },
      (search) => search.found,
    );
    await expect(broken).rejects.toThrow('a bug');
  });
});

it('begins with the address that worked', () => {
  const other = { address: '40.30.20.11', port: 3478 };
  expect(serversFrom(other, [server, other])).toEqual([other, server]);
});

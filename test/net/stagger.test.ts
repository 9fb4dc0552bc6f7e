import { describe, expect, it } from 'vitest';
import { World } from '../../src/lab/world.ts';
import { interleaved, STAGGER_MS, staggered } from '../../src/net/stagger.ts';
import { sleep } from '../../src/net/wait.ts';

interface Script {
  /** ms until it ends. */
  readonly after: number;
  readonly fails?: boolean;
}

type Outcome = PromiseSettledResult<number>;

async function play(
  scripts: readonly Script[],
  options: { good?: (result: number) => boolean; enough?: (outcome: Outcome) => boolean; stopAfter?: number } = {},
) {
  const world = new World({ seed: 1 });
  const clock = world.clock({ name: 'client', background: false });
  const log: string[] = [];
  const stop = new AbortController();
  const result = await world
    .run(async () => {
      if (options.stopAfter !== undefined) clock.after(options.stopAfter, () => stop.abort('stopped'));
      return staggered(
        scripts.map((script, i) => ({ ...script, i })),
        async ({ after, fails, i }, signal) => {
          log.push(`${world.now} begin ${i}`);
          try {
            await sleep(clock, after, signal);
          } catch (error) {
            log.push(`${world.now} end ${i}`);
            throw error;
          }
          if (fails) throw new Error(`${i} failed`);
          return i;
        },
        { clock, signal: stop.signal, good: options.good, enough: options.enough },
      );
    })
    .catch((error: unknown) => error);
  return { result, log, now: world.now };
}

describe('one after the other', () => {
  it('asks only the first where it answers in time', async () => {
    expect(await play([{ after: 40 }, { after: 1 }])).toEqual({ result: 0, log: ['0 begin 0'], now: 40 });
  });

  it('asks the next at once where one fails', async () => {
    const { result, now } = await play([{ after: 10, fails: true }, { after: 5, fails: true }, { after: 20 }]);
    expect({ result, now }).toEqual({ result: 2, now: 35 });
  });

  it('asks the next beside one that is slow, and ends the loser', async () => {
    const { result, log, now } = await play([{ after: 10_000 }, { after: 40 }, { after: 1 }]);
    expect(result).toBe(1);
    expect(log).toEqual(['0 begin 0', `${STAGGER_MS} begin 1`, `${STAGGER_MS + 40} end 0`]);
    expect(now).toBe(STAGGER_MS + 40);
  });

  describe('where one has said enough', () => {
    const failed: Script = { after: 40, fails: true };
    const enough = ({ status }: Outcome): boolean => status === 'rejected';

    it('gives those that are silent half a second more, and says what that one said', async () => {
      const { result, now, log } = await play([{ after: 10_000 }, failed], { enough });
      expect(result).toEqual(new Error('1 failed'));
      expect(now).toBe(STAGGER_MS + 40 + 500);
      expect(log.at(-1)).toBe(`${now} end 0`);
    });

    it('takes one that answers well within that time', async () => {
      expect((await play([{ after: 700 }, failed], { enough })).result).toBe(0);
    });

    it('tries those that have not begun all the same', async () => {
      const { result, now } = await play([{ after: 10_000 }, failed, { after: 10_000 }, { after: 60 }], { enough });
      expect({ result, now }).toEqual({ result: 3, now: STAGGER_MS + 40 + STAGGER_MS + 60 });
    });

    it('waits for nobody where all are over', async () => {
      expect((await play([failed, failed], { enough })).now).toBe(80);
    });
  });

  it('still takes the slow first one where it is the first to answer', async () => {
    expect(await play([{ after: STAGGER_MS + 10 }, { after: 5000 }])).toMatchObject({
      result: 0,
      now: STAGGER_MS + 10,
    });
  });

  it('tells what became of the first where all fail', async () => {
    const { result, now } = await play([
      { after: 10, fails: true },
      { after: 30, fails: true },
    ]);
    expect(result).toEqual(new Error('0 failed'));
    expect(now).toBe(40);
  });

  it('takes no result that is not good, but has nothing better than the first', async () => {
    expect(await play([{ after: 10 }, { after: 10 }], { good: (result) => result === 1 })).toMatchObject({
      result: 1,
      now: 20,
    });
    expect(await play([{ after: 10 }, { after: 10 }], { good: () => false })).toMatchObject({ result: 0, now: 20 });
  });

  it('ends with the signal', async () => {
    expect(await play([{ after: 10_000 }], { stopAfter: 70 })).toMatchObject({ result: 'stopped', now: 70 });
  });
});

describe('the addresses of a name', () => {
  const family = (text: string): number => (text.includes(':') ? 6 : 4);
  it('take turns by family, the first one first', () => {
    expect(interleaved(['::1', '::2', '::3', '1', '2'], family)).toEqual(['::1', '1', '::2', '2', '::3']);
    expect(interleaved(['1', '2', '::1'], family)).toEqual(['1', '::1', '2']);
    expect(interleaved([], family)).toEqual([]);
  });

  it('are not tried without end', () => {
    expect(
      interleaved(
        Array.from({ length: 50 }, (_, i) => `${i}`),
        family,
      ),
    ).toHaveLength(6);
  });
});

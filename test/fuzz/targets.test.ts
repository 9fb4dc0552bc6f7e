import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { corpusOf } from './corpus.ts';
import { campaign, demand, FuzzFailure, type Target, text } from './target.ts';
import { TARGETS } from './targets/index.ts';
import { WorkCounter } from './work.ts';

const SEED = 8489;
const INPUTS = 1_000;

describe.each(TARGETS.map((target) => [target.name, target] as const))('%s', (_, target) => {
  it(`takes or refuses ${INPUTS} inputs in its own words`, async () => {
    const counts = await campaign(target, SEED, INPUTS);
    // A campaign that never gets past the first check, or never leaves the straight path, proves nothing.
    expect(counts.taken).toBeGreaterThan(INPUTS / 20);
    expect(counts.refused).toBeGreaterThan(INPUTS / 20);
  });

  for (const { name, input } of corpusOf(target.name))
    it(`no longer breaks at ${name}`, async () => void (await target.run(input)));
});

describe('linear work', () => {
  let counter: WorkCounter;
  beforeAll(() => {
    counter = new WorkCounter();
  });
  afterAll(() => counter.stop());

  const SIZE = 3_500;
  const TRIES = 5;
  /** Of four times the size: a constant part makes it less than four times as much, and nothing makes it much more. */
  const most = (work: number): number => 4.5 * work + 200;
  const isLinear = ([small = 0, middle = 0, high = 0]: readonly number[]): boolean =>
    middle < most(small) && high < most(middle);
  const large = TARGETS.filter((each) => each.large);

  it.each(large.map((target) => [target.name, target] as const))(
    'of %s in the size of hostile inputs',
    async (_, target) => {
      const kinds = target.large?.(1).length ?? 0;
      for (let kind = 0; kind < kinds; kind++) {
        const [one, four, sixteen] = await Promise.all(
          [1, 4, 16].map((times) => target.large?.(SIZE * times)[kind] as Uint8Array),
        );
        await target.run(one as Uint8Array);
        const works = [0, 0, 0];
        // The engine loses counts now and then, and never has too many: the most of a few tries is what was done.
        for (let tries = 0; tries < TRIES && (tries === 0 || !isLinear(works)); tries++)
          for (const [i, input] of [one, four, sixteen].entries())
            works[i] = Math.max(works[i] as number, await counter.count(() => target.run(input as Uint8Array)));
        const [small = 0, middle = 0, high = 0] = works;
        expect(middle, `kind ${kind}: ${works}`).toBeLessThan(most(small));
        expect(high, `kind ${kind}: ${works}`).toBeLessThan(most(middle));
      }
    },
  );
});

describe('a campaign', () => {
  const target = (run: Target['run']): Target => ({ name: 'x', seeds: [text('a')], run });

  it('finds what throws something else, and shows the input', async () => {
    const run = campaign(
      target((input) => {
        demand(!input.includes(0x80), 'no 80');
        return true;
      }),
      1,
      1_000,
    );
    await expect(run).rejects.toThrow(FuzzFailure);
    await expect(run).rejects.toThrow(/x, seed 1, round \d+: broken promise: no 80: [0-9a-f ]*80/);
  });

  it('finds what changes its input, and what refuses the genuine', async () => {
    await expect(
      campaign(
        target((input) => input.fill(1).length > 0),
        1,
        100,
      ),
    ).rejects.toThrow('was changed');
    await expect(
      campaign(
        target(() => false),
        1,
        100,
      ),
    ).rejects.toThrow('genuine');
  });
});

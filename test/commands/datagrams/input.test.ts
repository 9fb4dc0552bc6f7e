import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Cutting, datagramsOf } from '../../../src/commands/datagrams/input.ts';

async function* pieces(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}
const bytes = (text: string): Uint8Array => Buffer.from(text);

async function cut(parts: readonly Uint8Array[], cutting: Cutting, most = 65_507): Promise<string[]> {
  const out: string[] = [];
  for await (const batch of datagramsOf(pieces(parts), cutting, most))
    out.push(...batch.map((each) => Buffer.from(each).toString('latin1')));
  return out;
}

const parts = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
const whole = (all: readonly Uint8Array[]): string => Buffer.concat(all).toString('latin1');

describe('cutting a stream into datagrams', () => {
  it('keeps every byte, in order, whichever way it is cut', async () => {
    const cuttings = fc.oneof(
      fc.constantFrom<Cutting>({ by: 'line' }, { by: 'arrival' }, { by: 'whole' }),
      fc.integer({ min: 1, max: 50 }).map((size): Cutting => ({ by: 'size', size })),
    );
    await fc.assert(
      fc.asyncProperty(parts, cuttings, async (all, cutting) => {
        expect((await cut(all, cutting)).join('')).toBe(whole(all));
      }),
    );
  });

  it('a line is a datagram with its line feed, wherever the pieces end', async () => {
    await fc.assert(
      fc.asyncProperty(parts, async (all) => {
        expect(await cut(all, { by: 'line' })).toEqual(whole(all).match(/[^\n]*\n|[^\n]+$/g) ?? []);
      }),
    );
  });

  it('a size is kept to, but for the rest', async () => {
    await fc.assert(
      fc.asyncProperty(parts, fc.integer({ min: 1, max: 20 }), async (all, size) => {
        const sizes = (await cut(all, { by: 'size', size })).map((each) => each.length);
        expect(sizes.slice(0, -1).every((each) => each === size)).toBe(true);
        expect(sizes.at(-1) ?? 1).toBeGreaterThan(0);
      }),
    );
  });

  it.each<[Cutting]>([[{ by: 'whole' }], [{ by: 'line' }]])(
    'what does not fit is an error, not a cut: %j',
    async (cutting) => {
      await expect(cut([bytes('12345'), bytes('678')], cutting, 7)).rejects.toMatchObject({
        name: 'NetError',
        kind: 'too-big',
      });
      await expect(cut([bytes('12345'), bytes('67')], cutting, 7)).resolves.toEqual(['1234567']);
    },
  );
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeMessage, Fragments, fragmentsOf, type HandshakeMessage } from '../../src/dtls/fragments.ts';

const messages = fc
  .array(fc.record({ type: fc.integer({ min: 0, max: 255 }), body: fc.uint8Array({ maxLength: 400 }) }), {
    minLength: 1,
    maxLength: 8,
  })
  .map((list): HandshakeMessage[] => list.map((each, sequence) => ({ ...each, sequence })));

const drained = (fragments: Fragments): unknown[] => {
  const out: unknown[] = [];
  for (let next = fragments.shift(); next; next = fragments.shift())
    out.push({ type: next.type, sequence: next.sequence, body: [...next.body] });
  return out;
};
const plain = (list: readonly HandshakeMessage[]): unknown[] => list.map((each) => ({ ...each, body: [...each.body] }));

it('gives every message once and in order, whatever pieces come in whatever order, however often', () => {
  fc.assert(
    fc.property(
      messages,
      fc.integer({ min: 13, max: 200 }),
      fc.array(fc.nat(), { minLength: 1 }),
      (list, most, order) => {
        const pieces = list.flatMap((each) => fragmentsOf(each, most));
        const shuffled = [...pieces, ...pieces]
          .map((piece, nth) => ({
            piece,
            key: ((order[nth % order.length] as number) * 2654435761 + nth * 40503) % 1009,
          }))
          .sort((a, b) => a.key - b.key);
        const fragments = new Fragments();
        const out = shuffled.flatMap(({ piece }) => {
          fragments.add(piece, 0);
          return drained(fragments);
        });
        expect(out).toEqual(plain(list));
      },
    ),
  );
});

it('takes pieces of different cuts that overlap', () => {
  const message = { type: 11, sequence: 0, body: Uint8Array.from({ length: 300 }, (_, nth) => nth & 255) };
  const fragments = new Fragments();
  const [first] = fragmentsOf(message, 112);
  fragments.add(first as Uint8Array, 0);
  for (const piece of fragmentsOf(message, 250).slice(0)) fragments.add(piece, 0);
  expect(drained(fragments)).toEqual(plain([message]));
});

it('tells what had come before, and only that', () => {
  const fragments = new Fragments();
  const hello = encodeMessage({ type: 1, sequence: 0, body: Uint8Array.of(1) });
  expect(fragments.add(hello, 0)).toEqual({ again: [], whole: true });
  expect(fragments.add(hello, 0)).toEqual({ again: [], whole: true });
  fragments.shift();
  expect(fragments.add(Buffer.concat([hello, hello]), 0)).toEqual({ again: [1, 1], whole: true });
});

it('leaves out what breaks the format, and what is too long or too far ahead', () => {
  const fragments = new Fragments();
  const bad = (bytes: readonly number[]): void => expect(fragments.add(Uint8Array.from(bytes), 0).whole).toBe(false);
  bad([1, 0, 0, 1]);
  bad([1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0]); // more than the message
  bad([1, 0, 0, 9, 0, 0, 0, 0, 8, 0, 0, 2, 0, 0]); // past its end
  bad([1, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0]); // past the record
  bad([1, 0, 64, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]); //   16,385 bytes
  fragments.add(encodeMessage({ type: 1, sequence: 8, body: Uint8Array.of(1) }), 0);
  expect(drained(fragments)).toEqual([]);
});

it('keeps the first of two that contradict each other, and what was sealed before what was not', () => {
  const [open, sealed] = [14, 20].map((type) => encodeMessage({ type, sequence: 0, body: Uint8Array.of(type) }));
  const fragments = new Fragments();
  fragments.add(open as Uint8Array, 0);
  fragments.add(encodeMessage({ type: 13, sequence: 0, body: Uint8Array.of(9) }), 0);
  fragments.add(sealed as Uint8Array, 1);
  fragments.add(open as Uint8Array, 0);
  expect(fragments.shift()).toMatchObject({ type: 20, epoch: 1 });
});

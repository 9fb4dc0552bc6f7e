import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Received } from '../../src/sctp/received.ts';

it('knows what has come, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 10, max: 60 }), { maxLength: 120 }), (tsns) => {
      const received = new Received(10);
      const seen = new Set<number>();
      for (const tsn of tsns) {
        expect(received.add(tsn) === 'duplicate').toBe(seen.has(tsn));
        seen.add(tsn);
        let cumulative = 9;
        while (seen.has(cumulative + 1)) cumulative++;
        expect(received.cumulative).toBe(cumulative);
        const told = new Set<number>();
        for (const { start, end } of received.gaps(1000))
          for (let at = start; at <= end; at++) told.add(cumulative + at);
        expect(told).toEqual(new Set([...seen].filter((each) => each > cumulative)));
      }
    }),
  );
});

it('refuses what it has no room to remember, or could not tell', () => {
  const received = new Received(0);
  for (let tsn = 2; tsn < 2 + 2 * 1024; tsn += 2) expect(received.add(tsn)).not.toBe('refused');
  expect(received.add(4000)).toBe('refused');
  expect(received.add(70_000)).toBe('refused');
  expect(received.add(0)).toBe('next');
});

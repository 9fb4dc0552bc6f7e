import { describe, expect, it } from 'vitest';
import { EchoGuard } from '../../../src/commands/listen/echo.ts';
import type { Random } from '../../../src/net/env.ts';

const random: Random = { bytes: (length) => new Uint8Array(length), below: () => 7 };
const text = (value: string) => new TextEncoder().encode(value);
const CLIENT = { address: '203.0.113.7', port: 40_000 };

describe('what --echo sends back', () => {
  it.each([0, 7, 13, 17, 19, 37, 53, 69, 123, 161, 389, 1023, 1900, 3478, 5353, 11211])(
    'nothing to port %i, where a service may answer',
    (port) => {
      const guard = new EchoGuard(random);
      expect(guard.allows({ ...CLIENT, port }, text('x'), 0)).toBe(false);
      expect(guard.refused).toBe(1);
    },
  );

  it('a burst and then a rate to one source, whatever its ports', () => {
    const guard = new EchoGuard(random);
    let allowed = 0;
    for (let i = 0; i < 10_000; i++) if (guard.allows({ ...CLIENT, port: 20_000 + i }, text(String(i)), i)) allowed++;
    expect(allowed).toBeGreaterThanOrEqual(1_190);
    expect(allowed).toBeLessThanOrEqual(1_200);
    expect(guard.allows({ address: '203.0.113.8', port: 5_000 }, text('x'), 10_000)).toBe(true);
  });

  it('an end to two echoes that send each other the same, however slowly', () => {
    const guard = new EchoGuard(random);
    let rounds = 0;
    while (rounds < 100_000 && guard.allows(CLIENT, text('over and over'), rounds * 1000)) rounds++;
    expect(rounds).toBe(500);
    // One who is no echo and goes on all the same has lost one answer.
    expect(guard.allows(CLIENT, text('over and over'), 1e9)).toBe(true);
  });

  it('everything to one that sends something else each time', () => {
    const guard = new EchoGuard(random);
    for (let i = 0; i < 2_000; i++) expect(guard.allows(CLIENT, text(`ping ${i}`), i * 1000)).toBe(true);
  });
});

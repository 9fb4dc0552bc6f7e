/** What a report of `lifetime` says, beside the kernel's settings. */
import { expect } from 'vitest';

interface HoleLifetime {
  readonly after: string;
  readonly aliveMs: number;
  readonly deadMs: number | null;
  readonly likelyMs: number | null;
}

/** Whether the truth lies between the bounds, and how near they are: on a machine with other work they may be wider, never wrong. */
export function checkBounds(name: string, data: Record<string, unknown>, udp: number, stream: number): void {
  const holes = data['holes'] as HoleLifetime[];
  const took = Number(data['tookMs']) / 1000;
  const bounds = holes.map(({ aliveMs, deadMs }) => `${aliveMs / 1000}–${(deadMs ?? Number.NaN) / 1000} s`);
  console.log(`${name}: ${bounds.join(', ')} for ${udp} s, ${stream} s; ${(took / stream).toFixed(2)} lifetimes`);
  expect(holes.map(({ after, likelyMs }) => [after, likelyMs])).toEqual([
    ['one-packet', udp * 1000],
    ['both-ways', stream * 1000],
  ]);
  for (const [i, truth] of [udp, stream].entries()) {
    expect(holes[i]?.aliveMs).toBeLessThanOrEqual(truth * 1000);
    expect(holes[i]?.deadMs).toBeGreaterThanOrEqual(truth * 1000);
  }
}

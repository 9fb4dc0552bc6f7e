import { describe, expect, it } from 'vitest';
import { goTogether, type Lane, Lanes, USES } from '../../src/connect/lanes.ts';

describe('lanes', () => {
  it('keep what comes early, each for itself, up to a bound', () => {
    const lanes = new Lanes();
    for (let i = 0; i < 100; i++) lanes.heard('packet', Uint8Array.of(i), i);
    lanes.heard('flow', Uint8Array.of(200), 5);
    const heard: [Lane, number, number][] = [];
    for (const lane of ['packet', 'flow'] as const)
      lanes.listen(lane, (data, at) => heard.push([lane, data[0] as number, at]));
    expect(heard).toHaveLength(65);
    expect(heard.at(-1)).toEqual(['flow', 200, 5]);
    lanes.heard('packet', Uint8Array.of(1), 1);
    expect(heard.at(-1)).toEqual(['packet', 1, 1]);
  });
});

describe('what two sides want', () => {
  it.each([
    ['stream', 'stream', true],
    ['stream', 'datagrams', false],
    ['stream', 'unknown', false],
    ['datagrams', 'unknown', true],
    ['forward', 'stream', false],
    ['check', 'forward', true],
  ] as const)('%s and %s: %s', (ours, theirs, together) => {
    expect(goTogether(ours, theirs)).toBe(together);
  });

  it('is the same from both sides', () => {
    const known = USES.filter((use) => use !== 'unknown');
    for (const a of known) for (const b of known) expect(goTogether(a, b)).toBe(goTogether(b, a));
  });
});

import { describe, expect, it } from 'vitest';
import { type Recollection, Remembrance } from '../../../src/probe/punch/remembrance.ts';

const at = (port: number) => ({ address: '12.13.14.15', port });

/** What is told of a NAT that forgets after so long, and the silences in between; the first look comes at once. */
function looked(lifetimeMs: number, everyMs: number, adapts: boolean, looks: number) {
  const remembrance = new Remembrance(everyMs, adapts);
  const told: Recollection['kind'][] = [remembrance.saw(at(1), 0).kind];
  const silences: number[] = [];
  let port = 1;
  for (let i = 1; i < looks; i++) {
    const silence = remembrance.silenceMs;
    silences.push(silence);
    if (silence > lifetimeMs) port++;
    told.push(remembrance.saw(at(port), silence).kind);
  }
  return { told, silences };
}

describe('how long a NAT remembers', () => {
  it('is not asked while it does', () => {
    const { told, silences } = looked(120_000, 10_000, true, 5);
    expect(told).toEqual(['first', 'same', 'same', 'same', 'same']);
    expect(new Set(silences)).toEqual(new Set([10_000]));
  });

  it('is halved until a silence is outlived, which then is kept up where that is wanted', () => {
    const { told, silences } = looked(2_000, 10_000, true, 7);
    expect(told).toEqual(['first', 'forgotten', 'forgotten', 'forgotten', 'held', 'same', 'same']);
    expect(silences).toEqual([10_000, 5_000, 2_500, 1_250, 1_250, 1_250]);
  });

  it('is looked for once only, where another silence is wanted', () => {
    const { told, silences } = looked(2_000, 10_000, false, 8);
    expect(told.slice(4)).toEqual(['held', 'forgotten', 'forgotten', 'forgotten']);
    expect(silences.slice(4)).toEqual([10_000, 10_000, 10_000]);
  });

  it('may be shorter than anybody asks', () => {
    const { told, silences } = looked(0, 3_000, true, 5);
    expect(told).toEqual(['first', 'forgotten', 'forgotten', 'forgotten', 'forgotten']);
    expect(silences).toEqual([3_000, 1_500, 3_000, 3_000]);
  });

  it('is not to blame for what changes in a silence that it had outlived', () => {
    const remembrance = new Remembrance(10_000, true);
    remembrance.saw(at(1), 0);
    remembrance.saw(at(1), 10_000);
    expect(remembrance.saw(at(2), 10_002)).toEqual({ kind: 'moved', was: at(1) });
    expect(remembrance.silenceMs).toBe(10_000);
    expect(remembrance.saw(at(3), 60_000)).toMatchObject({ kind: 'forgotten', withinMs: 60_000, last: false });
  });
});

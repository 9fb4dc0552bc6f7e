import { describe, expect, it } from 'vitest';
import { Opener } from '../../../src/connect/channel/envelope.ts';
import { type ClockReading, decodeDescription } from '../../../src/connect/signalling/description.ts';
import { OwnDescription } from '../../../src/connect/signalling/own-description.ts';
import type { Signalling } from '../../../src/connect/signalling/signalling.ts';

const KEY = new Uint8Array(32).fill(7);
const HERE = { address: '12.13.14.15', port: 7 };
const PROFILE = {
  mapping: 'none',
  filtering: 'unknown',
  allocation: { pattern: 'unknown' },
  complete: false,
} as const;

function of(reading?: () => ClockReading | undefined) {
  const told: { description: ReturnType<typeof decodeDescription>; settled: boolean }[] = [];
  const opener = new Opener(KEY);
  const signalling = {
    publish: (payload: Uint8Array, settled: boolean) =>
      told.push({ description: decodeDescription(opener.open(payload)?.body ?? new Uint8Array()), settled }),
  } as unknown as Signalling;
  return { own: new OwnDescription(KEY, reading), signalling, told };
}

describe('our own description', () => {
  it('is told whole when it begins, at each change, and no more when it stops', () => {
    const { own, signalling, told } = of();
    own.update({ hosts: [HERE] });
    expect(told).toEqual([]);
    own.begin(signalling);
    own.update({ late: HERE });
    own.stop();
    own.update({ late: undefined });
    expect(told.map(({ description }) => [description?.hosts, description?.late])).toEqual([
      [[HERE], undefined],
      [[HERE], HERE],
    ]);
  });

  it('goes out with the next change only where it is noted', () => {
    const { own, signalling, told } = of();
    own.begin(signalling);
    own.note({ reflexive: [HERE] });
    expect([told.length, own.current.reflexive]).toEqual([1, [HERE]]);
    own.update({ hosts: [HERE] });
    expect(told[1]?.description?.reflexive).toEqual([HERE]);
  });

  it('is settled when nothing more is being measured', () => {
    const { own, signalling, told } = of();
    own.begin(signalling);
    own.update({ profile: PROFILE });
    own.update({ profile: { ...PROFILE, complete: true } });
    expect(told.map(({ settled }) => settled)).toEqual([false, false, true]);
  });

  it('bears the clock of the moment in which it is told', () => {
    let now = 5;
    const { own, signalling, told } = of(() => ({ now, least: undefined }));
    own.begin(signalling);
    now = 9;
    own.update({ hosts: [HERE] });
    expect(told.map(({ description }) => description?.clocks?.now)).toEqual([5, 9]);
  });
});

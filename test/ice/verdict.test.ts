import { describe, expect, it } from 'vitest';
import { failureReason, givesUpAt, newTally, type Prospects, type CheckTally } from '../../src/ice/verdict.ts';

const over: Prospects = {
  exhausted: true,
  patientUntil: 39_500,
  validSince: undefined,
  speculationsEndAt: Number.NEGATIVE_INFINITY,
};

describe('giving up', () => {
  it.each<[string, Partial<Prospects>, number | undefined]>([
    ["waits for the peer's own checks (RFC 8863)", {}, 39_500],
    ['never comes while there is work left', { exhausted: false }, undefined],
    ['waits for the last speculative check', { speculationsEndAt: 50_000 }, 50_000],
    ['is not hastened by an early speculative check', { speculationsEndAt: 5 }, 39_500],
    ['waits 40 s for the choice where a pair is valid', { validSince: 10_000 }, 50_000],
    ['and not less than the patience', { validSince: -10_000 }, 39_500],
  ])('%s', (_, change, at) => expect(givesUpAt({ ...over, ...change })).toBe(at));
});

describe('the reason', () => {
  const of = (tally: Partial<CheckTally>, more: Partial<Parameters<typeof failureReason>[1]> = {}) =>
    failureReason({ ...newTally(), ...tally }, { valid: false, pairs: 1, anyReturnPath: false, ...more });

  it('goes from what is nearest to success to what is farthest', () => {
    expect(of({ asymmetric: 1, errors: 1, requests: 1 }, { valid: true })).toBe('not-nominated');
    expect(of({ asymmetric: 1, errors: 1, requests: 1 })).toBe('asymmetric-path');
    expect(of({ asymmetric: 1, errors: 1, requests: 1 }, { anyReturnPath: true })).toBe('rejected');
    expect(of({ requests: 1 })).toBe('only-inbound');
    expect(of({})).toBe('no-answer');
    expect(of({}, { pairs: 0 })).toBe('no-pairs');
    expect(of({ speculative: 1 }, { pairs: 0 })).toBe('no-answer');
  });
});

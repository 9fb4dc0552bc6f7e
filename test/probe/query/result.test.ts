import { describe, expect, it } from 'vitest';
import { NetError } from '../../../src/net/env.ts';
import { blank, failure, summary } from '../../../src/probe/query/result.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import type { TransactOutcome } from '../../../src/stun/client.ts';
import { CredentialError } from '../../../src/stun/credentials.ts';
import { decode } from '../../../src/stun/message.ts';
import { parseStunServer } from '../../../src/stun/uri.ts';

const FROM = { address: '51.0.0.1', port: 3478 };
const MAPPED = { address: '12.13.14.15', port: 4 };
const NONE = { garbage: 0, wrongId: 0 };
const tally = { sent: 1, received: 1, wrongSources: [] };
const message = (...attributes: Parameters<typeof encodeBinding>[2] & {}) =>
  decode(encodeBinding('success', new Uint8Array(12), attributes));
const answered = (rttMs: number): TransactOutcome => ({
  ...tally,
  kind: 'answered',
  message: message(
    attribute('XOR-MAPPED-ADDRESS', MAPPED),
    attribute('OTHER-ADDRESS', { address: '0.0.0.0', port: 0 }),
    attribute('SOFTWARE', 'made up'),
  ),
  from: FROM,
  rttMs,
  rttExact: true,
});
const silent: TransactOutcome = { kind: 'timeout', afterMs: 3000, sent: 1, received: 0, wrongSources: [] };

describe('what exchanges come to', () => {
  it('is the answer, the spread of round trips, and the claims as they stand', () => {
    expect(summary([answered(10), silent, answered(20.12345)], NONE, false)).toEqual({
      sent: 3,
      received: 2,
      rttMs: 10,
      rttAverageMs: 15.062,
      rttMostMs: 20.123,
      address: '51.0.0.1:3478',
      software: 'made up',
      other: '0.0.0.0:0',
      mapped: '12.13.14.15:4',
    });
  });

  it.each([
    ['timeout', silent, NONE, 'no answer within 3 s'],
    ['wrong-source', { ...silent, wrongSources: [FROM] }, NONE, 'the answer came from 51.0.0.1:3478'],
    ['wrong-id', silent, { garbage: 1, wrongId: 1 }, /wrong transaction ID/],
    ['garbage', silent, { garbage: 1, wrongId: 0 }, 'what came is not STUN'],
    ['no-mapped-address', { ...answered(1), message: message() }, NONE, /does not say/],
    ['unknown-attributes', { ...answered(1), kind: 'unknown-attributes', types: [0x7ffe] }, NONE, /0x7ffe/],
    ['error-answer', { ...answered(1), kind: 'error-answer', code: 500, reason: 'no' }, NONE, 'error 500 (no)'],
    ['integrity-violated', { ...tally, kind: 'integrity-violated', discarded: message() }, NONE, /not sealed/],
    [
      'refused',
      { ...tally, kind: 'network-error', error: new NetError('refused', 'x', 'ECONNREFUSED') },
      NONE,
      'nothing listens on that port',
    ],
  ] as const)('is %s', (error, outcome, strays, detail) => {
    const result = summary([outcome as TransactOutcome], strays, false);
    expect(result.error).toBe(error);
    expect(result.detail).toMatch(detail);
  });

  it('prefers any word to silence', () => {
    const error = { ...answered(1), kind: 'error-answer', code: 400, reason: '' } as TransactOutcome;
    expect(summary([silent, error], NONE, false)).toMatchObject({ error: 'error-answer', detail: 'error 400' });
  });

  it('rethrows what is a bug', () => {
    expect(failure(new CredentialError('empty', 'too long'))).toEqual({ error: 'credentials', detail: 'too long' });
    expect(() => failure(new TypeError('a bug'))).toThrow('a bug');
    expect(blank(parseStunServer('stun.example.net'), 'udp', undefined)).toMatchObject({
      server: 'stun.example.net',
      address: 'unknown',
      error: null,
    });
  });
});

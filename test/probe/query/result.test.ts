import { describe, expect, it } from 'vitest';
import { NetError } from '../../../src/net/env.ts';
import { blank, failure, saidIn, type Strays, summary, tellingOf } from '../../../src/probe/query/result.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import type { Credentials, TransactOutcome } from '../../../src/stun/client.ts';
import { CredentialError } from '../../../src/stun/credentials.ts';
import { decode } from '../../../src/stun/message.ts';
import { parseStunServer } from '../../../src/stun/uri.ts';

const FROM = { address: '51.0.0.1', port: 3478 };
const MAPPED = { address: '12.13.14.15', port: 4 };
const NONE = { garbage: 0, wrongId: 0 };
const tally = { sent: 1, received: 1, wrongSources: [], server: FROM };
const sum = (outcomes: TransactOutcome[], strays: Strays, attributes: boolean, credentials?: Credentials) =>
  summary(outcomes, tellingOf(outcomes) as TransactOutcome, { strays, attributes, credentials });
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
  needsChangeRequest: false,
});
const silent: TransactOutcome = { ...tally, kind: 'timeout', afterMs: 3000, received: 0 };

describe('what exchanges come to', () => {
  it('is the answer, the spread of round trips, and the claims as they stand', () => {
    expect(sum([answered(10), silent, answered(20.12345)], NONE, false)).toEqual({
      sent: 3,
      received: 2,
      rttMs: 10,
      rttAverageMs: 15.062,
      rttMostMs: 20.123,
      rttDeviationMs: 5.062,
      malformed: [],
      address: '51.0.0.1:3478',
      software: 'made up',
      other: '0.0.0.0:0',
      mapped: '12.13.14.15:4',
    });
  });

  it.each([
    ['timeout', silent, NONE, 'no answer within 3 s'],
    ['timeout', { ...silent, afterMs: 2989.594 }, NONE, 'no answer within 3 s'],
    ['timeout', { ...silent, afterMs: 199.6 }, NONE, 'no answer within 0.2 s'],
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
    const result = sum([outcome as TransactOutcome], strays, false);
    expect(result.error).toBe(error);
    expect(result.detail).toMatch(detail);
  });

  it.each([
    [undefined, 401, 'needed', /NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD/],
    [{ kind: 'long-term', username: 'u', password: 'p' }, 401, 'refused', /does not take/],
    [undefined, 400, null, /^error 400$/],
  ] as const)('says what a refusal means: %j, %i', (credentials, code, login, detail) => {
    const error = { ...answered(1), kind: 'error-answer', code, reason: '' } as TransactOutcome;
    const result = sum([error], NONE, false, credentials);
    expect(result.login).toBe(login);
    expect(result.detail).toMatch(detail);
  });

  it('says an IPv4-mapped address as what it is, and what was malformed', () => {
    const said = message(attribute('XOR-MAPPED-ADDRESS', { address: '::ffff:12.13.14.15', port: 4 }));
    const outcome = { ...answered(1), message: { ...said, malformed: ['padding'] } } as TransactOutcome;
    expect(saidIn(outcome)).toEqual({ remote: FROM, mapped: MAPPED });
    expect(sum([outcome], NONE, false)).toMatchObject({ mapped: '12.13.14.15:4', malformed: ['padding'] });
  });

  it('prefers any word to silence', () => {
    const error = { ...answered(1), kind: 'error-answer', code: 400, reason: '' } as TransactOutcome;
    expect(sum([silent, error], NONE, false)).toMatchObject({ error: 'error-answer', detail: 'error 400' });
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

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Candidate, CandidateType } from '../../src/ice/candidate.ts';
import {
  formatCandidate,
  formatIceAttributes,
  parseCandidate,
  parseIceAttributes,
  SdpError,
} from '../../src/ice/sdp.ts';
import { endpoint } from '../stun/arbitraries.ts';
import { at } from './wire.ts';

const kindOf = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    return error instanceof SdpError ? error.kind : error;
  }
  return undefined;
};

const word = (min: number, max: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'azAZ09+/'), minLength: min, maxLength: max });

const candidates: fc.Arbitrary<Candidate> = fc
  .record({
    foundation: word(1, 32),
    priority: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    endpoint,
    type: fc.constantFrom<CandidateType>('host', 'srflx', 'prflx', 'relay'),
    related: fc.option(endpoint, { nil: undefined }),
  })
  .map(({ related, ...rest }) => ({ component: 1, transport: 'udp', ...rest, ...(related ? { related } : {}) }));

describe('a candidate line', () => {
  it('is that of RFC 8839', () => {
    // The examples of §5.1.
    expect(parseCandidate('a=candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host')).toEqual({
      foundation: '1',
      component: 1,
      transport: 'udp',
      priority: 2_130_706_431,
      endpoint: at('203.0.113.141:8998'),
      type: 'host',
    });
    expect(
      parseCandidate('a=candidate:2 1 UDP 1694498815 192.0.2.3 5000 typ srflx raddr 10.0.1.1 rport 8998').related,
    ).toEqual(at('10.0.1.1:8998'));
  });

  it('survives the way out and in', () => {
    fc.assert(
      fc.property(candidates, (each) => {
        expect(parseCandidate(formatCandidate(each))).toEqual(each);
        expect(parseCandidate(`a=${formatCandidate(each)}`)).toEqual(each);
      }),
    );
  });

  it('as browsers write it is read, their extensions skipped', () => {
    const line =
      'candidate:842163049 1 udp 1677729535 192.0.2.3 46154 typ srflx raddr 10.0.17.1 rport 46154 generation 0 ufrag EEtu network-id 3 network-cost 10';
    expect(parseCandidate(line)).toMatchObject({
      foundation: '842163049',
      priority: 1_677_729_535,
      type: 'srflx',
      related: at('10.0.17.1:46154'),
    });
  });

  it('leaves out a zone', () => {
    expect(
      formatCandidate({
        ...parseCandidate('candidate:1 1 udp 1 fe80::1 5 typ host'),
        endpoint: { address: 'fe80::1%eth0', port: 5 },
      }),
    ).toBe('candidate:1 1 udp 1 fe80::1 5 typ host');
  });

  it.each([
    ['candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active', 'transport'],
    ['candidate:1 2 udp 1 192.0.2.1 9 typ host', 'component'],
    ['candidate:1 1 udp 1 4c3f8f7e-1111-4c1e-9d1e-000000000000.local 9 typ host', 'host-name'],
    ['candidate:1 1 udp 1 192.0.2.1 9 typ magic', 'candidate-type'],
    ['candidate:1 1 udp 0 192.0.2.1 9 typ host', 'malformed'],
    ['candidate:1 1 udp 2147483648 192.0.2.1 9 typ host', 'malformed'],
    ['candidate:1 1 udp 1 192.0.2.256 9 typ host', 'malformed'],
    ['candidate:1 1 udp 1 192.0.2.1 65536 typ host', 'malformed'],
    ['candidate:1 1 udp 1 192.0.2.1 9', 'malformed'],
    ['candidate: 1 udp 1 192.0.2.1 9 typ host', 'malformed'],
    ['', 'malformed'],
  ])('%s is refused as %s', (line, kind) => {
    expect(kindOf(() => parseCandidate(line))).toBe(kind);
  });

  it('of any text gives a candidate or an SdpError', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `candidate:1 1 udp 1 ${text} typ host`),
        ),
        (text) => {
          const kind = kindOf(() => parseCandidate(text));
          expect(kind === undefined || typeof kind === 'string').toBe(true);
        },
      ),
    );
  });
});

describe('a description', () => {
  it('survives the way out and in', () => {
    fc.assert(
      fc.property(
        word(4, 20),
        word(22, 40),
        fc.array(candidates, { maxLength: 5 }),
        fc.boolean(),
        (ufrag, pwd, all, end) => {
          expect(parseIceAttributes(formatIceAttributes({ ufrag, pwd, candidates: all, end }))).toEqual({
            ufrag,
            pwd,
            candidates: all,
            end,
            lite: false,
            ignored: [],
          });
        },
      ),
    );
  });

  it('is found in a whole SDP; what cannot be used is named', () => {
    const sdp = [
      'v=0',
      'o=- 1 1 IN IP4 0.0.0.0',
      's=-',
      't=0 0',
      'a=ice-lite',
      'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
      'a=ice-ufrag:abcd',
      'a=ice-pwd:0123456789012345678901',
      'a=candidate:1 1 udp 1 192.0.2.1 9 typ host',
      'a=candidate:2 1 tcp 1 192.0.2.1 9 typ host tcptype passive',
      'a=candidate:3 1 udp 1 x.local 9 typ host',
      'm=audio 9 RTP/AVP 0',
      'a=ice-ufrag:efgh',
    ].join('\n');
    const parsed = parseIceAttributes(sdp);
    expect(parsed).toMatchObject({ ufrag: 'abcd', pwd: '0123456789012345678901', end: false, lite: true });
    expect(parsed.candidates).toHaveLength(1);
    expect(parsed.ignored.map(({ kind }) => kind)).toEqual(['transport', 'host-name']);
  });

  it.each([
    ['a=ice-pwd:0123456789012345678901', 'credentials'],
    ['a=ice-ufrag:abcd\na=ice-pwd:short', 'credentials'],
    ['a=ice-ufrag:ab:d\na=ice-pwd:0123456789012345678901', 'credentials'],
    ['x'.repeat(70_000), 'too-long'],
  ])('%j is refused as %s', (text, kind) => {
    expect(kindOf(() => parseIceAttributes(text))).toBe(kind);
  });
});

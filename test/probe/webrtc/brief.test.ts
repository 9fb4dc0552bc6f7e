import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { briefOf, sdpOf } from '../../../src/probe/webrtc/brief.ts';
import { parseDescription } from '../../../src/webrtc/sdp.ts';

const FINGERPRINT = Array.from({ length: 32 }, (_, i) => (i + 0xa0).toString(16).toUpperCase()).join(':');
const sdp = (candidates: number): string =>
  [
    'v=0',
    'o=- 1 1 IN IP4 0.0.0.0',
    's=-',
    't=0 0',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'a=mid:0',
    `a=fingerprint:sha-256 ${FINGERPRINT}`,
    'a=setup:actpass',
    'a=ice-ufrag:abcd',
    'a=ice-pwd:abcdefghijklmnopqrstuv',
    ...Array.from(
      { length: candidates },
      (_, i) =>
        `a=candidate:${i} 1 udp ${2_000_000_000 - i} 2001:db8:1234:5678:9abc:def0:1234:${(0x1000 + i).toString(16)} ${40_000 + i} typ host`,
    ),
    '',
  ].join('\r\n');

describe('a brief description', () => {
  it('says what the long one says', () => {
    const long = parseDescription(sdp(3));
    const short = parseDescription(sdpOf(briefOf(sdp(3))) ?? '');
    expect(short.fingerprints).toEqual([{ hash: 'sha-256', value: FINGERPRINT }]);
    expect(short.setup).toBe('actpass');
    expect([short.ice.ufrag, short.ice.pwd]).toEqual([long.ice.ufrag, long.ice.pwd]);
    const plain = ({ ice }: typeof long) =>
      ice.candidates.map(({ type, priority, endpoint }) => ({ type, priority, endpoint }));
    expect(plain(short)).toEqual(plain(long));
  });

  it('fits what meeting places pass on, however many addresses there are', () => {
    expect(briefOf(sdp(40)).length).toBeLessThan(875);
  });

  it('is none: whatever else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(sdpOf(bytes)).toBeUndefined();
      }),
    );
    const right = new TextDecoder().decode(briefOf(sdp(1))).split('\n');
    for (const [at, wrong] of [
      [0, '3'],
      [1, 'a b'],
      [1, 'a_bc'],
      [2, 'short'],
      [3, 'AAAA'],
    ] as const)
      expect(
        sdpOf(new TextEncoder().encode(right.map((line, i) => (i === at ? wrong : line)).join('\n'))),
      ).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { SdpError } from '../../src/ice/sdp.ts';
import { type Description, formatDescription, parseDescription } from '../../src/webrtc/sdp.ts';

const PRINT = Array.from({ length: 32 }, (_, nth) => (nth + 160).toString(16).toUpperCase()).join(':');
/** As Chromium 156 writes one; the values are made up. */
const CHROMIUM = [
  'v=0',
  'o=- 1786518199897315476 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'a=extmap-allow-mixed',
  'a=msid-semantic: WMS',
  'm=application 47075 UDP/DTLS/SCTP webrtc-datachannel',
  'c=IN IP4 198.51.100.7',
  'a=candidate:1 1 udp 2122260223 0b1d3a1c-aaaa-4bbb-8ccc-000000000001.local 47075 typ host generation 0 network-cost 999',
  'a=candidate:2 1 udp 1686052607 198.51.100.7 47075 typ srflx raddr 0.0.0.0 rport 0 generation 0 network-cost 999',
  'a=candidate:3 1 tcp 1518280447 192.0.2.4 9 typ host tcptype active generation 0',
  'a=ice-ufrag:2xr5',
  'a=ice-pwd:3tAvl0xaAxAhrrXIj0e9Hbcd',
  'a=ice-options:trickle',
  `a=fingerprint:sha-256 ${PRINT}`,
  'a=setup:actpass',
  'a=mid:0',
  'a=sctp-port:5000',
  'a=max-message-size:262144',
  '',
].join('\r\n');

const kind = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error instanceof SdpError ? error.kind : error;
  }
};
const without = (start: string): string =>
  CHROMIUM.split('\r\n')
    .filter((line) => !line.startsWith(start))
    .join('\r\n');
const instead = (start: string, line: string): string => `${without(start)}${line}\r\n`;

describe('parseDescription', () => {
  it('reads what a browser offers, and tells what it leaves out', () => {
    const { ice, fingerprints, setup, mid, port, maxMessage } = parseDescription(CHROMIUM);
    expect({ setup, mid, port, maxMessage }).toEqual({ setup: 'actpass', mid: '0', port: 5000, maxMessage: 262_144 });
    expect(fingerprints).toEqual([{ hash: 'sha-256', value: PRINT }]);
    expect(ice.candidates).toMatchObject([{ type: 'srflx', endpoint: { address: '198.51.100.7', port: 47_075 } }]);
    expect(ice.ignored.map((each) => each.kind)).toEqual(['host-name', 'transport']);
  });

  it('takes line ends of any kind, and hash names in any case', () => {
    const text = CHROMIUM.replaceAll('\r\n', '\n').replace('sha-256', 'SHA-256').replace(PRINT, PRINT.toLowerCase());
    expect(parseDescription(text).fingerprints).toEqual([{ hash: 'sha-256', value: PRINT }]);
  });

  it('assumes what the RFC says where nothing is said', () => {
    const text = without('a=max-message-size').replace('a=sctp-port:5000\r\n', '').replace('a=mid:0\r\n', '');
    expect(parseDescription(text)).toMatchObject({ port: 5000, maxMessage: 65_536, mid: '0' });
    expect(parseDescription(instead('a=max-message-size', 'a=max-message-size:0')).maxMessage).toBe(
      Number.MAX_SAFE_INTEGER,
    );
  });

  it.each([
    ['no-channel', without('m=')],
    ['no-channel', instead('m=', 'm=audio 9 UDP/TLS/RTP/SAVPF 111')],
    ['no-channel', `${CHROMIUM}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n`],
    ['no-channel', instead('m=', 'm=application 0 UDP/DTLS/SCTP webrtc-datachannel')],
    ['setup', without('a=setup')],
    ['setup', instead('a=setup', 'a=setup:holdconn')],
    ['fingerprint', without('a=fingerprint')],
    ['fingerprint', instead('a=fingerprint', `a=fingerprint:sha-1 ${PRINT.slice(0, 59)}`)],
    ['fingerprint', instead('a=fingerprint', 'a=fingerprint:sha-256 AA:BB')],
    ['malformed', instead('a=sctp-port', 'a=sctp-port:65536')],
    ['malformed', instead('a=max-message-size', 'a=max-message-size:many')],
    ['malformed', instead('a=mid', 'a=mid:a b')],
    ['credentials', without('a=ice-pwd')],
    ['too-long', CHROMIUM + 'a=x\r\n'.repeat(20_000)],
  ])('says %s', (expected, text) => expect(kind(() => parseDescription(text))).toBe(expected));
});

it('writes what it reads', () => {
  const description: Description = {
    ice: { ufrag: 'abcd', pwd: 'efghijklmnopqrstuvwxyz', candidates: [], end: true },
    fingerprints: [{ hash: 'sha-512', value: Array.from({ length: 64 }, () => 'AB').join(':') }],
    setup: 'passive',
    mid: 'data',
    port: 5001,
    maxMessage: 1_000,
  };
  const text = formatDescription(description, 7);
  expect(text.split('\r\n').slice(0, 2)).toEqual(['v=0', 'o=- 7 1 IN IP4 0.0.0.0']);
  const { ice, ...rest } = parseDescription(text);
  expect({ ...rest, ice: { ...description.ice } }).toEqual(description);
  expect(ice).toMatchObject(description.ice);
});

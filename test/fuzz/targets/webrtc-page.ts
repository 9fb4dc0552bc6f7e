/** What the page of `webrtc`, a terminal with the same code, and whoever sits at the meeting place send. */
import { decodeFrame, linesOf } from '../../../src/commands/webrtc/frame.ts';
import { openWords, sealWords, webKeys } from '../../../src/commands/webrtc/sealed-words.ts';
import { parseSeenCandidate } from '../../../src/probe/webrtc/seen-candidate.ts';
import { briefOf, sdpOf } from '../../../src/probe/webrtc/brief.ts';
import { parseDescription } from '../../../src/webrtc/sdp.ts';
import { demand, type Target, text } from '../target.ts';

const read = (input: Uint8Array): string => new TextDecoder().decode(input);

export const seenCandidate: Target = {
  name: 'seen-candidate',
  seeds: [
    text('candidate:1 1 udp 2113937151 7f2e1c34-0000-4000-8000-1234567890ab.local 5000 typ host generation 0'),
    text('candidate:2 1 udp 1677729535 12.13.14.15 6000 typ srflx raddr 192.168.1.7 rport 5000 generation 0'),
    text('a=candidate:3 1 tcp 1 2001:db8::1 9 typ host tcptype active'),
  ],
  words: [' typ ', ' raddr ', ' rport ', '.local', '::', '\u001b[2J', '65536'],
  run: (input) => {
    const seen = parseSeenCandidate(read(input));
    if (seen) demand(/^[0-9a-z:.%[\]_-]+$/i.test(seen.address), 'an address is letters, digits and signs of addresses');
    return seen !== undefined;
  },
  large: (size) => [
    text(`candidate:1 1 udp 1 1.2.3.4 5 typ host${' raddr 1'.repeat(size / 8)}`),
    text('9'.repeat(size)),
  ],
};

const FINGERPRINT = Array.from({ length: 32 }, () => 'AB').join(':');
const SDP = [
  'v=0',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'a=mid:0',
  `a=fingerprint:sha-256 ${FINGERPRINT}`,
  'a=setup:actpass',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:abcdefghijklmnopqrstuv',
  'a=candidate:1 1 udp 2130706431 10.0.1.1 8998 typ host',
].join('\r\n');

export const brief: Target = {
  name: 'brief-description',
  seeds: [briefOf(SDP)],
  words: ['\n', '0 1 ::1 1', '0 2130706431 10.0.1.1 8998'],
  run: (input) => {
    const sdp = sdpOf(input);
    // What it makes is a description that we read ourselves.
    if (sdp !== undefined) parseDescription(sdp);
    return sdp !== undefined;
  },
  large: (size) => [text(`0\nabcd\nabcdefghijklmnopqrstuv\n${'A'.repeat(43)}=\n${'0 1 ::1 1\n'.repeat(size / 10)}`)],
};

export const frame: Target = {
  name: 'camera-frame',
  seeds: [Uint8Array.of(0, 0, 0, 1, 0, 2, 2, 0, 9, 8, 7, 6), Uint8Array.of(0, 0, 0, 1, 0, 1, 1, 1, 9, 8, 7)],
  run: (input) => {
    const found = decodeFrame(input);
    if (found)
      demand(
        linesOf(found).every((line) => /^(?:[ .:=+*#%@-]|\u001b\[(?:38;2;\d+;\d+;\d+|0)m)*$/.test(line)),
        'a picture is ten letters and our own colours',
      );
    return found !== undefined;
  },
  large: (size) => [new Uint8Array(size).fill(255)],
};

const { room, browser } = webKeys('k7qf2-m9x4t-03bsd-v8hwd');
const random = { bytes: (length: number) => new Uint8Array(length).fill(7), below: () => 0 };

export const sealedWords: Target = {
  name: 'sealed-words',
  seeds: [text(sealWords(browser, room, { kind: 'offer', n: 1 }, random))],
  run: (input) => openWords(browser, room, read(input)) !== undefined,
  large: (size) => [text('A'.repeat(size))],
};

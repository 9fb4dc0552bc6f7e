/** What a proven peer may still do wrong: descriptions, and data channels whose other side says anything. */
import { isDeepStrictEqual } from 'node:util';
import { SdpError } from '../../../src/ice/sdp.ts';
import type { DataChannel } from '../../../src/webrtc/channel.ts';
import { ChannelError } from '../../../src/webrtc/channel.ts';
import { Channels } from '../../../src/webrtc/channels.ts';
import { encodeAck, encodeOpen, PPID } from '../../../src/webrtc/dcep.ts';
import { formatDescription, parseDescription } from '../../../src/webrtc/sdp.ts';
import { inBytes, stepsOf } from '../steps.ts';
import { demand, type Target, takes, text } from '../target.ts';

const PRINT = Array.from({ length: 32 }, (_, nth) => (nth + 160).toString(16)).join(':');
const SDP = `v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=candidate:1 1 udp 2122260223 192.0.2.7 47075 typ host generation 0\r\na=ice-ufrag:2xr5\r\na=ice-pwd:3tAvl0xaAxAhrrXIj0e9Hbcd
a=fingerprint:sha-256 ${PRINT}\r\na=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n`;

export const sessionDescription: Target = {
  name: 'session-description',
  seeds: [text(SDP)],
  words: [
    'a=',
    'm=application',
    'setup:active',
    'sha-512 ',
    ':AA',
    '\r\n',
    'a=mid:',
    'a=sctp-port:',
    '99999',
    'webrtc-datachannel',
  ],
  run: (input) =>
    takes(() => {
      const found = parseDescription(new TextDecoder().decode(input));
      const { ice, ...rest } = found;
      const { ice: told, ...again } = parseDescription(formatDescription(found, 1));
      demand(isDeepStrictEqual(again, rest), 'it means the same when written and read');
      demand(isDeepStrictEqual(told.candidates, ice.candidates), 'with the same candidates');
      demand(found.fingerprints.length > 0 && found.fingerprints.length <= 8, 'a fingerprint, and not too many');
    }, SdpError),
  large: (size) => [
    text(SDP + 'a=fingerprint:sha-256 AA\n'.repeat(size / 25)),
    text(`${SDP}a=fingerprint:sha-256 ${'AA:'.repeat(size / 3)}\n`),
    text(SDP + 'm=\n'.repeat(size / 3)),
    text(`${SDP}a=mid:${' '.repeat(size)}x\n`),
  ],
};

const open = (label: string, ordered = true): Uint8Array =>
  encodeOpen({ ordered, label, protocol: 'p', maxRetransmits: 1 });
const MOST = 1_024;

/** Steps: 0 a message of DCEP, 1 to 3 text, bytes and the empty one, 4 the end of a stream of theirs, 5 of ours, 6 what our side does; the argument is the stream. */
export const channels: Target = {
  name: 'channels',
  seeds: [
    inBytes([0, 1, open('one')], [1, 1, text('hello')], [2, 1, text('bytes')], [3, 1, text('0')], [4, 1], [5, 1]),
    inBytes([6, 0], [0, 0, encodeAck()], [1, 0, text('hello')], [6, 1], [5, 0], [4, 0], [0, 1, open('x')]),
    inBytes([0, 3, open('u', false)], [0, 5, open('')], [6, 2], [4, 3], [6, 2], [1, 5, text('x')]),
    inBytes([0, 1, open('grüße')], [6, 2], [4, 1], [5, 1], [0, 1, open('again')], [1, 1, text('x')]),
  ],
  run: (input) => {
    const live = new Set<DataChannel>();
    let [heard, sends, taken] = [0, 0, 0];
    const watch = (channel: DataChannel): void => {
      live.add(channel);
      channel.onClose = () => live.delete(channel);
      channel.onMessage = (data) => {
        demand(channel.state !== 'closed', 'a closed channel is silent');
        heard += data.length;
      };
    };
    const made = new Channels({
      feed: () => sends++,
      buffered: () => ({ bytes: 0, wanted: 1 }),
      accept: (channel) => {
        demand(channel.id !== undefined && channel.id % 2 === 1, 'the peer has its own streams');
        taken++;
        watch(channel);
      },
      noted: () => {},
    });
    made.begin('client');
    const steps = stepsOf(input);
    let bytes = 0;
    for (const { op, argument, body } of steps) {
      bytes += body.length;
      const ppid = [PPID.dcep, PPID.text, PPID.binary, PPID.emptyText][op % 7];
      const before = sends;
      if (ppid !== undefined) made.take({ kind: 'message', stream: argument, ppid, unordered: false, data: body });
      else if (op % 7 < 6)
        made.take({
          kind: 'reset',
          side: op % 7 === 4 ? 'theirs' : 'ours',
          streams: argument === 255 ? [] : [argument],
        });
      else {
        const [first] = live;
        if (argument % 3 === 0) watch(made.open('ours'));
        else if (argument % 3 === 1) first?.close();
        else takes(() => first?.send('text'), ChannelError);
      }
      demand(sends - before <= (argument === 255 ? MOST : 2), 'it answers within bounds');
      demand(live.size <= MOST, 'no more channels than there may be');
    }
    demand(heard <= 3 * bytes, 'nothing is heard that was not said');
    made.end();
    demand(live.size === 0, 'all are closed at the end');
    return taken > 0;
  },
};

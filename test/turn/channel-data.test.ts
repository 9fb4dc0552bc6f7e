import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../src/stun/attributes.ts';
import { encodeBinding } from '../../src/stun/binding.ts';
import { Deframer } from '../../src/stun/framing.ts';
import { StunFormatError } from '../../src/stun/message.ts';
import {
  decodeChannelData,
  encodeChannelData,
  FIRST_CHANNEL,
  LAST_CHANNEL,
  looksLikeChannelData,
} from '../../src/turn/channel-data.ts';

const number = fc.integer({ min: FIRST_CHANNEL, max: LAST_CHANNEL });
const data = fc.uint8Array({ maxLength: 40 });

describe('ChannelData', () => {
  it('is four bytes and the datagram', () => {
    expect([...encodeChannelData(0x4001, Uint8Array.of(1, 2, 3), false)]).toEqual([0x40, 1, 0, 3, 1, 2, 3]);
  });

  it('is padded over a stream, and the length does not count it', () => {
    expect([...encodeChannelData(0x4fff, Uint8Array.of(9), true)]).toEqual([0x4f, 0xff, 0, 1, 9, 0, 0, 0]);
  });

  it('comes back as it was, empty ones too', () => {
    fc.assert(
      fc.property(number, data, fc.boolean(), (channel, bytes, isPadded) => {
        const message = encodeChannelData(channel, bytes, isPadded);
        expect(looksLikeChannelData(message)).toBe(true);
        expect(decodeChannelData(message)).toEqual({ number: channel, data: bytes });
      }),
    );
  });

  it('cut short is none', () => {
    fc.assert(
      fc.property(number, fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.nat(), (channel, bytes, cut) => {
        const message = encodeChannelData(channel, bytes, false);
        expect(decodeChannelData(message.subarray(0, cut % message.length))).toBeUndefined();
      }),
    );
  });

  it('is told from STUN and from other things by its first byte', () => {
    expect(looksLikeChannelData(encodeBinding('request', new Uint8Array(12)))).toBe(false);
    expect(decodeChannelData(Uint8Array.of(0x80, 0, 0, 0))).toBeUndefined();
    expect(decodeChannelData(Uint8Array.of(0x3f, 0, 0, 0))).toBeUndefined();
  });
});

describe('Deframer with channels', () => {
  it.each(['SSH-2.0-OpenSSH_9.6\r\n', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n'])(
    'takes %j for what it is, though ChannelData begins so',
    (text) => expect(() => new Deframer({ channels: true }).push(Buffer.from(text))).toThrow('leading bits'),
  );

  it('finds messages and ChannelData however the stream is cut', () => {
    const piece = fc.oneof(
      data.chain((bytes) =>
        number.map((channel) => ({
          wire: encodeChannelData(channel, bytes, true),
          frame: encodeChannelData(channel, bytes, false),
        })),
      ),
      fc.string({ maxLength: 20 }).map((text) => {
        const message = encodeBinding('indication', new Uint8Array(12), [attribute('SOFTWARE', text)]);
        return { wire: message, frame: message };
      }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 50 })), (behind, cuts) => {
        const first = encodeBinding('request', new Uint8Array(12));
        const pieces = [{ wire: first, frame: first }, ...behind];
        let rest = Uint8Array.from(pieces.flatMap(({ wire }) => [...wire]));
        const deframer = new Deframer({ channels: true });
        const found: Uint8Array[] = [];
        for (const cut of [...cuts, rest.length]) {
          found.push(...deframer.push(rest.subarray(0, cut)));
          rest = rest.subarray(cut);
        }
        found.push(...deframer.push(rest));
        expect(found.map((bytes) => [...bytes])).toEqual(pieces.map(({ frame }) => [...frame]));
      }),
    );
  });

  it('refuses ChannelData where none can come, and what is neither', () => {
    const message = encodeChannelData(FIRST_CHANNEL, Uint8Array.of(1), true);
    expect(() => new Deframer().push(message)).toThrow(StunFormatError);
    expect(() => new Deframer({ channels: true }).push(Uint8Array.of(0x80, 0, 0, 4))).toThrow(StunFormatError);
  });
});

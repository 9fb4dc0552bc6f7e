import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Announcement, decodeDcep, encodeAck, encodeOpen } from '../../src/webrtc/dcep.ts';

const reliability = fc.oneof(
  fc.constant({}),
  fc.nat({ max: 2 ** 32 - 1 }).map((maxRetransmits) => ({ maxRetransmits })),
  fc.nat({ max: 2 ** 32 - 1 }).map((maxLifetimeMs) => ({ maxLifetimeMs })),
);

describe('DCEP', () => {
  it('reads what it writes', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.string({ unit: 'grapheme' }),
        fc.string({ unit: 'grapheme' }),
        reliability,
        (ordered, label, protocol, rest) => {
          const open: Announcement = { ordered, label, protocol, ...rest };
          expect(decodeDcep(encodeOpen(open))).toEqual(open);
        },
      ),
    );
    expect(decodeDcep(encodeAck())).toBe('ack');
  });

  it('is on the wire as RFC 8832 §5.1 has it', () => {
    const bytes = encodeOpen({ ordered: false, maxRetransmits: 3, label: 'ab', protocol: 'c' });
    expect(Buffer.from(bytes).toString('hex')).toBe('03' + '81' + '0100' + '00000003' + '0002' + '0001' + '616263');
    expect(Buffer.from(encodeOpen({ ordered: true, maxLifetimeMs: 9, label: '', protocol: '' })).toString('hex')).toBe(
      '03' + '02' + '0100' + '00000009' + '0000' + '0000',
    );
  });

  it('refuses what is no message of it', () => {
    const open = encodeOpen({ ordered: true, label: 'label', protocol: '' });
    const changed = (at: number, byte: number): Uint8Array => Uint8Array.from(open).fill(byte, at, at + 1);
    for (const bad of [
      new Uint8Array(),
      Uint8Array.of(1),
      open.subarray(0, 11),
      open.subarray(0, -1),
      changed(1, 3),
      changed(9, 4),
      Uint8Array.of(...open, 0),
    ])
      expect(decodeDcep(bad)).toBeUndefined();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePacket, PacketWriter, SctpFormatError } from '../../src/sctp/packet.ts';

const PORTS = { source: 5000, destination: 5001 };

describe('packets', () => {
  it('come back as they were put together', () => {
    const chunk = fc.record({
      type: fc.integer({ min: 0, max: 255 }),
      flags: fc.integer({ min: 0, max: 255 }),
      value: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(fc.array(chunk, { minLength: 1, maxLength: 6 }), (chunks) => {
        const writer = new PacketWriter(1172, PORTS, 0xdeadbeef);
        for (const { type, flags, value } of chunks) expect(writer.add(type, flags, value)).toBe(true);
        const packet = decodePacket(writer.finish(true));
        expect(packet).toMatchObject({ ...PORTS, tag: 0xdeadbeef, checksum: 'right' });
        expect(packet.chunks.map(({ value, ...rest }) => ({ ...rest, value: [...value] }))).toEqual(
          chunks.map(({ value, ...rest }) => ({ ...rest, value: [...value] })),
        );
      }),
    );
  });

  it('with a bit of damage are wrong', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.nat(), (value, at) => {
        const writer = new PacketWriter(200, PORTS, 1);
        writer.add(132, 0, value);
        const bytes = writer.finish(true);
        const nth = (at % (bytes.length - 16)) + 16;
        bytes[nth] = (bytes[nth] as number) ^ 0x10;
        expect(decodePacket(bytes).checksum).toBe('wrong');
      }),
    );
  });

  it('take no more than they have room for', () => {
    const writer = new PacketWriter(24, PORTS, 1);
    expect(writer.add(0, 0, new Uint8Array(9))).toBe(false);
    expect([writer.empty, writer.room]).toEqual([true, 12]);
    expect(writer.add(0, 0, new Uint8Array(8))).toBe(true);
    expect(writer.room).toBe(0);
  });

  it.each([
    ['too short', new Uint8Array(12)],
    ['with a chunk that is longer than the rest', Uint8Array.of(...new Uint8Array(12), 0, 0, 0, 9, 0, 0, 0, 0)],
    ['with a chunk shorter than its header', Uint8Array.of(...new Uint8Array(12), 0, 0, 0, 3)],
  ])('%s are refused', (_, bytes) => {
    expect(() => decodePacket(bytes)).toThrow(SctpFormatError);
  });
});

import fc from 'fast-check';
import { createDecipheriv } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encodeRecord, open, type RawRecord, recordsOf, seal } from '../../src/dtls/record.ts';

const KEY = { key: new Uint8Array(16).fill(3), salt: Uint8Array.of(9, 8, 7, 6) };

const aRecord: fc.Arbitrary<RawRecord> = fc.record({
  type: fc.integer({ min: 20, max: 23 }),
  epoch: fc.integer({ min: 0, max: 0xffff }),
  sequence: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  body: fc.uint8Array({ maxLength: 300 }),
});

describe('recordsOf', () => {
  it('reads what was written, several in a datagram', () => {
    fc.assert(
      fc.property(fc.array(aRecord, { maxLength: 5 }), (records) => {
        const { records: read, whole } = recordsOf(Buffer.concat(records.map(encodeRecord)));
        expect(whole).toBe(true);
        expect(read.map((each) => ({ ...each, body: [...each.body] }))).toEqual(
          records.map((each) => ({ ...each, body: [...each.body] })),
        );
      }),
    );
  });

  it('keeps what stands before the first that is none', () => {
    const good = encodeRecord({ type: 22, epoch: 0, sequence: 1, body: Uint8Array.of(1) });
    const bad = [
      Uint8Array.of(22, 0xfe, 0xfd),
      encodeRecord({ type: 24, epoch: 0, sequence: 1, body: new Uint8Array() }),
      encodeRecord({ type: 22, epoch: 0, sequence: 1, body: new Uint8Array(9) }).subarray(0, -1),
      Uint8Array.of(22, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    ];
    for (const each of bad) {
      const { records, whole } = recordsOf(Buffer.concat([good, each]));
      expect([records.length, whole]).toEqual([1, false]);
    }
  });
});

describe('seal and open', () => {
  it('has nonce and associated data as RFC 5288 and RFC 5246 have them', () => {
    const record: RawRecord = { type: 23, epoch: 1, sequence: 0x010203040506, body: Buffer.from('hello') };
    const wire = Buffer.from(seal(KEY, record));
    expect(wire.toString('hex', 0, 21)).toBe('17fefd0001010203040506001d' + '0001010203040506');
    const decipher = createDecipheriv('aes-128-gcm', KEY.key, Buffer.from('09080706' + '0001010203040506', 'hex'));
    decipher.setAAD(Buffer.from('0001010203040506' + '17' + 'fefd' + '0005', 'hex'));
    decipher.setAuthTag(wire.subarray(-16));
    expect(decipher.update(wire.subarray(21, -16)).toString() + decipher.final('latin1')).toBe('hello');
  });

  it('opens what was sealed, and nothing that was changed in any bit', () => {
    fc.assert(
      fc.property(
        aRecord.filter(({ epoch }) => epoch > 0),
        fc.nat(),
        (record, where) => {
          const sealed = seal(KEY, record);
          const [read] = recordsOf(sealed).records;
          expect([...(open(KEY, read as RawRecord) ?? [])]).toEqual([...record.body]);
          const changed = Uint8Array.from(sealed);
          const bit = where % (8 * changed.length);
          changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
          const [other] = recordsOf(changed).records;
          if (other) expect(open(KEY, other)).toBeUndefined();
        },
      ),
    );
  });

  it('refuses what is too short to be sealed', () => {
    for (const length of [0, 7, 8, 23]) {
      const record = { type: 23, epoch: 1, sequence: 0, body: new Uint8Array(length) };
      expect(open(KEY, record)).toBeUndefined();
    }
  });
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openNote, sealNote } from '../../../src/connect/signalling/meeting-note.ts';
import { seededRandom } from '../../../src/lab/random.ts';

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const notes = fc.record({
  member: bytes(16),
  sequence: fc.integer({ min: 1, max: 0xffff }),
  heard: fc.option(
    fc.record({
      member: bytes(16).filter((each) => each.some((byte) => byte !== 0)),
      sequence: fc.integer({ min: 0, max: 0xffff }),
    }),
    { nil: undefined },
  ),
  bye: fc.boolean(),
  asks: fc.boolean(),
  payload: fc.uint8Array({ maxLength: 900 }),
});

it('comes back as it was, and never looks alike twice', () => {
  const random = seededRandom(1, 'note');
  fc.assert(
    fc.property(notes, (note) => {
      const sealed = sealNote(note, KEY, random);
      expect(openNote(sealed, KEY)).toEqual(note);
      expect(Buffer.from(sealNote(note, KEY, random)).equals(sealed)).toBe(false);
    }),
  );
});

it('is not opened by another key, cut, or when it is anything else', () => {
  const sealed = sealNote(
    { member: new Uint8Array(16), sequence: 1, heard: undefined, bye: false, asks: true, payload: Uint8Array.of(1) },
    KEY,
    seededRandom(1, 'note'),
  );
  expect(openNote(sealed, new Uint8Array(32))).toBeUndefined();
  for (let length = 0; length < sealed.length; length++)
    expect(openNote(sealed.subarray(0, length), KEY)).toBeUndefined();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2_000 }), (any) => openNote(any, KEY) === undefined));
});

it('looks on the wire as it did when it was first made: hosts of two versions meet', () => {
  const sealed = Buffer.from(
    '01000102030405060708090a0b' +
      Buffer.from(
        sealNote(
          {
            member: new Uint8Array(16).fill(9),
            sequence: 258,
            heard: undefined,
            bye: false,
            asks: true,
            payload: Uint8Array.of(1, 2, 3),
          },
          KEY,
          { bytes: () => Uint8Array.from({ length: 12 }, (_, i) => i), below: () => 0 },
        ).subarray(13),
      ).toString('hex'),
    'hex',
  );
  expect(sealed.toString('hex')).toMatchInlineSnapshot(
    `"01000102030405060708090a0b450bdf12cceccb1284489e82b8e071648ad78534f07b5f7c3867e5851d6900b20110aefcafc0109bbf987a8ef1d6226f8f167787a064e4a1"`,
  );
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../src/stun/attributes.ts';
import { encodeBinding } from '../../src/stun/binding.ts';
import { Deframer } from '../../src/stun/framing.ts';
import { StunFormatError } from '../../src/stun/message.ts';

const message = (software: string) => encodeBinding('request', new Uint8Array(12), [attribute('SOFTWARE', software)]);

describe('Deframer', () => {
  it('finds the messages however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 30 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 60 })),
        (texts, cuts) => {
          const messages = texts.map(message);
          let rest = Uint8Array.from(messages.flatMap((bytes) => [...bytes]));
          const deframer = new Deframer();
          const found: Uint8Array[] = [];
          for (const cut of [...cuts, rest.length]) {
            found.push(...deframer.push(rest.subarray(0, cut)));
            rest = rest.subarray(cut);
          }
          found.push(...deframer.push(rest));
          expect(found.map((bytes) => [...bytes])).toEqual(messages.map((bytes) => [...bytes]));
        },
      ),
    );
  });

  it('refuses what cannot be STUN at the first four bytes', () => {
    expect(() => new Deframer().push(new TextEncoder().encode('HTTP/1.1 400'))).toThrow(StunFormatError);
    expect(() => new Deframer().push(Uint8Array.of(0, 1, 0, 3))).toThrow(StunFormatError);
  });
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodePacket, MOST_PACKET, MqttFormatError, MqttReader } from '../../../src/net/mqtt/codec.ts';

const publish = (payload: Uint8Array) =>
  ({ cmd: 'publish', topic: 'nat-tool/x', payload: Buffer.from(payload), qos: 0, dup: false, retain: false }) as const;

it.each([4, 5] as const)('what was written is read, however the stream cuts it (version %i)', (version) => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 1_000 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 700 }),
      (all, cut) => {
        const stream = Buffer.concat(all.map((each) => encodePacket(publish(each), version)));
        const reader = new MqttReader(version);
        const read = [];
        for (let at = 0; at < stream.length; at += cut) read.push(...reader.push(stream.subarray(at, at + cut)));
        expect(read.map((each) => ('payload' in each ? Buffer.from(each.payload as Uint8Array) : each))).toEqual(
          all.map((each) => Buffer.from(each)),
        );
      },
    ),
  );
});

it('keeps no more of a packet than one of ours can need', () => {
  const reader = new MqttReader(4);
  // PUBLISH, remaining length 256 MiB less one.
  reader.push(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f));
  expect(() => {
    for (let i = 0; i < 100; i++) reader.push(new Uint8Array(1_000));
  }).toThrow(MqttFormatError);
  expect(() =>
    new MqttReader(4).push(
      Buffer.concat([Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f), new Uint8Array(4 * MOST_PACKET)]),
    ),
  ).toThrow(MqttFormatError);
});

it('throws nothing but its own error, whatever comes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(4 as const, 5 as const), (bytes, version) => {
      try {
        new MqttReader(version).push(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(MqttFormatError);
      }
    }),
    { numRuns: 3_000 },
  );
});

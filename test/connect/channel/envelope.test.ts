import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENVELOPE_OVERHEAD, isEnvelope, Opener, Sealer } from '../../../src/connect/channel/envelope.ts';

const key = new Uint8Array(32).fill(7);
const bytes = fc.uint8Array({ maxLength: 1400 });

describe('an envelope', () => {
  it('gives back what was sealed, and adds a fixed length', () => {
    const [sealer, opener] = [new Sealer(key), new Opener(key)];
    let counter = 0;
    fc.assert(
      fc.property(bytes, fc.nat(255), (body, type) => {
        const packet = sealer.seal(type, body);
        expect(packet.length).toBe(body.length + ENVELOPE_OVERHEAD);
        expect(isEnvelope(packet)).toBe(true);
        expect(opener.open(packet)).toEqual({ type, body, counter: counter++ });
      }),
    );
  });

  it('opens once only, in any order within the window', () => {
    const [sealer, opener] = [new Sealer(key), new Opener(key)];
    const packets = Array.from({ length: 1000 }, (_, i) => sealer.seal(0, Uint8Array.of(i & 255)));
    const order = packets.map((_, i) => (i * 617) % 1000);
    for (const i of order) expect(opener.open(packets[i] as Uint8Array)?.counter).toBe(i);
    for (const i of order) expect(opener.open(packets[i] as Uint8Array)).toBeUndefined();
  });

  it('refuses what is older than the window, even if it was never seen', () => {
    const [sealer, opener] = [new Sealer(key), new Opener(key)];
    const old = [sealer.seal(0, new Uint8Array()), sealer.seal(0, new Uint8Array())];
    for (let i = 0; i < 1023; i++) sealer.seal(0, new Uint8Array());
    expect(opener.open(sealer.seal(0, new Uint8Array()))?.counter).toBe(1025);
    expect(old.map((packet) => opener.open(packet))).toEqual([undefined, undefined]);
  });

  it('forgets no replay when the counter jumps', () => {
    const [sealer, opener] = [new Sealer(key), new Opener(key)];
    const packets = Array.from({ length: 5000 }, () => sealer.seal(0, new Uint8Array()));
    for (const i of [0, 1000, 1001, 3000, 2500, 3500]) expect(opener.open(packets[i] as Uint8Array)?.counter).toBe(i);
    for (const i of [0, 1000, 1001, 3000, 2500, 3500]) expect(opener.open(packets[i] as Uint8Array)).toBeUndefined();
    expect(opener.open(packets[2600] as Uint8Array)?.counter).toBe(2600);
  });

  it('opens one after the other for longer than the window is', () => {
    const [sealer, opener] = [new Sealer(key), new Opener(key)];
    for (let i = 0; i < 3000; i++) expect(opener.open(sealer.seal(0, new Uint8Array()))?.counter).toBe(i);
  });

  it('takes what is late and was never seen, whatever stood in its place of the window before', () => {
    const [sealer, opener] = [new Sealer(key), new Opener(key)];
    const packets = Array.from({ length: 4096 }, () => sealer.seal(0, new Uint8Array()));
    const open = (i: number) => opener.open(packets[i] as Uint8Array)?.counter;
    for (let i = 0; i < 1024; i++) open(i);
    expect(open(2047)).toBe(2047);
    for (const late of [1024, 1500, 2046]) expect(open(late)).toBe(late);
    expect(open(1023)).toBeUndefined();
    // A jump by more than the window, too.
    expect(open(4000)).toBe(4000);
    for (const late of [2977, 3000, 3999]) expect([open(late), open(late)]).toEqual([late, undefined]);
    expect(open(2976)).toBeUndefined();
  });

  it('is known by its first byte and its length', () => {
    const packet = new Sealer(key).seal(0, new Uint8Array());
    expect([isEnvelope(packet), isEnvelope(packet.subarray(1)), isEnvelope(packet.slice(0, -1))]).toEqual([
      true,
      false,
      false,
    ]);
    packet[0] = 0xcf;
    expect(isEnvelope(packet)).toBe(false);
  });

  it('refuses every change of a bit, every cut, and another key', () => {
    const packet = new Sealer(key).seal(3, Uint8Array.of(1, 2, 3));
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const forged = packet.slice();
      forged[bit >> 3] = (forged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(new Opener(key).open(forged)).toBeUndefined();
    }
    for (let length = 0; length < packet.length; length++)
      expect(new Opener(key).open(packet.slice(0, length))).toBeUndefined();
    expect(new Opener(new Uint8Array(32)).open(packet)).toBeUndefined();
  });

  it('a forged packet with a high counter does not close the window', () => {
    const [sealer, opener] = [new Sealer(key), new Opener(key)];
    const honest = sealer.seal(0, new Uint8Array());
    const forged = honest.slice();
    forged[3] = 255;
    expect(opener.open(forged)).toBeUndefined();
    expect(opener.open(honest)?.counter).toBe(0);
  });

  // Built from AES-256-GCM by hand: header as associated data, its counter as nonce.
  it('has these bytes', () => {
    const hex = (of: Uint8Array): string => Buffer.from(of).toString('hex');
    const sealer = new Sealer(new Uint8Array(32).fill(7));
    expect(hex(sealer.seal(3, new TextEncoder().encode('hello')))).toBe(
      'ce0000000000000062b0c1de97fdb810ce19c4290a26e4a611656b04f8ec',
    );
    expect(hex(sealer.seal(255, new Uint8Array()))).toBe('ce00000000000001cf1bee908947b7633df3d84f3a92935849');
    for (let i = 2; i < 302; i++) sealer.seal(0, new Uint8Array());
    expect(hex(sealer.seal(0, Uint8Array.of(1)))).toBe('ce0000000000012e1c156477f1f05ce4f583c39527c95b47e2b6');
  });
});

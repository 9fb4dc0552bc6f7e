import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeRegister,
  decodeState,
  encodeRegister,
  encodeState,
  looksLikeRegister,
  type Register,
  REGISTER_LENGTH,
  RENDEZVOUS_TYPE,
  type RoomState,
  STATUSES,
} from '../../src/rendezvous/protocol.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { type Decoded, decode, encode, mappedAddress, METHOD } from '../../src/stun/message.ts';
import { createStunServer, respond } from '../../src/stun/server.ts';
import { A, B, bytes, endpoints, one, packet, register, text } from './wire.ts';

const random = seededRandom(1, 'protocol');
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');
/** A message with this for its rendezvous attribute. */
const message = (value: Uint8Array): Decoded =>
  decode(
    encode({
      class: 'success',
      method: METHOD.binding,
      transactionId: bytes(12, 0),
      attributes: [{ name: undefined, type: RENDEZVOUS_TYPE, value }],
    }),
  );
const state: RoomState = {
  status: 'paired',
  stored: 0x0102,
  cookie: bytes(8, 0xcc),
  alternates: [A, { address: '2001:db8::1', port: 0x1234 }],
  peer: { member: one, sequence: 0x0304, observed: B, payload: text('hi') },
};

describe('the rendezvous protocol', () => {
  it('carries a register and a state through', () => {
    const key = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(
        key(16),
        key(16),
        fc.integer({ min: 1, max: 65_535 }),
        fc.nat(65_535),
        key(8),
        fc.uint8Array({ maxLength: 900 }),
        (room, member, sequence, heard, cookie, payload) => {
          const of: Register = { room, member, sequence, heard, cookie, bye: false, payload };
          const data = packet(of);
          expect(looksLikeRegister(data)).toBe(true);
          expect(data.length).toBeLessThanOrEqual(1200);
          expect(decodeRegister(decode(data))).toEqual(of);
          const state: RoomState = {
            status: 'paired',
            stored: heard,
            cookie,
            alternates: [endpoints.A1P2, { address: '2001:db8::1', port: 1 }],
            peer: { member, sequence, observed: A, payload },
          };
          const answer = encode({
            class: 'success',
            method: METHOD.binding,
            transactionId: bytes(12, 0),
            attributes: [encodeState(state)],
          });
          expect(decodeState(decode(answer))).toEqual(state);
        },
      ),
    );
  });

  it('survives every cut and every wrong byte', () => {
    const value = (of: Uint8Array): Decoded =>
      decode(
        encode({
          class: 'success',
          method: METHOD.binding,
          transactionId: bytes(12, 0),
          attributes: [{ name: undefined, type: RENDEZVOUS_TYPE, value: of }],
        }),
      );
    const state = encodeState({
      status: 'paired',
      stored: 1,
      cookie: bytes(8, 1),
      alternates: [A],
      peer: { member: one, sequence: 1, observed: B, payload: text('hello') },
    });
    const whole = state.value as Uint8Array;
    for (let length = 0; length < whole.length; length++)
      expect(() => decodeState(value(whole.slice(0, length)))).not.toThrow();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        decodeState(value(noise));
        decodeRegister(value(noise));
      }),
      { numRuns: 500 },
    );
  });

  it('is a plain Binding request to a STUN server that does not know it', () => {
    const answer = respond(createStunServer({ endpoints, random }), {
      role: 'A1P1',
      from: A,
      data: packet(register()),
      now: 0,
    });
    expect(mappedAddress(decode(answer?.data ?? bytes(20, 0)))).toEqual(A);
  });

  it('has these bytes', () => {
    const value = encodeRegister(
      register({
        room: bytes(16, 0xaa),
        member: bytes(16, 0xbb),
        sequence: 0x0102,
        heard: 0x0304,
        cookie: bytes(8, 0xcc),
      }),
    );
    expect(value.name === undefined && value.type).toBe(0xc7a7);
    const whole = value.value as Uint8Array;
    expect(whole.length).toBe(REGISTER_LENGTH);
    expect(hex(whole.subarray(0, 50))).toBe(
      `0100${'aa'.repeat(16)}${'bb'.repeat(16)}01020304${'cc'.repeat(8)}0001${'61'}00`,
    );
    expect(whole.subarray(50).every((byte) => byte === 0)).toBe(true);
    expect((encodeRegister(register({ bye: true })).value as Uint8Array)[1]).toBe(1);
    expect(hex(encodeState(state).value as Uint8Array)).toBe(
      `01010102${'cc'.repeat(8)}02040c0d0e0f601c1020010db80000000000000000000000011234${'01'.repeat(16)}0304041617181960` +
        '1c00026869',
    );
    expect(STATUSES).toEqual(['waiting', 'paired', 'full', 'used', 'busy', 'left']);
  });

  it('reads a state only where all of it is there and fits', () => {
    const whole = encodeState(state).value as Uint8Array;
    expect(decodeState(message(whole))).toEqual(state);
    // A cut ends in nothing; but where the peer begins, what stands before is a state without one.
    const withoutPeer = (encodeState({ ...state, peer: undefined }).value as Uint8Array).length;
    for (let length = 0; length < whole.length; length++)
      expect(decodeState(message(whole.slice(0, length))) !== undefined).toBe(length === withoutPeer);
    const changed = (at: number, value: number): RoomState | undefined =>
      decodeState(message(whole.map((byte, i) => (i === at ? value : byte))));
    expect(changed(0, 2)).toBeUndefined();
    expect(changed(1, STATUSES.length)).toBeUndefined();
    // No such length of an address.
    expect(changed(13, 5)).toBeUndefined();
    expect(
      decodeState(decode(encode({ class: 'success', method: 1, transactionId: bytes(12, 0), attributes: [] }))),
    ).toBe(undefined);
  });

  it('reads a register only where all of it is there and fits', () => {
    const whole = encodeRegister(register({ payload: text('abc') })).value as Uint8Array;
    expect(decodeRegister(message(whole))?.payload).toEqual(text('abc'));
    // What costs the sender little may not cost us much: all of the room that an answer may need is paid for.
    for (let length = 0; length < REGISTER_LENGTH; length++)
      expect(decodeRegister(message(whole.slice(0, length)))).toBeUndefined();
    expect(decodeRegister(message(new Uint8Array([...whole, 0])))).toBeUndefined();
    expect(decodeRegister(message(whole.map((byte, i) => (i === 0 ? 2 : byte))))).toBeUndefined();
    // A longer payload than is passed on.
    const long = new Uint8Array(1100);
    long.set(whole);
    new DataView(long.buffer).setUint16(46, 900);
    expect(decodeRegister(message(long))?.payload).toHaveLength(900);
    new DataView(long.buffer).setUint16(46, 901);
    expect(decodeRegister(message(long))).toBeUndefined();
    // Sequences begin at 1; a goodbye needs none.
    const silent = encodeRegister(register({ sequence: 0 })).value as Uint8Array;
    expect(decodeRegister(message(silent))).toBeUndefined();
    expect(decodeRegister(message(encodeRegister(register({ sequence: 0, bye: true })).value as Uint8Array))?.bye).toBe(
      true,
    );
  });

  it('passes on 900 bytes and no more', () => {
    expect(() => encodeRegister(register({ payload: bytes(900, 1) }))).not.toThrow();
    expect(() => encodeRegister(register({ payload: bytes(901, 1) }))).toThrow(RangeError);
    expect(() => encodeRegister(register({ payload: bytes(901, 1) }))).toThrow('901 bytes');
  });

  it('is told from a plain Binding request by its first attribute', () => {
    const data = packet(register());
    expect(looksLikeRegister(data)).toBe(true);
    for (const at of [0, 1, 20, 21])
      expect(looksLikeRegister(data.map((byte, i) => (i === at ? byte ^ 0x40 : byte)))).toBe(false);
    expect(looksLikeRegister(data.slice(0, 24))).toBe(false);
    expect(looksLikeRegister(new Uint8Array())).toBe(false);
  });
});

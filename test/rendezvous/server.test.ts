import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeRegister,
  decodeState,
  encodeRegister,
  encodeState,
  looksLikeRegister,
  type Register,
  RENDEZVOUS_TYPE,
  type RoomState,
} from '../../src/rendezvous/protocol.ts';
import { type RendezvousAction, type RendezvousOptions, RendezvousServer } from '../../src/rendezvous/server.ts';
import { seededRandom } from '../../src/lab/random.ts';
import type { Endpoint } from '../../src/net/address.ts';
import { type Decoded, decode, encode, mappedAddress, METHOD } from '../../src/stun/message.ts';
import { createStunServer, respond } from '../../src/stun/server.ts';

const random = seededRandom(1, 'rendezvous');
const endpoints = {
  A1P1: { address: '40.30.20.10', port: 3478 },
  A1P2: { address: '40.30.20.10', port: 3479 },
  A2P1: { address: '40.30.20.11', port: 3478 },
  A2P2: { address: '40.30.20.11', port: 3479 },
};
const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
const text = (of: string): Uint8Array => new TextEncoder().encode(of);

const register = (over: Partial<Register> = {}): Register => ({
  room: bytes(16, 1),
  member: bytes(16, 1),
  sequence: 1,
  heard: 0,
  cookie: bytes(8, 0),
  bye: false,
  payload: text('a'),
  ...over,
});
const packet = (of: Register): Uint8Array =>
  encode({
    class: 'request',
    method: METHOD.binding,
    transactionId: random.bytes(12),
    attributes: [encodeRegister(of)],
  });

const A: Endpoint = { address: '12.13.14.15', port: 24604 };
const B: Endpoint = { address: '22.23.24.25', port: 24604 };
const C: Endpoint = { address: '32.33.34.35', port: 1 };

class Desk {
  readonly server: RendezvousServer;
  constructor(options: Partial<RendezvousOptions> = {}) {
    this.server = new RendezvousServer({ endpoints, random: seededRandom(2, 'server'), ...options });
  }
  send(from: Endpoint, of: Partial<Register>, now = 0) {
    return read(this.server.handle({ role: 'A1P1', from, data: packet(register(of)) }, now));
  }
}

const read = (
  actions: readonly RendezvousAction[],
): { to: Endpoint; message: Decoded; state: RoomState; length: number }[] =>
  actions.map(({ to, data }) => {
    const message = decode(data);
    const state = decodeState(message);
    if (!state) throw new Error('an answer without a state');
    return { to, message, state, length: data.length };
  });

const one = bytes(16, 1);
const two = bytes(16, 2);

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
});

describe('the rendezvous server', () => {
  it('answers each register as STUN, and tells both at the same instant where it saw the other', () => {
    const desk = new Desk();
    const [waiting] = desk.send(A, { member: one, payload: text('from A') });
    expect(waiting).toMatchObject({
      to: A,
      state: {
        status: 'waiting',
        stored: 1,
        alternates: [endpoints.A1P2, endpoints.A2P1, endpoints.A2P2],
        peer: undefined,
      },
    });
    expect(mappedAddress(waiting?.message as Decoded)).toEqual(A);
    const answers = desk.send(B, { member: two, payload: text('from B') }, 1000);
    expect(answers).toMatchObject([
      {
        to: B,
        message: { class: 'success' },
        state: { status: 'paired', peer: { member: one, observed: A, payload: text('from A') } },
      },
      {
        to: A,
        message: { class: 'indication' },
        state: { status: 'paired', peer: { member: two, observed: B, payload: text('from B') } },
      },
    ]);
  });

  it('tells again what was not acknowledged, a few times, and not what was', () => {
    const desk = new Desk();
    for (let i = 0; i < 5; i++) desk.send(A, { member: one }, i);
    desk.send(B, { member: two }, 10);
    let now = 10;
    const times: number[] = [];
    for (let at = desk.server.wakeAt(); at !== undefined; at = desk.server.wakeAt()) {
      expect(at).toBeGreaterThan(now);
      now = at;
      if (desk.server.wake(now).length > 0) times.push(now - 10);
    }
    expect(times).toEqual([60, 180, 420, 900, 1860]);
    const acked = new Desk();
    acked.send(A, { member: one });
    acked.send(B, { member: two }, 10);
    acked.send(A, { member: one, heard: 1 }, 20);
    expect(acked.server.wake(70)).toEqual([]);
    expect(acked.server.wakeAt()).toBeUndefined();
  });

  it('passes on what is new, and only that', () => {
    const desk = new Desk();
    desk.send(A, { member: one });
    desk.send(B, { member: two });
    desk.send(A, { member: one, heard: 1 });
    expect(desk.send(B, { member: two, heard: 1 })).toHaveLength(1);
    const told = desk.send(B, { member: two, heard: 1, sequence: 2, payload: text('more') });
    expect(told).toMatchObject([
      { to: B, state: { peer: undefined, stored: 2 } },
      { to: A, state: { peer: { sequence: 2, payload: text('more') } } },
    ]);
    // An old packet that was overtaken changes nothing.
    expect(desk.send(B, { member: two, heard: 1, sequence: 1, payload: text('old') })).toMatchObject([
      { state: { stored: 2 } },
    ]);
  });

  it('refuses a third member and tells it nothing', () => {
    const desk = new Desk();
    desk.send(A, { member: one });
    desk.send(B, { member: two });
    expect(desk.send(C, { member: bytes(16, 3) })).toMatchObject([
      { to: C, state: { status: 'full', peer: undefined, alternates: [] } },
    ]);
  });

  it('serves a room once', () => {
    const desk = new Desk();
    desk.send(A, { member: one });
    desk.send(B, { member: two });
    desk.send(A, { member: one, bye: true, sequence: 0 });
    desk.send(B, { member: two, bye: true, sequence: 0 });
    expect(desk.send(C, { member: bytes(16, 3) }, 1000)).toMatchObject([{ state: { status: 'used' } }]);
    expect(desk.send(C, { member: bytes(16, 3) }, 700_000)).toMatchObject([{ state: { status: 'waiting' } }]);
    // One that nobody came to can be used again.
    const other = new Desk();
    other.send(A, { member: one });
    other.send(A, { member: one, bye: true, sequence: 0 });
    expect(other.send(B, { member: two })).toMatchObject([{ state: { status: 'waiting' } }]);
  });

  it('closes a room a minute after its members met, and forgets one that fell silent', () => {
    const desk = new Desk();
    desk.send(A, { member: one });
    desk.send(B, { member: two });
    for (let now = 5_000; now < 60_000; now += 5_000) desk.send(A, { member: one, heard: 1 }, now);
    expect(desk.send(A, { member: one, heard: 1 }, 61_000)).toMatchObject([{ state: { status: 'used' } }]);
    const silent = new Desk();
    silent.send(A, { member: one });
    expect(silent.send(B, { member: two }, 20_000)).toMatchObject([{ state: { status: 'waiting' } }]);
  });

  it('never sends an address more than came from there, whatever is sent in its name', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            from: fc.constantFrom(A, B, C),
            member: fc.integer({ min: 1, max: 3 }),
            sequence: fc.integer({ min: 1, max: 9 }),
            heard: fc.nat(9),
            bye: fc.boolean(),
            size: fc.nat(900),
            wait: fc.nat(2000),
          }),
          { maxLength: 60 },
        ),
        (steps) => {
          const { server } = new Desk();
          const balance = new Map<string, number>();
          let now = 0;
          const book = (actions: readonly RendezvousAction[]): void => {
            for (const { to, data } of actions) balance.set(to.address, (balance.get(to.address) ?? 0) - data.length);
            for (const left of balance.values()) expect(left).toBeGreaterThanOrEqual(0);
          };
          for (const { from, member, size, wait, ...rest } of steps) {
            const data = packet(register({ ...rest, member: bytes(16, member), payload: bytes(size, 0) }));
            balance.set(from.address, (balance.get(from.address) ?? 0) + data.length);
            book(server.handle({ role: 'A1P1', from, data }, now));
            for (let at = server.wakeAt(); at !== undefined && at <= now + wait; at = server.wakeAt())
              book(server.wake(at));
            now += wait;
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('bounds its memory under a flood of rooms, and keeps those whose members hear it', () => {
    const desk = new Desk({ rooms: 1000 });
    const [first] = desk.send(A, { member: one });
    desk.send(A, { member: one, cookie: first?.state.cookie ?? bytes(8, 0) });
    for (let i = 0; i < 20_000; i++) {
      const room = bytes(16, 9);
      new DataView(room.buffer).setUint32(0, i);
      const from = {
        address: `${1 + (i % 200)}.${(i >> 3) & 255}.${(i >> 9) & 255}.${i & 255}`,
        port: 1024 + (i % 60_000),
      };
      desk.server.handle({ role: 'A1P1', from, data: packet(register({ room, member: two })) }, i / 100);
    }
    expect(desk.server.size).toBeLessThanOrEqual(1000);
    expect(desk.send(B, { member: two }, 1001)).toMatchObject([{ to: B, state: { status: 'paired' } }, { to: A }]);
  });

  it('limits the rate of a source', () => {
    const desk = new Desk({ limit: { perSecond: 10, burst: 20 } });
    for (let i = 0; i < 100; i++) desk.send(A, { member: one });
    expect(desk.server.counters).toMatchObject({ received: 100, answered: 20, limited: 80 });
  });

  it('drops what is malformed', () => {
    const { server } = new Desk();
    const whole = packet(register());
    for (const data of [
      whole.slice(0, 100),
      bytes(40, 0),
      encode({
        class: 'request',
        method: METHOD.binding,
        transactionId: bytes(12, 0),
        attributes: [{ name: undefined, type: RENDEZVOUS_TYPE, value: bytes(20, 1) }],
      }),
    ]) {
      expect(server.handle({ role: 'A1P1', from: A, data }, 0)).toEqual([]);
    }
    expect(server.counters.malformed).toBe(3);
  });
});

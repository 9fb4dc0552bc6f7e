import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RENDEZVOUS_TYPE } from '../../src/rendezvous/protocol.ts';
import type { RendezvousAction } from '../../src/rendezvous/server.ts';
import { type Decoded, encode, mappedAddress, METHOD } from '../../src/stun/message.ts';
import {
  A,
  B,
  bytes,
  C,
  Desk,
  endpoints,
  one,
  packet,
  read,
  register,
  roomLimits,
  spot,
  text,
  three,
  two,
} from './wire.ts';

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
    desk.confirm(A, { member: one, payload: text('from A') });
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
    for (let i = 0; i < 3; i++) desk.confirm(A, { member: one }, i);
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
    acked.confirm(A, { member: one });
    acked.send(B, { member: two }, 10);
    expect(acked.server.wakeAt()).toBe(70);
    acked.send(A, { member: one, heard: 1 }, 20);
    expect(acked.server.wake(70)).toEqual([]);
    expect(acked.server.wakeAt()).toBeUndefined();
  });

  it('passes on what is new, and only that', () => {
    const desk = new Desk();
    desk.confirm(A, { member: one });
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
    expect(desk.send(C, { member: three })).toMatchObject([
      { to: C, state: { status: 'full', peer: undefined, alternates: [] } },
    ]);
  });

  it('serves a room once', () => {
    const desk = new Desk();
    desk.confirm(A, { member: one });
    desk.confirm(B, { member: two });
    desk.send(A, { member: one, bye: true, sequence: 0 });
    desk.send(B, { member: two, bye: true, sequence: 0 });
    expect(desk.send(C, { member: three }, 1000)).toMatchObject([{ state: { status: 'used' } }]);
    expect(desk.send(C, { member: three }, 700_000)).toMatchObject([{ state: { status: 'waiting' } }]);
    // One that nobody came to can be used again.
    const other = new Desk();
    other.send(A, { member: one });
    other.send(A, { member: one, bye: true, sequence: 0 });
    expect(other.send(B, { member: two })).toMatchObject([{ state: { status: 'waiting' } }]);
  });

  it('closes a room a minute after its members met, and forgets one that fell silent', () => {
    const desk = new Desk();
    desk.confirm(A, { member: one });
    desk.confirm(B, { member: two });
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
            book(server.handle({ spot: spot(), from, data }, now));
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
    const desk = new Desk({ rooms: roomLimits(1000) });
    const [first] = desk.send(A, { member: one });
    desk.send(A, { member: one, cookie: first?.state.cookie ?? bytes(8, 0) });
    for (let i = 0; i < 20_000; i++) {
      const room = bytes(16, 9);
      new DataView(room.buffer).setUint32(0, i);
      const from = {
        address: `${1 + (i % 200)}.${(i >> 3) & 255}.${(i >> 9) & 255}.${i & 255}`,
        port: 1024 + (i % 60_000),
      };
      desk.server.handle({ spot: spot(), from, data: packet(register({ room, member: two })) }, i / 100);
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
      expect(server.handle({ spot: spot(), from: A, data }, 0)).toEqual([]);
    }
    expect(server.counters.malformed).toBe(3);
  });

  describe('the cookie', () => {
    /** Rooms for two; A's room is the older one. Who is thrown out when a third room is opened? */
    const survivor = (cookieOf: (given: Uint8Array) => Uint8Array, from = A): boolean => {
      const desk = new Desk({ rooms: roomLimits(2) });
      const [given] = desk.send(A, { member: one });
      desk.send(from, { member: one, cookie: cookieOf(given?.state.cookie ?? bytes(8, 0)) });
      desk.send(C, { room: bytes(16, 8) });
      desk.send(C, { room: bytes(16, 9) });
      return desk.send(B, { member: two })[0]?.state.status === 'paired';
    };

    it('that was given shows that a member hears us; its room outlives younger ones', () => {
      expect(survivor((given) => given)).toBe(true);
    });

    it('is right in all its bytes or not at all', () => {
      expect(survivor(() => bytes(8, 0))).toBe(false);
      for (let at = 0; at < 8; at++)
        expect(survivor((given) => given.map((byte, i) => (i === at ? byte ^ 1 : byte)))).toBe(false);
    });

    it('is for one address and one port', () => {
      const cookies = [A, { ...A, port: 1 }, { ...A, address: B.address }].map(
        (from) => new Desk().send(from, {})[0]?.state.cookie,
      );
      expect(new Set(cookies.map(String)).size).toBe(3);
      expect(cookies.map((each) => each?.length)).toEqual([8, 8, 8]);
      expect(survivor((given) => given, { ...A, port: 1 })).toBe(false);
    });
  });

  it('gives up the rooms of those who have not shown that they hear it, oldest first, then those of the heaviest source', () => {
    const desk = new Desk({ rooms: roomLimits(3) });
    const [room1, room2, room3, room4] = [bytes(16, 11), bytes(16, 12), bytes(16, 13), bytes(16, 14)] as const;
    desk.confirm(A, { room: room1 });
    desk.send(B, { room: room2 });
    desk.send(B, { room: room3 });
    desk.send(B, { room: room4 });
    expect(desk.server.counters.evicted).toBe(1);
    expect(desk.send(C, { room: room4, member: two })[0]?.state.status).toBe('paired');
    const closed = new Desk({ rooms: roomLimits(2) });
    closed.confirm(A, { room: room1 });
    closed.confirm(B, { room: room1, member: two });
    closed.send(A, { room: room1, bye: true, sequence: 0 });
    closed.send(B, { room: room1, member: two, bye: true, sequence: 0 });
    closed.confirm(A, { room: room2 });
    closed.confirm(A, { room: room3 });
    expect(closed.server.counters.evicted).toBe(1);
    expect(closed.server.size).toBe(2);
    // Who has shown nothing yet displaces nobody who has, and is told how to show it.
    expect(closed.send(C, { room: room4 })).toMatchObject([{ to: C, state: { status: 'waiting', stored: 0 } }]);
    expect([closed.server.counters.evicted, closed.server.size]).toEqual([1, 2]);
    expect(closed.confirm(C, { room: room4 }).told).toMatchObject([{ to: C, state: { status: 'waiting', stored: 1 } }]);
    expect([closed.server.counters.evicted, closed.server.size]).toEqual([2, 2]);
    expect(closed.send(B, { room: room2, member: two })).toMatchObject([{ state: { status: 'waiting' } }]);
  });

  it('a goodbye opens no room, joins none, and is told to the one who stays', () => {
    const desk = new Desk();
    expect(desk.send(A, { bye: true, sequence: 0 })).toMatchObject([{ state: { status: 'left' } }]);
    expect(desk.server.size).toBe(0);
    desk.confirm(A, {});
    expect(desk.send(B, { member: two, bye: true, sequence: 0 })).toMatchObject([{ to: B, state: { status: 'left' } }]);
    desk.send(B, { member: two });
    desk.send(A, { heard: 1 });
    const told = desk.send(B, { member: two, heard: 1, bye: true, sequence: 0 });
    expect(told).toMatchObject([
      { to: B, state: { status: 'paired' } },
      { to: A, message: { class: 'indication' }, state: { status: 'left', peer: undefined } },
    ]);
    // And nobody tells the one who left anything.
    expect(desk.send(A, { heard: 1, sequence: 2, payload: text('b') })).toHaveLength(1);
  });

  it('tells a peer that has not heard of a member yet where that one has moved to, and sends its news there', () => {
    const desk = new Desk();
    const { cookie } = desk.confirm(A, {});
    const other = desk.confirm(B, { member: two });
    // B may be told as much again as it sends.
    desk.send(B, { member: two });
    const [answer, push] = desk.send(C, { heard: 1, cookie });
    expect(answer).toMatchObject({ to: C, state: { status: 'paired', peer: undefined } });
    expect(push).toMatchObject({ to: B, state: { peer: { member: one, observed: C } } });
    // Nothing unasked goes to where nobody has shown to hear it.
    const more = { member: two, heard: 1, cookie: other.cookie };
    expect(desk.send(B, { ...more, sequence: 2 }).map(({ to }) => to)).toEqual([B]);
    expect(desk.send(C, { heard: 1, cookie: answer?.state.cookie ?? cookie })).toMatchObject([
      { to: C, state: { peer: { sequence: 2 } } },
    ]);
    desk.send(C, { heard: 2 });
    expect(desk.send(B, { ...more, sequence: 3 }).map(({ to }) => to)).toEqual([B, C]);
    // Nothing is left to tell.
    expect(desk.send(C, { heard: 3 })).toHaveLength(1);
    expect(desk.server.wakeAt()).toBeUndefined();
  });

  describe('a member that has shown to hear us', () => {
    const met = () => {
      const desk = new Desk();
      const a = desk.confirm(A, { payload: text('from A') });
      const b = desk.confirm(B, { member: two, payload: text('from B') });
      desk.send(A, { heard: 1 });
      desk.send(B, { member: two, heard: 1 });
      return { desk, a: a.cookie, b: b.cookie };
    };

    it.each([
      ['says goodbye', { bye: true, sequence: 0 }],
      ['jumps ahead', { sequence: 65_535, payload: text('forged') }],
      ['moves', {}],
      ['moves back', { sequence: 1 }],
    ] as const)('is not impersonated: nobody else %s in its name', (_, over) => {
      const { desk, b } = met();
      const others = [bytes(8, 0), desk.confirm(C, { room: bytes(16, 8) }).cookie, b];
      // By the same member in another room, too.
      others.push(desk.confirm(C, { room: bytes(16, 9), member: one }).cookie);
      for (const cookie of others) {
        const told = desk.send(C, { ...over, cookie });
        // It learns nothing, not even a cookie.
        expect(told).toMatchObject([{ to: C, state: { status: 'paired', peer: undefined, cookie, alternates: [] } }]);
      }
      // Nothing has changed for those two.
      expect(desk.send(B, { member: two, heard: 1, sequence: 2 })).toMatchObject([
        { to: B, state: { status: 'paired', peer: undefined } },
        { to: A, state: { status: 'paired', peer: { sequence: 2 } } },
      ]);
      expect(desk.send(A, { heard: 2, sequence: 2, payload: text('more') })).toMatchObject([
        { to: A, state: { stored: 2 } },
        { to: B, state: { peer: { sequence: 2, payload: text('more') } } },
      ]);
    });

    it('may move, tell news and say goodbye from anywhere with its cookie, or from where it is without', () => {
      const { desk, a, b } = met();
      expect(desk.send(C, { cookie: a, heard: 1, sequence: 2 })).toMatchObject([
        { to: C, state: { stored: 2 } },
        { to: B, state: { peer: { sequence: 2, observed: C } } },
      ]);
      const elsewhere = { address: '42.43.44.45', port: 7 };
      // The cookie of where it was last is as good as the first.
      expect(desk.send(elsewhere, { cookie: a, heard: 1, sequence: 3 })[1]?.state.peer?.observed).toEqual(elsewhere);
      expect(desk.send(B, { member: two, bye: true, sequence: 0 })[0]?.state.status).toBe('paired');
      expect(desk.send({ ...C, port: 2 }, { cookie: a, bye: true, sequence: 0 })).toMatchObject([
        { state: { status: 'left' } },
      ]);
      expect(desk.send(C, { member: three, cookie: b })[0]?.state.status).toBe('used');
    });

    it('was told nothing before: then it moves with the cookie of where it is now', () => {
      const desk = new Desk();
      desk.send(A, {});
      const [told] = desk.send(C, { sequence: 2 });
      expect(told?.state).toMatchObject({ status: 'waiting', stored: 1 });
      expect(desk.send(C, { sequence: 2, cookie: told?.state.cookie ?? bytes(8, 0) })[0]?.state.stored).toBe(2);
    });
  });

  it('tells nobody unasked who has not shown to hear it, and pairs none of them', () => {
    const desk = new Desk();
    desk.send(A, {});
    expect(desk.send(B, { member: two })).toHaveLength(1);
    expect(desk.send(A, { sequence: 2 })).toHaveLength(1);
    expect(desk.server.wakeAt()).toBeUndefined();
    expect(desk.server.counters).toMatchObject({ pushed: 0, paired: 0 });
    desk.confirm(A, { sequence: 2 });
    expect(desk.server.counters).toMatchObject({ paired: 0 });
    desk.confirm(B, { member: two });
    expect(desk.server.counters).toMatchObject({ paired: 1 });
  });

  it('answers no more than was paid for: without the peer where the relay is told at length', () => {
    const servers = Array.from({ length: 16 }, (_, i) => ({
      transport: 'udp' as const,
      endpoint: { address: `2001:db8::${i + 1}`, port: 3478 },
    }));
    const desk = new Desk({ relays: () => servers });
    desk.send(B, { member: two, payload: bytes(900, 7) });
    // The first answer has told of the peer, and cost most of what the first register paid.
    expect(desk.confirm(A, {}).told).toMatchObject([{ length: 52, state: { status: 'paired', peer: undefined } }]);
    expect(desk.send(A, { cookie: bytes(8, 0) })).toMatchObject([{ state: { peer: { payload: bytes(900, 7) } } }]);
  });

  it('tells unasked only what was paid for, to the byte', () => {
    const pushed = (size: number): (number | undefined)[] => {
      const desk = new Desk();
      desk.confirm(A, {});
      return [900, 900, size].map(
        (payload, i) => desk.send(B, { member: two, sequence: i + 1, payload: bytes(payload, 7) })[1]?.length,
      );
    };
    // Two registers of 1124 bytes pay for two answers of 72 and for these.
    expect(pushed(43)).toEqual([988, 988, 2 * 1124 - 2 * 72 - 2 * 988]);
    expect(pushed(44)).toEqual([988, 988, undefined]);
  });

  it('answers by the role that was asked, and names the others', () => {
    const desk = new Desk();
    const [asked] = read(desk.server.handle({ spot: spot('A2P1'), from: A, data: packet(register()) }, 0));
    expect(asked).toMatchObject({
      viaRole: 'A2P1',
      state: { alternates: [endpoints.A1P1, endpoints.A1P2, endpoints.A2P2] },
    });
    const cookie = asked?.state.cookie ?? bytes(8, 0);
    desk.server.handle({ spot: spot('A2P1'), from: A, data: packet(register({ cookie })) }, 0);
    const [, push] = desk.send(B, { member: two });
    expect(push).toMatchObject({ to: A, viaRole: 'A2P1' });
  });

  it('shows an address without its IPv4-mapped form', () => {
    const desk = new Desk();
    const mapped = { address: '::ffff:12.13.14.15', port: 24604 };
    const [answer] = desk.send(mapped, {});
    expect(answer?.to).toEqual(mapped);
    expect(mappedAddress(answer?.message as Decoded)).toEqual(A);
    expect(desk.send(B, { member: two })[0]?.state.peer?.observed).toEqual(A);
  });

  it('counts what it did', () => {
    const desk = new Desk();
    desk.confirm(A, {});
    desk.confirm(B, { member: two });
    desk.send(C, { member: three });
    desk.server.handle({ spot: spot(), from: C, data: bytes(3, 0) }, 0);
    expect(desk.server.counters).toEqual({
      received: 6,
      answered: 5,
      limited: 0,
      malformed: 1,
      pushed: 1,
      paired: 1,
      evicted: 0,
    });
  });

  it('takes no answer for a register', () => {
    const { server } = new Desk();
    const data = packet(register());
    // The class and method bits of the STUN header.
    for (const [high, low] of [
      [1, 1],
      [0, 0x11],
      [0, 3],
    ] as const) {
      const other = data.slice();
      [other[0], other[1]] = [high, low];
      expect(server.handle({ spot: spot(), from: A, data: other }, 0)).toEqual([]);
    }
    expect(server.counters.malformed).toBe(3);
  });

  it('lets a used name go after ten minutes, and a room after fifteen silent seconds', () => {
    const desk = new Desk();
    desk.confirm(A, {});
    expect(desk.confirm(B, { member: two }, 14_999).told).toMatchObject([{ state: { status: 'paired' } }]);
    const met = 14_999;
    expect(desk.send(A, {}, met + 14_999)[0]?.state.status).toBe('paired');
    // The members have been silent since: the room is closed, for it has served them.
    const closedAt = met + 14_999 + 15_000;
    expect(desk.send(C, { member: three }, closedAt)[0]?.state.status).toBe('used');
    expect(desk.send(C, { member: three }, closedAt + 599_999)[0]?.state.status).toBe('used');
    expect(desk.send(C, { member: three }, closedAt + 600_000)[0]?.state.status).toBe('waiting');
    expect(desk.server.size).toBe(1);
  });
});

import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/net/address.ts';
import type { RoomLimits } from '../../src/rendezvous/rooms.ts';
import { WorkCounter } from '../fuzz/work.ts';
import { A, B, bytes, Desk, packet, register, roomLimits, spot, text, three, two } from './wire.ts';

const NO_LIMIT = { perSecond: Number.POSITIVE_INFINITY, burst: 1 };
const numbered = (number: number): Uint8Array => {
  const room = bytes(16, 9);
  new DataView(room.buffer).setUint32(0, number);
  return room;
};

/** So many rooms, in each two who hear us and are owed news. */
function crowd(count: number): Desk {
  const desk = new Desk({ limit: NO_LIMIT, rooms: roomLimits(count + 10) });
  for (let i = 0; i < count; i++) {
    const room = numbered(i);
    desk.confirm({ ...A, port: 1 + (i % 60_000) }, { room });
    desk.confirm({ ...B, port: 1 + (i % 60_000) }, { room, member: two });
  }
  return desk;
}

describe('the work of the rendezvous server', () => {
  it('is the same however many rooms have something to tell, for a packet and for a wake', async () => {
    const [few, many] = [crowd(200), crowd(3_000)];
    const counter = new WorkCounter();
    try {
      const works = async (desk: Desk): Promise<number[]> => {
        const ask = (over = {}): void => {
          const data = packet(register({ room: numbered(100), member: three, ...over }));
          desk.server.handle({ spot: spot(), from: { ...A, port: 9 }, data }, 1);
          desk.server.wakeAt();
        };
        const wake = (): void => {
          expect(desk.server.wake(60)).toHaveLength(32);
          desk.server.wakeAt();
        };
        const all = [ask, () => ask({ room: numbered(77_777) }), () => ask({ member: two, sequence: 2 }), wake, wake];
        const counts: number[] = [];
        for (const work of all) counts.push(await counter.count(work));
        return counts;
      };
      await works(crowd(100));
      const [small, large] = [await works(few), await works(many)];
      for (const [i, count] of small.entries()) {
        expect(count).toBeGreaterThan(20);
        expect(large[i], `${small} ${large}`).toBeLessThan(1.1 * count + 20);
      }
    } finally {
      counter.stop();
    }
  });

  it('is done a little at a time, and all of it', () => {
    const desk = crowd(100);
    let wakes = 0;
    for (let at = desk.server.wakeAt(); at !== undefined && at <= 60; at = desk.server.wakeAt()) {
      expect(desk.server.wake(60).length).toBeLessThanOrEqual(32);
      wakes++;
    }
    // The first of each pair was told.
    expect([desk.server.counters.pushed, wakes]).toEqual([200, 4]);
  });
});

describe('a server under attack', () => {
  /** One register of each source in turn, 20 ms apart for each; each room is opened, then claimed. */
  class Attack {
    readonly #desk: Desk;
    readonly #sources: readonly Endpoint[];
    #sent = 0;
    #cookie: Uint8Array | undefined;

    constructor(desk: Desk, addresses: readonly string[]) {
      this.#desk = desk;
      this.#sources = addresses.map((address) => ({ address, port: 7 }));
    }

    until(now: number): void {
      for (const gap = 20 / this.#sources.length; this.#sent * gap < now; this.#sent++) {
        const room = numbered(this.#sent >> 1);
        const from = this.#sources[(this.#sent >> 1) % this.#sources.length] as Endpoint;
        const cookie = this.#sent % 2 === 1 ? this.#cookie : undefined;
        const told = this.#desk.send(from, { room, member: two, ...(cookie && { cookie }) }, this.#sent * gap);
        this.#cookie = told[0]?.state.cookie;
      }
    }
  }

  const fifty = (address: (i: number) => string): string[] => Array.from({ length: 50 }, (_, i) => address(i));
  const small: RoomLimits = { total: 150, ofSource: 6, ofNetwork: 30 };

  it.each([
    ['50 /64s of one host', fifty((i) => `2001:db8:7:${i.toString(16)}::1`), small, 30],
    ['50 /48s', fifty((i) => `2001:db8:${i.toString(16)}::1`), small, 150],
    ['50 neighbours', fifty((i) => `198.51.100.${i}`), small, 30],
    ['50 far apart', fifty((i) => `198.51.${i}.1`), small, 150],
    ['50 where every limit is wide', fifty((i) => `198.51.${i}.1`), roomLimits(150), 150],
  ] as const)(
    'of %s keeps a place for those who hold none, and for as long as they need it',
    (_, sources, rooms, most) => {
      const desk = new Desk({ rooms });
      const attack = new Attack(desk, sources);
      let now = 500;
      attack.until(now);
      for (let i = 0; i < 20; i++) {
        const room = bytes(16, 100 + i);
        const [a, b] = [
          { address: `203.0.113.${i}`, port: 5 },
          { address: `192.0.2.${i}`, port: 5 },
        ];
        const later = (): number => {
          now += 40;
          attack.until(now);
          return now;
        };
        const cookie = desk.send(a, { room, payload: text('from A') }, later())[0]?.state.cookie as Uint8Array;
        expect(desk.send(a, { room, cookie, payload: text('from A') }, later())).toMatchObject([
          { state: { status: 'waiting', stored: 1 } },
        ]);
        now += 400;
        attack.until(now);
        expect(desk.send(b, { room, member: two, payload: text('from B') }, later())).toMatchObject([
          { to: b, state: { status: 'paired', peer: { payload: text('from A') } } },
          { to: a, state: { status: 'paired', peer: { payload: text('from B') } } },
        ]);
      }
      expect(desk.server.size).toBeGreaterThan(most - 2);
      expect(desk.server.size).toBeLessThan(most + 40);
    },
  );

  it('of forged pairs has nothing to tell anybody, and displaces nobody who hears it', () => {
    const desk = new Desk({ limit: NO_LIMIT, rooms: roomLimits(300) });
    desk.confirm(A, {});
    for (let i = 0; i < 1_500; i++) {
      const from = (j: number): Endpoint => ({ address: `198.${i & 255}.${i >> 8}.${j}`, port: 7 });
      for (const [j, member] of [two, three].entries())
        expect(desk.send(from(j), { room: numbered(i), member }, i / 3)).toHaveLength(1);
    }
    expect(desk.server.wakeAt()).toBeUndefined();
    expect([desk.server.size, desk.server.counters.paired, desk.server.counters.pushed]).toEqual([300, 0, 0]);
    expect(desk.send(B, { member: two }, 600)).toMatchObject([{ state: { status: 'paired' } }, { to: A }]);
  });
});

import { describe, expect, it } from 'vitest';
import { enter, type Member, type Room, Rooms, update } from '../../src/rendezvous/rooms.ts';
import { A, B, one, register, spot, text, two } from './wire.ts';

const forgotten: string[] = [];
const roomsOf = (most: number): Rooms => {
  forgotten.length = 0;
  return new Rooms(most, ({ name }) => forgotten.push(name));
};
const create = (rooms: Rooms, name: string, over: Partial<Member> = {}): Room => {
  const room = rooms.create(name, over.confirmed ?? false);
  if (!room) throw new Error('no room');
  Object.assign(enter(room, { id: 'one', bytes: one, endpoint: A, spot: spot() }), over);
  rooms.touch(room);
  return room;
};

describe('rooms', () => {
  it('are found by name until they expire', () => {
    const rooms = roomsOf(10);
    const room = create(rooms, 'a');
    expect(rooms.find('a', 0)).toBe(room);
    expect(rooms.find('b', 0)).toBeUndefined();
    rooms.expire(14_999);
    expect(rooms.find('a', 14_999)).toBe(room);
    rooms.expire(15_000);
    expect(rooms.find('a', 15_000)).toBeUndefined();
    expect([rooms.size, forgotten]).toEqual([0, ['a']]);
  });

  it('expire by whoever of the two spoke last, in both queues, and only those that are due', () => {
    const rooms = roomsOf(10);
    create(rooms, 'old', { confirmed: true });
    create(rooms, 'older');
    const room = create(rooms, 'young', { seenAt: 1000 });
    enter(room, { id: 'two', bytes: two, endpoint: B, spot: spot() }).seenAt = 2000;
    rooms.expire(15_000);
    expect([...forgotten].sort()).toEqual(['old', 'older']);
    rooms.expire(16_999);
    expect(rooms.find('young', 16_999)).toBe(room);
    rooms.expire(17_000);
    expect(rooms.size).toBe(0);
  });

  it('are used up a minute after their members met, and their names free ten minutes later', () => {
    const rooms = roomsOf(10);
    const room = create(rooms, 'a', { seenAt: 60_000 });
    room.pairedAt = 1000;
    expect(rooms.find('a', 60_999)).toBe(room);
    expect(rooms.find('a', 61_000)).toBe('used');
    expect(forgotten).toEqual(['a']);
    expect(rooms.find('a', 660_999)).toBe('used');
    expect(rooms.find('a', 661_000)).toBeUndefined();
    rooms.expire(660_999);
    expect(rooms.size).toBe(1);
    rooms.expire(661_000);
    expect(rooms.size).toBe(0);
    // Also where nobody asks.
    const other = create(rooms, 'b', { seenAt: 60_000 });
    other.pairedAt = 0;
    rooms.expire(60_000);
    expect(rooms.find('b', 60_000)).toBe('used');
  });

  it('make place for one more: the longest unused of those whose members do not hear us, then used names', () => {
    const rooms = roomsOf(3);
    const first = create(rooms, 'first');
    create(rooms, 'second');
    create(rooms, 'heard', { confirmed: true });
    rooms.touch(first);
    expect(rooms.create('fourth', true)).toBeDefined();
    expect([forgotten, rooms.evicted, rooms.size]).toEqual([['second'], 1, 3]);
    rooms.close(first, 0);
    expect(rooms.size).toBe(3);
    expect(rooms.create('fifth', true)).toBeDefined();
    expect(rooms.find('first', 1)).toBeUndefined();
    expect([rooms.evicted, rooms.size]).toEqual([2, 3]);
    // Only open rooms of those who hear us are left.
    expect(rooms.create('sixth', true)).toBeUndefined();
    expect([rooms.evicted, rooms.size]).toEqual([2, 3]);
  });

  it('take in an unconfirmed member without a better claim than before, and a confirmed one with it', () => {
    const rooms = roomsOf(2);
    const room = create(rooms, 'a');
    enter(room, { id: 'two', bytes: two, endpoint: B, spot: spot() }).confirmed = true;
    rooms.touch(room);
    create(rooms, 'b');
    create(rooms, 'c');
    expect(forgotten).toEqual(['b']);
  });
});

describe('a member', () => {
  const member = (): Member =>
    enter({ name: '', members: [], pairedAt: undefined }, { id: '', bytes: one, endpoint: A, spot: spot() });
  const tell = (of: Member, over: Partial<Parameters<typeof update>[1]> = {}): boolean =>
    update(of, { from: A, spot: spot(), register: register(), confirmed: false, bytes: 100, now: 1, ...over });

  it('earns what it sends, from one address', () => {
    const of = member();
    tell(of);
    tell(of);
    expect(of).toMatchObject({ credit: 200, seenAt: 1, endpoint: A });
    tell(of, { from: { ...A, port: 1 }, bytes: 7, spot: spot('A2P1'), now: 2 });
    expect(of).toMatchObject({ credit: 7, seenAt: 2, endpoint: { ...A, port: 1 }, spot: { role: 'A2P1' } });
  });

  it('has news when its payload, its place or its mind has changed', () => {
    const of = member();
    expect(tell(of)).toBe(true);
    expect(tell(of)).toBe(false);
    expect(tell(of, { register: register({ sequence: 2, payload: text('b') }) })).toBe(true);
    expect(of).toMatchObject({ sequence: 2, payload: text('b') });
    expect(tell(of)).toBe(false);
    expect(of.payload).toEqual(text('b'));
    expect(tell(of, { from: B })).toBe(true);
    expect(tell(of, { from: B })).toBe(false);
    expect(tell(of, { from: B, register: register({ bye: true, sequence: 0 }) })).toBe(true);
    // One that has told nothing has no news wherever it is.
    expect(tell(member(), { from: B, register: register({ sequence: 0 }) })).toBe(false);
  });

  it('remembers the most it ever heard, that it was confirmed, and that it left', () => {
    const of = member();
    tell(of, { confirmed: true, register: register({ heard: 3, bye: true }) });
    tell(of, { register: register({ heard: 2 }) });
    expect(of).toMatchObject({ heard: 3, confirmed: true, left: true });
  });
});

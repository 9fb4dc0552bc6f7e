import { describe, expect, it } from 'vitest';
import { enter, type Member, peerOf, Room, type RoomLimits, Rooms, update } from '../../src/rendezvous/rooms.ts';
import { A, B, bytes, one, register, spot, text, two } from './wire.ts';

const cookie = bytes(8, 0xcc);
const forgotten: string[] = [];
const roomsOf = (total: number, over: Partial<RoomLimits> = {}): Rooms => {
  forgotten.length = 0;
  return new Rooms({ total, ofSource: 100, ofNetwork: 100, ...over }, ({ name }) => forgotten.push(name));
};
/** With a member; `address`: where it has shown to hear us. */
const create = (rooms: Rooms, name: string, address?: string, now = 0): Room => {
  const room = rooms.create(name, address, now);
  if (!room) throw new Error('no room');
  enter(room, { id: 'one', bytes: one, endpoint: A, spot: spot(), cookie });
  return room;
};
const names = (rooms: Rooms, all: string): string => [...all].filter((each) => rooms.find(each, 0)).join('');

describe('rooms', () => {
  it('are found by name until they were silent for fifteen seconds', () => {
    const rooms = roomsOf(10);
    const room = create(rooms, 'a');
    expect(rooms.find('a', 0)).toBe(room);
    expect(rooms.find('b', 0)).toBeUndefined();
    expect(rooms.find('a', 14_999)).toBe(room);
    rooms.touch(room, 1000);
    expect(rooms.find('a', 15_999)).toBe(room);
    expect(rooms.find('a', 16_000)).toBeUndefined();
    expect([rooms.size, forgotten]).toEqual([0, ['a']]);
  });

  it('expire also where nobody asks: of each kind, only those that are due, a few at a time', () => {
    const rooms = roomsOf(100);
    create(rooms, 'old', '1.1.1.1');
    create(rooms, 'older');
    create(rooms, 'young', undefined, 1000);
    rooms.expire(14_999);
    expect(rooms.size).toBe(3);
    rooms.expire(15_000);
    expect([...forgotten].sort()).toEqual(['old', 'older']);
    for (let i = 0; i < 50; i++) create(rooms, `${i}`, undefined, 1000);
    const before = rooms.size;
    rooms.expire(16_000);
    expect(before - rooms.size).toBe(4);
  });

  it('are used up a minute after their members met, and their names free ten minutes later', () => {
    const rooms = roomsOf(10);
    const room = create(rooms, 'a', '1.1.1.1');
    room.pairedAt = 1000;
    rooms.touch(room, 60_000);
    expect(rooms.find('a', 60_999)).toBe(room);
    expect(rooms.find('a', 61_000)).toBe('used');
    expect([forgotten, room.members]).toEqual([['a'], []]);
    expect(rooms.find('a', 660_999)).toBe('used');
    expect(rooms.find('a', 661_000)).toBeUndefined();
    expect(rooms.size).toBe(0);
    // Also where nobody asks.
    create(rooms, 'b', '1.1.1.1').pairedAt = 0;
    rooms.expire(60_000);
    expect(rooms.find('b', 60_000)).toBe('used');
    rooms.expire(660_000);
    expect(rooms.size).toBe(0);
  });

  it('that nobody answers for leave no used name', () => {
    const rooms = roomsOf(10);
    rooms.close(create(rooms, 'a'), 0);
    expect([rooms.find('a', 0), rooms.size, forgotten]).toEqual([undefined, 0, ['a']]);
  });

  it('that nobody answers for make place for one more, the longest unused first; and none of the others does for such a one', () => {
    const rooms = roomsOf(3);
    const first = create(rooms, 'a');
    create(rooms, 'b');
    create(rooms, 'c', '1.1.1.1');
    rooms.touch(first, 1);
    create(rooms, 'd');
    expect([forgotten, rooms.evicted, rooms.size]).toEqual([['b'], 1, 3]);
    create(rooms, 'e', '1.1.1.2');
    create(rooms, 'f', '1.1.1.3');
    expect(names(rooms, 'abcdef')).toBe('cef');
    expect(rooms.create('g', undefined, 0)).toBeUndefined();
    expect(names(rooms, 'cefg')).toBe('cef');
  });

  it('are given up by the heaviest source: used names, then the longest unused; whoever holds none is never refused', () => {
    const rooms = roomsOf(4);
    const [a, b] = ['a', 'b', 'c'].map((name) => create(rooms, name, '1.1.1.1')) as [Room, Room];
    create(rooms, 'd', '2.2.2.2');
    rooms.touch(a, 1);
    rooms.close(b, 1);
    create(rooms, 'e', '3.3.3.3');
    expect(names(rooms, 'abcde')).toBe('acde');
    create(rooms, 'f', '4.4.4.4');
    expect(names(rooms, 'acdef')).toBe('adef');
    // All weigh the same now.
    create(rooms, 'g', '5.5.5.5');
    expect(rooms.find('g', 1)).toBeDefined();
    expect([rooms.size, rooms.evicted]).toEqual([4, 3]);
  });

  it('of one source and of one network are limited, whatever place there is', () => {
    const rooms = roomsOf(100, { ofSource: 2, ofNetwork: 3 });
    create(rooms, 'z', '9.9.9.9');
    for (const name of 'abc') create(rooms, name, '1.1.1.1');
    expect(names(rooms, 'abcz')).toBe('bcz');
    create(rooms, 'd', '1.1.1.2');
    create(rooms, 'e', '1.1.1.3');
    expect(names(rooms, 'abcdez')).toBe('cdez');
  });

  it('are claimed once, by whom somebody shows to hear us first', () => {
    const rooms = roomsOf(100, { ofSource: 1 });
    const room = create(rooms, 'a');
    rooms.claim(room, '1.1.1.1');
    rooms.claim(room, '2.2.2.2');
    create(rooms, 'b', '2.2.2.2');
    expect(names(rooms, 'ab')).toBe('ab');
    create(rooms, 'c', '1.1.1.1');
    expect(names(rooms, 'abc')).toBe('bc');
    // What was given up weighs nothing.
    rooms.forget(rooms.find('c', 0) as Room);
    create(rooms, 'd', '1.1.1.1');
    expect(names(rooms, 'abcd')).toBe('bd');
  });
});

describe('a member', () => {
  const member = (): Member => enter(new Room('', 0), { id: '', bytes: one, endpoint: A, spot: spot(), cookie });
  const tell = (of: Member, over: Partial<Parameters<typeof update>[1]> = {}): boolean =>
    update(of, { from: A, spot: spot(), register: register(), cookie, bytes: 100, ...over });

  it('has the other one for its peer', () => {
    const of = member();
    expect(peerOf(of)).toBeUndefined();
    const other = enter(of.room, { id: 'two', bytes: two, endpoint: B, spot: spot(), cookie });
    expect([peerOf(of), peerOf(other)]).toEqual([other, of]);
  });

  it('earns what it sends, from one address', () => {
    const of = member();
    tell(of);
    tell(of);
    expect(of).toMatchObject({ credit: 200, endpoint: A });
    tell(of, { from: { ...A, port: 1 }, bytes: 7, spot: spot('A2P1') });
    expect(of).toMatchObject({ credit: 7, endpoint: { ...A, port: 1 }, spot: { role: 'A2P1' } });
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

  it('remembers the most it ever heard, and that it left', () => {
    const of = member();
    tell(of, { register: register({ heard: 3, bye: true }) });
    tell(of, { register: register({ heard: 2 }) });
    expect(of).toMatchObject({ heard: 3, left: true });
  });

  it('is confirmed where it has shown to hear us, and proven for ever', () => {
    const of = member();
    tell(of);
    expect(of).toMatchObject({ confirmed: false, proven: false });
    tell(of, { register: register({ cookie }) });
    tell(of);
    expect(of).toMatchObject({ confirmed: true, proven: true });
    tell(of, { from: B });
    expect(of).toMatchObject({ confirmed: false, proven: true });
    tell(of, { from: B, register: register({ cookie }) });
    expect(of).toMatchObject({ confirmed: true, proven: true });
  });
});

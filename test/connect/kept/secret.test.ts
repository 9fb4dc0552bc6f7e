import { describe, expect, it } from 'vitest';
import { PLACES_A_DAY } from '../../../src/connect/kept/dated-places.ts';
import { derivePairing } from '../../../src/connect/kept/secret.ts';

const KEY = new Uint8Array(32).fill(9);
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
const [a, b] = [derivePairing(KEY, 'a'), derivePairing(KEY, 'b')];
const day = 20_000 * PLACES_A_DAY;

describe('the keys of a pairing that lasts', () => {
  it('let the two meet, in a room for each meeting and a topic for each day', () => {
    expect(hex(a.room(day + 1))).toBe(hex(b.room(day + 1)));
    expect(hex(a.room(day + 1))).not.toBe(hex(a.room(day)));
    expect(hex(a.topic(day + 1))).toBe(hex(b.topic(day)));
    expect(hex(a.topic(day + PLACES_A_DAY))).not.toBe(hex(a.topic(day)));
  });

  it('tell what one side says at brokers from what the other one says', () => {
    expect(hex(a.meetingKey(day))).toBe(hex(b.theirMeetingKey?.(day)));
    expect(hex(b.meetingKey(day))).toBe(hex(a.theirMeetingKey?.(day)));
    expect(hex(a.meetingKey(day))).not.toBe(hex(b.meetingKey(day)));
  });

  it('stay as they are', () => {
    expect(hex(a.room(day))).toBe('4317d517784c793e6b36c5309b079f88');
    expect(hex(a.topic(day))).toBe('3c703bfbe70eb51ae3723b3e62d30921');
    expect(hex(a.meetingKey(day))).toBe('da8d36e1aeede88954138dc4ba8de589a070c799a7ac97f5973695eaa3f3e56e');
  });
});

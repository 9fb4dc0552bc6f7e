/** The keys of a pairing that lasts, in the place of those of a code. */
import { deriveSecret, expand, type Secret } from '../channel/keys.ts';
import { dayOf } from './dated-places.ts';
import type { PairSide } from './party.ts';

/**
 * The keys of one side of a pairing that lasts. What each of them says at brokers has a key of its own, so that nobody, another run on the
 * same host neither, is taken for the other one; there a place serves for a day, at a rendezvous once.
 */
export function derivePairing(key: Uint8Array, side: PairSide): Secret {
  const secret = deriveSecret(key);
  const meeting = (of: PairSide, generation: number): Uint8Array =>
    expand(key, `1 meeting ${dayOf(generation)} ${of}`, 32, []);
  return {
    ...secret,
    topic: (generation = 0) => secret.topic(dayOf(generation)),
    meetingKey: (generation = 0) => meeting(side, generation),
    theirMeetingKey: (generation) => meeting(side === 'a' ? 'b' : 'a', generation),
  };
}

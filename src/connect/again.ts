/** Attempt after attempt: until the other host of a pairing that lasts is there, or until there is a path again. */
import type { Env } from '../net/env.ts';
import { deriveSecret } from './channel/keys.ts';
import type { Bearer } from './bearer.ts';
import type { Repair } from './connection.ts';
import { isTaken, type MeetingPlaces, Places, Search, type SearchOptions, type Try } from './search.ts';
import type { ConnectFailure } from './session-api.ts';
import type { Timeline } from './timeline.ts';

/** One attempt as {@link SearchOptions.attempt} has it; `port`: the local one, in place of what was asked for. */
export type Attempts<T> = (one: Try, more?: { readonly port: undefined }) => Promise<T>;
type Came = Awaited<ReturnType<SearchOptions['attempt']>>;

/** How long the peer, the network and the server may take to come back. */
const PATIENCE_MS = 300_000;

/** Nobody who is looked for was there, or no longer. */
export const goesOn = (failure: ConnectFailure): boolean =>
  failure.kind === 'nobody-came' || failure.kind === 'peer-left' || isTaken(failure);

/** What a session is called that these two alone have had. */
export const sessionOf = (key: Bearer['pairing']): string =>
  Buffer.from(deriveSecret(key?.() ?? new Uint8Array()).room())
    .toString('hex')
    .slice(0, 16);

/** What came of the last attempt; undefined where there was none. Rejects with the signal's reason. */
export async function searchFor<T extends Came>(
  { clock, random }: Env,
  attempt: Attempts<T>,
  { places, waitMs, signal }: { readonly places: MeetingPlaces; readonly waitMs: number; readonly signal: AbortSignal },
): Promise<T | undefined> {
  let latest: T | undefined;
  const search = new Search({
    clock,
    random,
    places,
    signal,
    patienceMs: waitMs,
    isFinal: (failure) => !goesOn(failure),
    // Where nothing answers at all, it says so in the end.
    deafMs: undefined,
    attempt: async (one) => (latest = await attempt(one)),
  });
  await search.found;
  signal.throwIfAborted();
  return latest;
}

/** Looks for another path in one place after the other, until the patience ends. */
export function repairOf(
  { clock, random, interfaces }: Env,
  attempt: Attempts<Came>,
  { patienceMs = PATIENCE_MS, signal }: { readonly patienceMs?: number | undefined; readonly signal: AbortSignal },
  { timeline }: { readonly timeline: Timeline },
  places: MeetingPlaces = new Places(),
): Repair {
  return {
    interfaces,
    search: () => {
      timeline.add('repair');
      return new Search({
        clock,
        random,
        patienceMs,
        places,
        signal,
        // The peer has begun anew: there is nothing to go on with.
        isFinal: ({ kind }) => kind === 'other-session',
        // The port that was asked for, the path that may still live has.
        attempt: (one) => attempt(one, { port: undefined }),
      });
    },
  };
}

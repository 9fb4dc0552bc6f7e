/** Which STUN servers both sides are to ask: those that answer, and of one with RFC 5780 three places, so that the browser's NAT shows how it maps. */
import { type Endpoint, familyOf, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { briskSchedule } from '../../net/schedule.ts';
import { alternatesOf } from '../../stun/binding.ts';
import { transact } from '../../stun/client.ts';
import { StunMux } from '../../stun/mux.ts';

/** A browser that is told of more warns that it takes long. */
const MOST_PLACES = 4;
/** For an answer; who opens a page takes longer. */
const WAIT_MS = 1_000;

export interface StunPlaces {
  /** The first of them first; all that were named where none answered. */
  readonly places: readonly Endpoint[];
  /** Servers that answered this host. */
  readonly answered: readonly Endpoint[];
}

/** Rejects with the signal's reason alone. */
export async function stunPlaces(
  env: Pick<Env, 'udp' | 'clock' | 'random'>,
  servers: readonly Endpoint[],
  source: string | undefined,
  signal: AbortSignal,
): Promise<StunPlaces> {
  const asked = await Promise.all(servers.map((server) => ask(env, server, source, signal)));
  const answered = servers.filter((_, i) => asked[i] !== undefined);
  const wanted = (answered.length > 0 ? answered : servers).flatMap((server) => {
    const alternates = asked[servers.indexOf(server)] ?? [];
    return [server, ...alternates];
  });
  const places = wanted.filter((place, i) => wanted.findIndex((other) => sameEndpoint(other, place)) === i);
  return { places: places.slice(0, MOST_PLACES), answered };
}

/** Its other endpoints; undefined where it did not answer. */
async function ask(
  { udp, clock, random }: Pick<Env, 'udp' | 'clock' | 'random'>,
  to: Endpoint,
  source: string | undefined,
  signal: AbortSignal,
): Promise<Endpoint[] | undefined> {
  try {
    const socket = await udp.open({ family: familyOf(to.address), address: source }, signal);
    try {
      const outcome = await transact(
        new StunMux(socket),
        {},
        { to, schedule: briskSchedule(WAIT_MS), clock, random, signal },
      );
      return outcome.kind === 'answered' ? alternatesOf(outcome.message, to) : undefined;
    } finally {
      socket.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof NetError) return undefined;
    throw error;
  }
}

/** As a browser writes it (RFC 7064). */
export const stunUrl = (place: Endpoint): string => `stun:${formatEndpoint(place)}`;

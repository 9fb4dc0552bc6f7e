/** What a STUN server remembers: counters, and the rate of each source in fixed memory. Servers on several addresses share one. */
import type { Random } from '../net/env.ts';
import { type RateLimit, SourceLimiter } from '../net/rate-limit.ts';

/** Generous enough for a household of browsers behind one address, or a detection run. */
export const DEFAULT_LIMIT: RateLimit = { perSecond: 100, burst: 400 };

/** RESPONSE-PORT aims an answer at a port that did not ask for it, so it gets a narrower allowance: two who measure lifetimes behind one address. */
const RESPONSE_PORT_LIMIT: RateLimit = { perSecond: 20, burst: 200 };

/** What happened so far; each datagram adds to `received` and to exactly one of the others. */
export interface Counters {
  received: number;
  /** Success answers. */
  answered: number;
  /** 4xx answers. */
  refused: number;
  /** Over the rate limit, dropped. */
  limited: number;
  /** A Binding request that does not parse, dropped. */
  malformed: number;
  /** No Binding request at all, dropped. */
  ignored: number;
  /** Dropped because of an error of ours. */
  failed: number;
}

export const noCounts = (): Counters => ({
  received: 0,
  answered: 0,
  refused: 0,
  limited: 0,
  malformed: 0,
  ignored: 0,
  failed: 0,
});

/** Of two servers together. */
export function addCounters(one: Readonly<Counters>, other: Readonly<Counters>): Counters {
  const sum = { ...one };
  for (const name of Object.keys(other) as (keyof Counters)[]) sum[name] += other[name];
  return sum;
}

/** What a server remembers: counters and rate limits. */
export interface ServerState {
  readonly counters: Counters;
  readonly limiter: SourceLimiter;
  readonly responsePortLimiter: SourceLimiter;
}

export const createServerState = (random: Random, limit = DEFAULT_LIMIT): ServerState => ({
  counters: noCounts(),
  limiter: new SourceLimiter(limit, random),
  responsePortLimiter: new SourceLimiter(
    limit.perSecond === Number.POSITIVE_INFINITY ? limit : RESPONSE_PORT_LIMIT,
    random,
  ),
});

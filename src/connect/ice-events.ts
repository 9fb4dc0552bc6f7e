/** What of an ICE agent's log a reader of the timeline wants to know. Pure. */
import { formatEndpoint } from '../net/address.ts';
import type { IceLog } from '../ice/agent.ts';

/** Undefined for what is left out. */
export function eventOf(
  entry: IceLog,
): readonly [event: string, details: Readonly<Record<string, unknown>>] | undefined {
  switch (entry.event) {
    case 'check':
      if (entry.attempt > 1 || entry.cause === 'nomination') return undefined;
      return ['check', { to: formatEndpoint(entry.to), cause: entry.cause }];
    case 'checked':
      return ['checked', { from: formatEndpoint(entry.from) }];
    case 'answered': {
      const [from, mapped] = [formatEndpoint(entry.from), formatEndpoint(entry.mapped)];
      return ['answered', { from, mapped, rttMs: entry.rttMs ?? null }];
    }
    case 'pair-failed':
      return ['pair-failed', { remote: formatEndpoint(entry.remote), why: entry.why }];
    default:
      return undefined;
  }
}

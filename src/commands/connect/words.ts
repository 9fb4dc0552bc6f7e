/** What becomes of a connection, in words. */
import type { ConnectFailure } from '../../connect/session-api.ts';
import type { TimelineEvent } from '../../connect/timeline.ts';
import type { PathKind } from '../../nat/path.ts';
import { type Finding, finding } from '../../report/finding.ts';
import type { Context } from '../command.ts';
import type { ConnectEvent } from './use.ts';

export function tell({ event, ...details }: TimelineEvent, context: Context<ConnectEvent>): void {
  if (event === 'signal' && details['status'] === 'waiting') context.progress('waiting for the other host');
  else if (event === 'peer') context.progress('the other host is there: opening the hole');
  else if (event === 'attempt' && details['strategy'] !== 'plain' && details['strategy'] !== 'low-ttl')
    context.progress(String(details['reason']));
  else if (event === 'repair') context.note('The path died; looking for a new one.');
  if (context.verbosity > 0)
    context.note(
      `${details.atMs} ms  ${event}  ${Object.entries(details)
        .filter(([key]) => key !== 'atMs')
        .map(([key, value]) => `${key}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
        .join(' ')}`,
    );
}

const PATHS: Readonly<Record<PathKind, string>> = {
  lan: 'directly, on the same network',
  direct: 'directly, through a hole in both NATs',
  predicted: 'directly, through a predicted port',
  birthday: 'directly, through a port found by many probes',
  relay: 'through a relay',
};

export const pathInWords = (path: PathKind): string => PATHS[path];

/** What the server said that cannot be true, once for each of its addresses. */
export const doubts = (timeline: readonly TimelineEvent[]): Finding[] =>
  timeline
    .filter(({ event }) => event === 'doubted')
    .map(({ server, doubt, why }) =>
      finding('answer-doubted', { server: String(server), doubt: String(doubt), words: String(why) }),
    );

export function failureFinding(failure: ConnectFailure, server: string): Finding {
  switch (failure.kind) {
    case 'nobody-came':
      return finding('nobody-came', { server });
    case 'peer-left':
      return finding('peer-left');
    case 'hopeless':
      return finding('no-hole', { reason: failure.reason });
    case 'no-path':
      return finding('no-path', { reason: failure.reason });
    case 'network':
      return finding('cannot-send', { server, error: failure.error.message });
    case 'signal':
      switch (failure.status) {
        case 'given-up':
          return finding('nobody-came', { server });
        case 'full':
          return finding('code-taken');
        case 'used':
          return finding('code-used');
        case 'busy':
          return finding('rendezvous-busy', { server });
        case 'unsupported':
          return finding('no-rendezvous', { server });
        case 'refused':
          return finding('server-refused', { server });
        default:
          return finding('no-answer', { servers: [server] });
      }
  }
}

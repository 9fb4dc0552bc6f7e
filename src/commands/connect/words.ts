/** What becomes of a connection, in words. */
import type { ConnectFailure } from '../../connect/session-api.ts';
import type { TimelineEvent } from '../../connect/timeline.ts';
import type { KeptPlace, Pairing } from '../../connect/kept/pairing.ts';
import type { Trouble } from '../../connect/signalling/public-side.ts';
import { errorWords } from '../../net/error-words.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { errorAnswerWords } from '../../report/login.ts';
import type { Credentials } from '../../stun/client.ts';
import type { Context } from '../command.ts';
import type { Args } from './options.ts';
import { bytesInWords } from '../datagrams/payload.ts';
import type { ConnectEvent } from './events.ts';

/** `manual`: people carry the news, and the other host has ours only when somebody has pasted it there. */
export function tell({ event, ...details }: TimelineEvent, context: Context<ConnectEvent>, manual: boolean): void {
  if (event === 'peer' && details['public'] === 0) context.note(withoutPublicSide(details));
  if (event === 'signal' && details['status'] === 'waiting')
    // Where something is pasted, nothing else may be drawn.
    context.progress(manual ? '' : 'waiting for the other host');
  else if (event === 'peer')
    context.progress(
      manual
        ? 'opening the hole; the other host needs what was shown here'
        : 'the other host is there: opening the hole',
    );
  else if (event === 'attempt' && details['strategy'] !== 'plain' && details['strategy'] !== 'low-ttl')
    context.progress(String(details['reason']));
  else if (event === 'server')
    context.note(`${String(details['instead'])} is silent; ${String(details['address'])} answers in its place.`);
  if (context.verbosity > 0)
    context.note(
      `${details.atMs} ms  ${event}  ${Object.entries(details)
        .filter(([key]) => key !== 'atMs')
        .map(([key, value]) => `${key}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
        .join(' ')}`,
    );
}

/** The other host told no public address of its own. */
const withoutPublicSide = ({ names }: Readonly<Record<string, unknown>>): string =>
  Number(names) > 0
    ? 'The lines of the other host hold .local names (mDNS), which mean something on its own network only, and no public address. Browsers write so: give the page a STUN server (iceServers), and paste its lines again once they have a srflx candidate.'
    : 'The other host tells no public address of its own: it is reached from its own network only. For any other one, it needs a STUN server that answers.';

/** Why a relay is in use. */
export const reasonForRelay = (timeline: readonly TimelineEvent[]): string | null => {
  const reason = timeline.findLast(({ event }) => event === 'relayed')?.['reason'];
  return typeof reason === 'string' ? reason : null;
};

/** Why a relay that was tried did not help. */
export const noRelay = (failure: ConnectFailure): Finding[] =>
  'relay' in failure && failure.relay !== undefined ? [finding('no-relay', { why: failure.relay })] : [];

/** What the server said that cannot be true, once for each of its addresses. */
export const doubts = (timeline: readonly TimelineEvent[]): Finding[] =>
  timeline
    .filter(({ event }) => event === 'doubted')
    .map(({ server, doubt, why }) =>
      finding('answer-doubted', { server: String(server), doubt: String(doubt), words: String(why) }),
    );

/** Why the public side is unknown, and what follows from that, before the line to paste is shown. */
export function troubleInWords(trouble: Trouble, server: string, credentials: Credentials | undefined): string {
  const why = ((): string => {
    switch (trouble.kind) {
      case 'silent':
        return `${server} does not answer`;
      case 'network':
        return `asking ${server} failed, ${errorWords(trouble.error)}`;
      case 'useless':
        return `the answer of ${server} names no address that can be ours`;
      case 'refused':
        return `${server} answered with ${errorAnswerWords(trouble, credentials)}`;
    }
  })();
  return `The public side is unknown: ${why}. What follows holds addresses of this network only, and serves a host on the same network; for any other one, name a STUN server that answers with --stun.`;
}

/** How people bring the news of the other host. */
export type ByHand = Pick<Args, 'manual' | 'sdp'>;

const PASTED = {
  token: 'its token, one line that begins with nt3.',
  lines: 'its lines, a=ice-ufrag, a=ice-pwd and a=candidate',
};

/** The brokers that were tried, each with why it failed last, or null where it let us in. */
export function brokersOf(timeline: readonly TimelineEvent[]): ReadonlyMap<string, string | null> {
  const found = new Map<string, string | null>();
  for (const { event, broker, state, why } of timeline)
    if (event === 'broker')
      found.set(String(broker), state === 'open' ? null : found.get(String(broker)) === null ? null : String(why));
  return found;
}

/** `brokers`: see {@link brokersOf}; empty where none was used. `place`: where both meet, absent where signals go by hand; `pairing`: by which. */
export function failureFinding(
  failure: ConnectFailure,
  server: string,
  { manual, sdp }: ByHand,
  brokers: ReadonlyMap<string, string | null> = new Map(),
  {
    place,
    pairing,
  }: { readonly place?: KeptPlace | undefined; readonly pairing?: Pick<Pairing, 'name'> | undefined } = {},
): Finding {
  const open = [...brokers].filter(([, why]) => why === null).map(([broker]) => broker);
  const pasted = manual ? PASTED[sdp ? 'lines' : 'token'] : undefined;
  switch (failure.kind) {
    case 'own-side':
    case 'other-session':
    case 'absent':
    case 'nobody-came':
      if (pasted) return finding('not-pasted', { needed: pasted });
      // The server only told the public side: nobody can come where no broker let us in.
      if (place?.server === null && open.length === 0) return noBroker(brokers, place.brokers);
      return finding('nobody-came', { server: open.length > 0 ? open.join(', ') : server, pairing: pairing?.name });
    case 'versions-differ':
    case 'peer-left':
      return finding(failure.kind);
    case 'hopeless':
      return finding(failure.judgement.kind === 'apart' ? 'families-apart' : 'no-hole', { reason: failure.reason });
    case 'no-path':
      return finding('no-path', { reason: failure.reason });
    case 'network':
      return failure.error.kind === 'unreachable'
        ? finding('network-unreachable', { server, code: failure.error.code ?? '' })
        : finding('cannot-send', { server, error: errorWords(failure.error) });
    case 'signal':
      switch (failure.status) {
        case 'given-up':
          return finding('not-pasted', { needed: pasted ?? PASTED.token });
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
          return brokers.size > 0 ? noBroker(brokers) : finding('no-answer', { servers: [server] });
      }
  }
}

/** `named`: those that were to be tried, where nothing is known of any yet. */
function noBroker(brokers: ReadonlyMap<string, string | null>, named: readonly string[] = []): Finding {
  const tried = [...brokers].map(([broker, why]) => `${broker} (${why ?? 'silent'})`);
  const silent = (named.length > 0 ? named : ['the public ones']).map((each) => `${each} (silent)`);
  return finding('no-broker', { brokers: tried.length > 0 ? tried : silent });
}

/** Bytes for people: three digits and a decimal unit. */
export function amount(bytes: number): string {
  if (bytes < 1000) return bytesInWords(bytes);
  const unit = bytes < 1e6 ? 'kB' : bytes < 1e9 ? 'MB' : 'GB';
  return `${(bytes / { kB: 1e3, MB: 1e6, GB: 1e9 }[unit]).toPrecision(3)} ${unit}`;
}

/** `8.00 Mbit/s`. */
export const rate = (bytes: number, ms: number): string =>
  `${ms > 0 ? ((8 * bytes) / ms / 1000).toFixed(2) : '0.00'} Mbit/s`;

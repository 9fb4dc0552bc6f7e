/** A STUN transaction as its user sees it: authentication, redirection and refusals handled, every end of it a datum (RFC 8489 §6). */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../net/address.ts';
import { type Clock, NetError, type Random } from '../net/env.ts';
import { type Attribute, attribute } from './attributes.ts';
import { MOST_REDIRECTIONS, mayFollow } from './alternate.ts';
import { challengedSealing, type Credentials, firstSealing, MOST_CHALLENGES, type Sealing } from './authentication.ts';
import type { StunChannel } from './channel.ts';
import { type Exchanged, exchange, type Tally } from './exchange.ts';
import { type Decoded, encode, get, METHOD, unknownRequired } from './message.ts';
import type { Schedule } from '../net/schedule.ts';

export type { Credentials } from './authentication.ts';

/** What to ask; a bare Binding request when empty. */
export interface Question {
  readonly method?: number | undefined;
  readonly attributes?: readonly Attribute[] | undefined;
  readonly fingerprint?: boolean | undefined;
}

/** Of {@link transact}. */
export interface TransactOptions {
  /** Where the request goes. Over a stream, the remote end of it. */
  readonly to: Endpoint;
  /** Which sources may answer; `to` alone when absent. */
  readonly acceptFrom?: ((from: Endpoint) => boolean) | undefined;
  /** When it is sent again, and when given up: {@link briskSchedule}, {@link standardSchedule}, over streams {@link singleSend}. */
  readonly schedule: Schedule;
  readonly credentials?: Credentials | undefined;
  /** A new transaction for each send instead of retransmissions: RTT and loss become exact. */
  readonly freshIds?: boolean | undefined;
  /** Whether silence has the question put in the manner of RFC 3489 too; it does when absent. */
  readonly oldManner?: boolean | undefined;
  /** Opens a channel to an ALTERNATE-SERVER, whose certificate is for ALTERNATE-DOMAIN where the answer has one (RFC 8489 §10); when absent a 300 is an error answer like any other, as RFC 5780 §4 wants it. What it rejects with, where that is a NetError, is the outcome. */
  readonly redirect?: ((to: Endpoint, domain: string | undefined) => Promise<StunChannel>) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

interface Heard {
  readonly message: Decoded;
  readonly from: Endpoint;
  readonly rttMs: number;
  /** False when retransmissions make `rttMs` only the least it can be. */
  readonly rttExact: boolean;
  /** The server answers a plain question only where a CHANGE-REQUEST without flags is in it, as some of RFC 3489 do: its next question had better carry one ({@link PLAIN_OF_2003}). */
  readonly needsChangeRequest: boolean;
}

/** Of every outcome. */
interface Asked {
  /** Who was asked last: after a redirection another than the first. */
  readonly server: Endpoint;
}

/** How a transaction ended. `sent` and `received` count a question and its answer once, whatever challenge or redirection lies between them. */
export type TransactOutcome = Tally &
  Asked &
  (
    | ({ readonly kind: 'answered' } & Heard)
    /** `code` is 0 where the server sent none. */
    | ({
        readonly kind: 'error-answer';
        readonly code: number;
        readonly reason: string;
        /** A redirection to one that had its turn. */
        readonly circular?: true | undefined;
      } & Heard)
    /** The answer demands understanding of these types, which we lack. */
    | ({ readonly kind: 'unknown-attributes'; readonly types: readonly number[] } & Heard)
    | Exclude<Exchanged, { kind: 'reply' }>
  );

/** What makes a Binding request one that servers of RFC 3489 answer for certain: some drop those without it. */
export const PLAIN_OF_2003: readonly Attribute[] = [attribute('CHANGE-REQUEST', { ip: false, port: false })];
/** A server that has been silent for so long is asked once in the manner of RFC 3489. */
const OLD_MANNER_AFTER_MS = 500;

/**
 * One STUN transaction (RFC 8489 §6): sends by the schedule until an answer comes, and answers challenges (§9) and, where asked to,
 * redirections (§10). A plain Binding request that stays unanswered is put once as RFC 3489 knows it. Every end is an outcome; rejects with the signal's reason, or with CredentialError where the credentials
 * cannot be sent.
 *
 * @example
 * ```js
 * import { briskSchedule, mappedAddress, StunMux, transact } from 'nat-tool';
 * import { createLab } from 'nat-tool/lab';
 *
 * const lab = createLab({ nat: 'symmetric', loss: 0.3 });
 * const outcome = await lab.run(async ({ udp, clock, random }, signal) => {
 *   const socket = await udp.open({ family: 4 });
 *   const [to] = lab.servers;
 *   const channel = new StunMux(socket);
 *   try {
 *     return await transact(channel, {}, { to, schedule: briskSchedule(5000), clock, random, signal });
 *   } finally {
 *     socket.close();
 *   }
 * });
 * if (outcome.kind !== 'answered') throw new Error(outcome.kind);
 * console.log(mappedAddress(outcome.message)); // { address: '12.13.14.15', port: 24604 }
 * ```
 */
export async function transact(
  channel: StunChannel,
  question: Question,
  options: TransactOptions,
): Promise<TransactOutcome> {
  let sealing = firstSealing(options.credentials);
  let { to, acceptFrom } = options;
  let through = channel;
  let challenges = 0;
  const visited = new Set([formatEndpoint(to)]);
  let before: Tally = { sent: 0, received: 0, wrongSources: [] };
  for (;;) {
    const { clock, signal, schedule, freshIds = false } = options;
    const target = to;
    const exchanged = await exchange(through, {
      to,
      acceptFrom: acceptFrom ?? ((from) => sameEndpoint(from, target)),
      schedule,
      freshIds,
      shoot: () => shoot(question, sealing, options.random),
      otherwise:
        isPlain(question) && !sealing.seal.key && !through.reliable && options.oldManner !== false
          ? {
              afterMs: OLD_MANNER_AFTER_MS,
              shoot: () => shoot({ ...question, attributes: PLAIN_OF_2003 }, sealing, options.random),
            }
          : undefined,
      accepts: sealing.accepts,
      clock,
      signal,
    });
    const tally = add(before, exchanged);
    if (exchanged.kind !== 'reply') return { ...exchanged, ...tally, server: to };
    const { reply, rttMs, rttExact, otherwise: needsChangeRequest } = exchanged;
    const { message, from } = reply;
    const heard: Heard & Tally & Asked = { ...tally, server: to, message, from, rttMs, rttExact, needsChangeRequest };
    const types = unknownRequired(message);
    if (types.length > 0) return { kind: 'unknown-attributes', types, ...heard };
    if (message.class === 'success') return { kind: 'answered', ...heard };

    const { code, reason } = get(message, 'ERROR-CODE') ?? { code: 0, reason: '' };
    const next =
      code === 438 || (code === 401 && !sealing.seal.key) ? challengedSealing(options.credentials, message) : undefined;
    if (next && challenges++ < MOST_CHALLENGES) {
      sealing = next;
      before = withoutLast(tally);
      continue;
    }
    const alternate = code === 300 ? trustedAlternate(message, sealing, options) : undefined;
    if (alternate && options.redirect && !visited.has(formatEndpoint(alternate)) && visited.size <= MOST_REDIRECTIONS) {
      visited.add(formatEndpoint(alternate));
      to = alternate;
      before = withoutLast(tally);
      try {
        through = await options.redirect(alternate, get(message, 'ALTERNATE-DOMAIN'));
      } catch (error) {
        if (error instanceof NetError) return { kind: 'network-error', error, ...before, server: alternate };
        throw error;
      }
      acceptFrom = undefined;
      // A nonce belongs to the server that gave it.
      sealing = firstSealing(options.credentials);
      continue;
    }
    const circular = alternate !== undefined && visited.has(formatEndpoint(alternate));
    return { kind: 'error-answer', code, reason, ...(circular && { circular }), ...heard };
  }
}

function shoot({ method = METHOD.binding, attributes = [], fingerprint }: Question, sealing: Sealing, random: Random) {
  const transactionId = random.bytes(12);
  const message = {
    class: 'request',
    method,
    transactionId,
    attributes: [...attributes, ...sealing.attributes],
  } as const;
  return { transactionId, bytes: encode(message, { ...sealing.seal, ...(fingerprint && { fingerprint }) }) };
}

/** Where a 300 points to, if it may be followed: whoever has credentials follows only an answer sealed with them (RFC 8489 §10). */
function trustedAlternate(
  message: Decoded,
  sealing: Sealing,
  { credentials, to }: TransactOptions,
): Endpoint | undefined {
  const alternate = get(message, 'ALTERNATE-SERVER');
  if (!alternate || !mayFollow(to, alternate)) return undefined;
  // The sealing has accepted it, so with a key it was sealed.
  return credentials && !sealing.seal.key ? undefined : alternate;
}

const isPlain = ({ method = METHOD.binding, attributes = [] }: Question): boolean =>
  method === METHOD.binding && attributes.length === 0;

/** As if the last question and what it was answered with had been one with the next. */
const withoutLast = ({ sent, received, ...rest }: Tally): Tally => ({
  ...rest,
  sent: sent - 1,
  received: received - 1,
});

const add = (a: Tally, b: Tally): Tally => ({
  sent: a.sent + b.sent,
  received: a.received + b.received,
  wrongSources: [
    ...a.wrongSources,
    ...b.wrongSources.filter((each) => !a.wrongSources.some((known) => sameEndpoint(known, each))),
  ],
});

/** What one server's answers, or their absence, come to: a flat record in the field's words. Pure. */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { errorWords, NO_SUCH_FAMILY } from '../../net/error-words.ts';
import { least, most } from '../../net/extremes.ts';
import { type Doubt, plain } from '../../nat/evidence.ts';
import type { Observation } from '../../nat/mapping.ts';
import { errorAnswerWords, type LoginFault, loginOf } from '../../report/login.ts';
import type { Credentials, TransactOutcome } from '../../stun/client.ts';
import { CredentialError } from '../../stun/credentials.ts';
import { type DescribedAttribute, describeAttribute } from '../../stun/describe.ts';
import { otherAddress } from '../../stun/binding.ts';
import { malformedIn } from '../../stun/leniency.ts';
import { get, mappedAddress } from '../../stun/message.ts';
import { formatStunServer, type StunServerName, type StunTransport } from '../../stun/uri.ts';
import type { Vetting } from './vet.ts';
import { toMicroseconds } from '../../net/round.ts';

/** Why there is no answer; a NetError's kind where the network or the resolver said so. */
export type QueryError =
  | NetError['kind']
  | 'family-missing' //     the name has addresses, but none of the family asked for
  | 'timeout'
  | 'error-answer'
  | 'wrong-source' //       an answer came, from another address than was asked
  | 'wrong-id' //           answers came, to other transactions
  | 'garbage' //            what came is not STUN
  | 'integrity-violated' // answers came, but none was sealed with the credentials
  | 'unknown-attributes' // the answer demands understanding of an attribute that we lack
  | 'no-mapped-address' //  a success answer that does not say how it sees us
  | 'credentials'; //       user name or password cannot be sent

/** What a query brought: endpoints as text, `null` for what is not known. */
export interface QueryResult {
  /** As the user wrote it, in canonical form. */
  readonly server: string;
  /** Where it was asked, after a redirection (RFC 8489 §10) where it led to; `unknown` when its name was not resolved. */
  readonly address: string;
  /** The address that redirected us to `address`. */
  readonly redirectedFrom: string | null;
  readonly transport: StunTransport;
  readonly local: string | null;
  /** What the server said, an IPv4-mapped address as the IPv4 one. */
  readonly mapped: string | null;
  /** Why that cannot be true. */
  readonly doubt: Doubt | null;
  /** What broke the format in the answer, and was passed over. */
  readonly malformed: readonly string[];
  /** The least of all exchanges, ms. Over TCP and TLS without the time to connect. */
  readonly rttMs: number | null;
  readonly rttAverageMs: number | null;
  readonly rttMostMs: number | null;
  /** Standard deviation. */
  readonly rttDeviationMs: number | null;
  /** Of each exchange that was answered; only where attributes were asked for too. */
  readonly rtts?: readonly number[];
  /** Requests. */
  readonly sent: number;
  /** Answers. */
  readonly received: number;
  readonly software: string | null;
  /** OTHER-ADDRESS. */
  readonly other: string | null;
  readonly error: QueryError | null;
  /** What the error means in words. */
  readonly detail: string | null;
  /** Of an error answer. */
  readonly errorCode: number | null;
  /** What the server says beside the code. */
  readonly errorReason: string | null;
  /** What an error answer says of our credentials, or of our having none. */
  readonly login: LoginFault | null;
  /** Of the last answer; only where asked for. */
  readonly attributes?: readonly DescribedAttribute[];
  readonly vetting?: Vetting;
}

/** What arrived that answers nothing. */
export interface Strays {
  garbage: number;
  wrongId: number;
}

export const NO_STRAYS: Strays = { garbage: 0, wrongId: 0 };

/** The outcome that tells most; undefined where there is none. */
export const tellingOf = (outcomes: readonly TransactOutcome[]): TransactOutcome | undefined =>
  outcomes.find(({ kind }) => kind === 'answered') ?? outcomes.find(({ kind }) => kind !== 'timeout') ?? outcomes[0];

/** Who said what of us. */
export function saidIn(outcome: TransactOutcome): Pick<Observation, 'remote' | 'mapped'> | undefined {
  const mapped = outcome.kind === 'answered' ? mappedAddress(outcome.message) : undefined;
  return mapped && { remote: outcome.server, mapped: plain(mapped) };
}

/** How {@link summary} sees them. */
export interface Seen {
  readonly strays: Strays;
  /** With the attributes of the last answer, and the time of each. */
  readonly attributes: boolean;
  readonly credentials: Credentials | undefined;
}

/** What all exchanges with a server come to; `telling` is the one that speaks for them. */
export function summary(
  outcomes: readonly TransactOutcome[],
  telling: TransactOutcome,
  seen: Seen,
): Partial<QueryResult> {
  const rtts = outcomes.flatMap((outcome) => (outcome.kind === 'answered' ? [outcome.rttMs] : []));
  const message = 'message' in telling ? telling.message : undefined;
  const other = message && otherAddress(message);
  return {
    ...timesOf(rtts),
    ...(seen.attributes && rtts.length > 0 && { rtts: rtts.map(toMicroseconds) }),
    sent: outcomes.reduce((sum, { sent }) => sum + sent, 0),
    received: outcomes.reduce((sum, { received }) => sum + received, 0),
    address: formatEndpoint(telling.server),
    malformed: message ? malformedIn(message) : [],
    software: (message && get(message, 'SOFTWARE')) || null,
    other: other ? formatEndpoint(other) : null,
    ...(seen.attributes && message && { attributes: message.attributes.map(describeAttribute) }),
    ...ending(telling, seen),
  };
}

type Times = Pick<QueryResult, 'rttMs' | 'rttAverageMs' | 'rttMostMs' | 'rttDeviationMs'>;

function timesOf(rtts: readonly number[]): Times {
  if (rtts.length === 0) return { rttMs: null, rttAverageMs: null, rttMostMs: null, rttDeviationMs: null };
  const average = rtts.reduce((sum, each) => sum + each, 0) / rtts.length;
  const variance = rtts.reduce((sum, each) => sum + (each - average) ** 2, 0) / rtts.length;
  return {
    rttMs: toMicroseconds(least(rtts)),
    rttAverageMs: toMicroseconds(average),
    rttMostMs: toMicroseconds(most(rtts)),
    rttDeviationMs: toMicroseconds(Math.sqrt(variance)),
  };
}

/** One exchange of a series. */
export interface ExchangeResult {
  /** 1 for the first. */
  readonly sequence: number;
  readonly from: string;
  readonly mapped: string | null;
  readonly rttMs: number | null;
  readonly error: QueryError | null;
  readonly detail: string | null;
}

export function described(outcome: TransactOutcome, sequence: number): ExchangeResult {
  const { mapped = null, error = null, detail = null } = ending(outcome, { strays: NO_STRAYS, credentials: undefined });
  const rttMs = 'rttMs' in outcome ? toMicroseconds(outcome.rttMs) : null;
  return { sequence, from: formatEndpoint(outcome.server), mapped, rttMs, error, detail };
}

function ending(
  outcome: TransactOutcome,
  { strays, credentials }: Pick<Seen, 'strays' | 'credentials'>,
): Partial<QueryResult> {
  const wrong = (error: QueryError, detail: string) => ({ error, detail });
  switch (outcome.kind) {
    case 'answered': {
      const said = saidIn(outcome);
      return said
        ? { mapped: formatEndpoint(said.mapped) }
        : wrong('no-mapped-address', 'the answer does not say how the server sees us');
    }
    case 'error-answer':
      return {
        ...wrong('error-answer', errorAnswerWords(outcome, credentials)),
        login: loginOf(outcome.code, credentials) ?? null,
        errorCode: outcome.code,
        errorReason: outcome.reason,
      };
    case 'unknown-attributes':
      return wrong(
        'unknown-attributes',
        `the answer demands understanding of ${outcome.types.map((type) => `0x${type.toString(16).padStart(4, '0')}`).join(', ')}`,
      );
    case 'integrity-violated': {
      const code = get(outcome.discarded, 'ERROR-CODE')?.code;
      return wrong(
        'integrity-violated',
        `what came was not sealed with these credentials${code === undefined ? '' : ` (error ${code})`}`,
      );
    }
    case 'network-error':
      return failure(outcome.error);
    case 'timeout':
      if (outcome.wrongSources[0])
        return wrong('wrong-source', `the answer came from ${formatEndpoint(outcome.wrongSources[0])}`);
      if (strays.wrongId > 0) return wrong('wrong-id', 'what came answers no request of ours (wrong transaction ID)');
      if (strays.garbage > 0) return wrong('garbage', 'what came is not STUN');
      return wrong('timeout', `no answer within ${inSeconds(outcome.afterMs)} s`);
  }
}

/** Rethrows what is no fault of network or credentials. */
export function failure(error: unknown): Partial<QueryResult> {
  if (error instanceof NetError)
    return { error: error.code === NO_SUCH_FAMILY ? 'family-missing' : error.kind, detail: errorWords(error) };
  if (error instanceof CredentialError) return { error: 'credentials', detail: error.message };
  throw error;
}

/** Nothing known yet; `endpoint` is absent where the name was not resolved. */
export const blank = (name: StunServerName, transport: StunTransport, endpoint: Endpoint | undefined): QueryResult => ({
  server: formatStunServer(name),
  address: endpoint ? formatEndpoint(endpoint) : 'unknown',
  transport,
  redirectedFrom: null,
  local: null,
  mapped: null,
  doubt: null,
  malformed: [],
  rttMs: null,
  rttAverageMs: null,
  rttMostMs: null,
  rttDeviationMs: null,
  sent: 0,
  received: 0,
  software: null,
  other: null,
  error: null,
  detail: null,
  errorCode: null,
  errorReason: null,
  login: null,
});

/** To the tenth; shorter times to the hundredth. */
const inSeconds = (ms: number): number => (ms < 500 ? Math.round(ms / 10) / 100 : Math.round(ms / 100) / 10);

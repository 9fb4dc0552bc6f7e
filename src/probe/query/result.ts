/** What one server's answers, or their absence, come to: a flat record in the field's words. Pure. */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { errorWords } from '../../net/error-words.ts';
import type { TransactOutcome } from '../../stun/client.ts';
import { CredentialError } from '../../stun/credentials.ts';
import { type DescribedAttribute, describeAttribute } from '../../stun/describe.ts';
import { otherAddress } from '../../stun/binding.ts';
import { get, mappedAddress } from '../../stun/message.ts';
import { formatStunServer, type StunServerName, type StunTransport } from '../../stun/uri.ts';
import type { Vetting } from './vet.ts';
import { toMicroseconds } from '../../net/round.ts';

/** Why there is no answer; a NetError's kind where the network or the resolver said so. */
export type QueryError =
  | NetError['kind']
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
  /** Where it was asked; `unknown` when its name was not resolved. */
  readonly address: string;
  readonly transport: StunTransport;
  readonly local: string | null;
  readonly mapped: string | null;
  /** The least of all exchanges, ms. Over TCP and TLS without the time to connect. */
  readonly rttMs: number | null;
  readonly rttAverageMs: number | null;
  readonly rttMostMs: number | null;
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
  /** Of the last answer; only where asked for. */
  readonly attributes?: readonly DescribedAttribute[];
  readonly vetting?: Vetting;
}

/** What arrived that answers nothing. */
export interface Strays {
  garbage: number;
  wrongId: number;
}

/** What all exchanges with a server come to; `attributes`: with those of its last answer. */
export function summary(
  outcomes: readonly TransactOutcome[],
  strays: Strays,
  attributes: boolean,
): Partial<QueryResult> {
  const rtts = outcomes.flatMap((outcome) => (outcome.kind === 'answered' ? [outcome.rttMs] : []));
  const tally = {
    sent: outcomes.reduce((sum, { sent }) => sum + sent, 0),
    received: outcomes.reduce((sum, { received }) => sum + received, 0),
    rttMs: rtts.length > 0 ? toMicroseconds(Math.min(...rtts)) : null,
    rttAverageMs: rtts.length > 0 ? toMicroseconds(rtts.reduce((sum, each) => sum + each, 0) / rtts.length) : null,
    rttMostMs: rtts.length > 0 ? toMicroseconds(Math.max(...rtts)) : null,
  };
  const telling =
    outcomes.find(({ kind }) => kind === 'answered') ?? outcomes.find(({ kind }) => kind !== 'timeout') ?? outcomes[0];
  if (!telling) return tally;
  const message = 'message' in telling ? telling.message : undefined;
  const other = message && otherAddress(message);
  return {
    ...tally,
    ...('from' in telling && { address: formatEndpoint(telling.from) }),
    software: (message && get(message, 'SOFTWARE')) || null,
    other: other ? formatEndpoint(other) : null,
    ...(attributes && message && { attributes: message.attributes.map(describeAttribute) }),
    ...ending(telling, strays),
  };
}

function ending(outcome: TransactOutcome, strays: Strays): Partial<QueryResult> {
  const wrong = (error: QueryError, detail: string) => ({ error, detail });
  switch (outcome.kind) {
    case 'answered': {
      const mapped = mappedAddress(outcome.message);
      return mapped
        ? { mapped: formatEndpoint(mapped) }
        : wrong('no-mapped-address', 'the answer does not say how the server sees us');
    }
    case 'error-answer':
      return {
        ...wrong('error-answer', `error ${outcome.code}${outcome.reason && ` (${outcome.reason})`}`),
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
      return wrong('timeout', `no answer within ${outcome.afterMs / 1000} s`);
  }
}

/** Rethrows what is no fault of network or credentials. */
export function failure(error: unknown): Partial<QueryResult> {
  if (error instanceof NetError) return { error: error.kind, detail: errorWords(error) };
  if (error instanceof CredentialError) return { error: 'credentials', detail: error.message };
  throw error;
}

/** Nothing known yet; `endpoint` is absent where the name was not resolved. */
export const blank = (name: StunServerName, transport: StunTransport, endpoint: Endpoint | undefined): QueryResult => ({
  server: formatStunServer(name),
  address: endpoint ? formatEndpoint(endpoint) : 'unknown',
  transport,
  local: null,
  mapped: null,
  rttMs: null,
  rttAverageMs: null,
  rttMostMs: null,
  sent: 0,
  received: 0,
  software: null,
  other: null,
  error: null,
  detail: null,
  errorCode: null,
  errorReason: null,
});

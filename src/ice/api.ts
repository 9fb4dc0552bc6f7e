/** What goes into an ICE agent and what comes out: its events, actions, settings and views. */
import type { Endpoint } from '../net/address.ts';
import type { Random } from '../net/env.ts';
import type { Decoded } from '../stun/message.ts';
import type { Candidate } from './candidate.ts';

/**
 * Which of the caller's sockets, by a number of the caller's choice. A socket is the base of its candidates: all that is sent
 * from one leaves by the same mapping towards one destination.
 */
export type SocketId = number;

export type IceRole = 'controlling' | 'controlled';

/** `connected`: there is a valid pair; `completed`: one is selected. The last three are final. */
export type IceState = 'new' | 'checking' | 'connected' | 'completed' | 'failed' | 'lost' | 'closed';

/** RFC 8445 §6.1.2.6. */
export type PairState = 'frozen' | 'waiting' | 'in-progress' | 'succeeded' | 'failed';

/** A candidate pair as it stands now. A snapshot. */
export interface PairView {
  readonly socket: SocketId;
  /** After a check succeeded: the candidate with the address that the peer saw, which may be peer-reflexive. Port 0 where none is known for a socket yet. */
  readonly local: Candidate;
  /** `remote.endpoint` is where to send. */
  readonly remote: Candidate;
  readonly priority: bigint;
  readonly state: PairState;
  readonly nominated: boolean;
  /** Came from a `speculate` event, on this side. */
  readonly speculative: boolean;
  /** Of the check that made it valid, or of the latest consent check; undefined where a retransmission makes it ambiguous. */
  readonly rttMs: number | undefined;
}

export type IceEvent =
  /** A new local candidate on one of the caller's sockets. Several candidates may share a socket. */
  | { readonly kind: 'local-candidate'; readonly socket: SocketId; readonly candidate: Candidate }
  /** No further local candidates will come. */
  | { readonly kind: 'local-end' }
  /** The peer's ufrag and password: checks start now. A second one is ignored: a restart is a new agent. */
  | { readonly kind: 'remote-credentials'; readonly ufrag: string; readonly pwd: string }
  | { readonly kind: 'remote-candidate'; readonly candidate: Candidate }
  /** With {@link IceConfig.relayedLast}: relayed pairs may be nominated from now on. */
  | { readonly kind: 'accept-relayed' }
  /** The peer will signal no further candidates. Without this and `local-end` there is never a `failed`. */
  | { readonly kind: 'remote-end' }
  /** Any STUN message that came in on one of the sockets. What is not the agent's own is ignored. `at`: arrival stamped by the socket. */
  | {
      readonly kind: 'datagram';
      readonly socket: SocketId;
      readonly from: Endpoint;
      readonly message: Decoded;
      readonly at?: number | undefined;
    }
  /**
   * One authenticated check to a guessed endpoint, outside of the check list: no retransmission, no pacing, no state but an
   * entry that expires. The socket needs no candidate. An answer makes it a valid pair like any other. Ignored until the
   * peer's credentials are known.
   */
  | { readonly kind: 'speculate'; readonly socket: SocketId; readonly to: Endpoint; readonly ttl?: number | undefined }
  /** The system refused to send there (no route, for example): the pair fails at once instead of after its retransmissions. */
  | { readonly kind: 'send-failed'; readonly socket: SocketId; readonly to: Endpoint }
  /** The caller closed this socket: its pairs and candidates go. */
  | { readonly kind: 'socket-closed'; readonly socket: SocketId }
  | { readonly kind: 'close' };

export type FailureReason =
  | 'no-pairs' //          the candidates of the two sides do not fit each other (family), or there are none
  | 'no-answer' //         not one authenticated packet came from the peer
  | 'only-inbound' //      the peer's checks arrived, but none of ours was answered
  | 'asymmetric-path' //   answers came, but from other addresses than we had asked
  | 'rejected' //          the peer answered with errors
  | 'not-nominated'; //    a path works, but the controlling peer never chose one

/** Why a check left. */
export type CheckCause = 'ordinary' | 'triggered' | 'nomination';

/** For a timeline. Bounded in number: speculative checks and refused packets are counted, not logged one by one. */
export type IceLog =
  | { readonly event: 'pair'; readonly socket: SocketId; readonly remote: Candidate; readonly priority: bigint }
  | {
      readonly event: 'check';
      readonly socket: SocketId;
      readonly to: Endpoint;
      readonly cause: CheckCause;
      readonly attempt: number;
    }
  /** The peer's authenticated check came in. Once for each pair and nomination. */
  | { readonly event: 'checked'; readonly socket: SocketId; readonly from: Endpoint; readonly useCandidate: boolean }
  | {
      readonly event: 'answered';
      readonly socket: SocketId;
      readonly from: Endpoint;
      readonly mapped: Endpoint;
      readonly rttMs: number | undefined;
      readonly speculative: boolean;
    }
  | {
      readonly event: 'asymmetric';
      readonly socket: SocketId;
      readonly to: Endpoint;
      readonly from: Endpoint;
      readonly accepted: boolean;
    }
  | {
      readonly event: 'pair-failed';
      readonly socket: SocketId;
      readonly remote: Endpoint;
      readonly why: 'timeout' | 'error' | 'asymmetric' | 'unsendable';
    }
  | {
      readonly event: 'peer-reflexive';
      readonly side: 'local' | 'remote';
      readonly candidate: Candidate;
      readonly socket: SocketId;
    }
  | { readonly event: 'role'; readonly role: IceRole }
  | { readonly event: 'nominating'; readonly socket: SocketId; readonly to: Endpoint };

export type IceAction =
  | {
      readonly kind: 'send';
      readonly socket: SocketId;
      readonly to: Endpoint;
      readonly data: Uint8Array;
      readonly ttl?: number | undefined;
    }
  /** Both directions of this pair work: data may flow on it, even before one is selected. Once a pair, unless it failed in between. */
  | { readonly kind: 'valid'; readonly pair: PairView; readonly rttMs: number | undefined }
  /** The pair to use from now on. May come again, for a better pair that the peer nominated. */
  | { readonly kind: 'selected'; readonly pair: PairView }
  /** Final. */
  | { readonly kind: 'failed'; readonly reason: FailureReason }
  /** Final: the peer of the selected pair has not answered for {@link ConsentTimes.expiryMs}. Nothing is sent any more; connect anew with a new agent. */
  | { readonly kind: 'consent-lost'; readonly pair: PairView }
  | { readonly kind: 'log'; readonly entry: IceLog };

/** When checks leave. All times in milliseconds. */
export interface Pacing {
  /** Ta, RFC 8445 §14.2: the time between two new checks. */
  readonly taMs: number;
  /** How many checks may leave at once before Ta holds: the depth, at least 1, of a token bucket that fills by one each Ta. */
  readonly immediate: number;
  /** Whether pairs of one foundation wait for the first of them (§6.1.2.6). */
  readonly freezing: boolean;
  /** First wait for an answer. */
  readonly rtoMs: number;
  /** Whether the RTO grows to Ta × the number of pairs not yet done (§14.3). */
  readonly scaleRto: boolean;
  /** Where the doubling of the wait ends. */
  readonly maxRtoMs: number;
  /** Rc: sends of one check in all. */
  readonly sends: number;
  /** Rm: the wait after the last send, in multiples of the first. */
  readonly lastWait: number;
}

/** RFC 8445 §14 to the letter. */
export const BOOK_PACING: Pacing = {
  taMs: 50,
  immediate: 1,
  freezing: true,
  rtoMs: 500,
  scaleRto: true,
  maxRtoMs: Number.POSITIVE_INFINITY,
  sends: 7,
  lastWait: 16,
};

/** For a path of our own: what there is to check leaves at once, and a lost packet costs 100 ms. A check is given up after 4.7 s. */
export const BRISK_PACING: Pacing = {
  taMs: 20,
  immediate: 20,
  freezing: false,
  rtoMs: 100,
  scaleRto: false,
  maxRtoMs: 400,
  sends: 12,
  lastWait: 8,
};

/** RFC 7675 §5.1. */
export interface ConsentTimes {
  /** Each wait is 0.8 to 1.2 times this. */
  readonly intervalMs: number;
  /** From the last answer. */
  readonly expiryMs: number;
}

export const BOOK_CONSENT: ConsentTimes = { intervalMs: 5_000, expiryMs: 30_000 };

export interface Nomination {
  /** How long the controlling agent waits, from the first valid pair, for a better one that is still being checked. */
  readonly waitMs: number;
  /** The same where the best valid pair is relayed. */
  readonly relayWaitMs: number;
}

/** What bounds the memory, whatever the peer or the network sends. */
export interface Limits {
  /** Signalled remote candidates; further ones are ignored. */
  readonly remoteCandidates: number;
  /** Remote candidates learnt from checks; further checks are answered and otherwise ignored. */
  readonly peerReflexive: number;
  /** Pairs of the check list (RFC 8445 §6.1.2.5): beyond it the least promising unchecked one goes. */
  readonly pairs: number;
  /** Speculative checks whose answer is still awaited: beyond it the oldest is forgotten. */
  readonly speculative: number;
}

export interface IceConfig {
  readonly role: IceRole;
  /** 64 bits; random when absent. */
  readonly tieBreaker?: bigint | undefined;
  /** Ours, at least 4 and 22 of ALPHA, DIGIT, "+", "/" (RFC 8445 §5.3); see {@link newCredentials}. */
  readonly ufrag: string;
  readonly pwd: string;
  readonly random: Random;
  /** {@link BOOK_PACING} when absent. */
  readonly pacing?: Partial<Pacing> | undefined;
  /** False: no consent checks; Binding Indications keep the path alive instead. {@link BOOK_CONSENT} when absent. */
  readonly consent?: ConsentTimes | false | undefined;
  /** Tr, RFC 8445 §11, milliseconds; 15,000 when absent. Used where consent is off. */
  readonly keepaliveMs?: number | undefined;
  /** 50 ms, relayed 500 ms when absent. */
  readonly nomination?: Partial<Nomination> | undefined;
  /** How long after the peer's credentials came it keeps listening before it says `failed`, though all checks may be through (RFC 8863). 39,500 ms when absent. */
  readonly patienceMs?: number | undefined;
  /** How long the answer to a speculative check is waited for; 5,000 ms when absent. */
  readonly speculationMs?: number | undefined;
  /**
   * Waives the rule that an answer must come from where the request went (§7.2.5.2.1), for two symmetric NATs with
   * endpoint-independent filters, where each direction goes through another mapping. Both sides must set it.
   */
  readonly anyReturnPath?: boolean | undefined;
  /**
   * A relayed pair is the last resort: none is nominated before `accept-relayed`, and when one is selected better ones are looked for all
   * the same. Both sides must set it: by the book (§8.1.1) a selected pair stays until a restart.
   */
  readonly relayedLast?: boolean | undefined;
  /** Whether this is an address of a relay, though it was not signalled as one (yet). */
  readonly isRelay?: ((endpoint: Endpoint) => boolean) | undefined;
  readonly limits?: Partial<Limits> | undefined;
}

/** What happened so far, in numbers. */
export interface IceCounters {
  /** Check-list checks sent, retransmissions included. */
  checks: number;
  speculative: number;
  /** Authenticated requests of the peer. */
  requests: number;
  /** Authenticated answers to checks of ours. */
  answers: number;
  /** STUN messages that were not authentic, or answered nothing that was asked. */
  refused: number;
}

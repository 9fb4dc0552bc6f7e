import { type Endpoint, sameEndpoint } from '../net/address.ts';
import { type Clock, NetError } from '../net/env.ts';
import { Refusals, Retries } from '../net/refusals.ts';
import { deferred } from '../net/wait.ts';
import type { Reply, StunChannel } from './channel.ts';
import type { Decoded } from './message.ts';
import { follow, type Schedule } from '../net/schedule.ts';

/** A request as bytes, and the ID to know its answer by. */
export interface Shot {
  readonly transactionId: Uint8Array;
  readonly bytes: Uint8Array;
}

export interface ExchangeOptions {
  readonly to: Endpoint;
  /** Which sources may answer. */
  readonly acceptFrom: (from: Endpoint) => boolean;
  readonly schedule: Schedule;
  /** Called once for all sends, or, with `freshIds`, for each. */
  readonly shoot: () => Shot;
  /** Each send is a transaction of its own, so that an answer tells which send it belongs to and the RTT is exact. */
  readonly freshIds: boolean;
  /** Another way to put the same question, tried once where nothing has come for so long, ms. Only a success answers it: who does not understand this way may still answer the other. */
  readonly otherwise?: { readonly afterMs: number; readonly shoot: () => Shot } | undefined;
  /** False: as if it had never come. */
  readonly accepts: (message: Decoded) => boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What went out and came back. */
export interface Tally {
  /** Requests sent; those that the system refused do not count. */
  readonly sent: number;
  /** Answers with the right ID from the right source. */
  readonly received: number;
  /** Sources of answers with the right ID that may not answer, each once. */
  readonly wrongSources: readonly Endpoint[];
}

export type Exchanged = Tally &
  (
    | {
        readonly kind: 'reply';
        readonly reply: Reply;
        /** From the last send that it can belong to. */
        readonly rttMs: number;
        /** False when a retransmission with the same ID makes `rttMs` only the least it can be (Karn). */
        readonly rttExact: boolean;
        /** It answers the question as `otherwise` puts it. */
        readonly otherwise: boolean;
      }
    | { readonly kind: 'timeout'; readonly afterMs: number }
    /** Nothing but answers whose integrity check failed; the last of them. */
    | { readonly kind: 'integrity-violated'; readonly discarded: Decoded }
    /** The port is closed, or for a second nothing could be sent: one refused send is an event and no end. */
    | { readonly kind: 'network-error'; readonly error: NetError }
  );

type Ending = Exchanged extends infer E ? (E extends Exchanged ? Omit<E, keyof Tally> : never) : never;

/** Sends that one answer may belong to. */
interface Round {
  readonly bytes: Uint8Array;
  readonly sentAt: number[];
}

/** One request, sent by the schedule until an answer is accepted. Rejects only with the signal's reason. */
export async function exchange(channel: StunChannel, options: ExchangeOptions): Promise<Exchanged> {
  const { to, clock, signal, accepts } = options;
  signal.throwIfAborted();
  const ending = deferred<Ending>();
  const wrongSources: Endpoint[] = [];
  const releases: (() => void)[] = [];
  let sent = 0;
  let received = 0;
  let discarded: Decoded | undefined;
  let cancel = () => {};
  const retries = new Retries(clock);
  let cancelOtherwise = () => {};
  let shared: Round | undefined;
  let over = false;
  const refusals = new Refusals(clock);
  /** `ours`: the system would not send. A reliable transport has nothing to try again. */
  const failed = (error: NetError, ours = false): void => {
    if (refusals.isFinal(error, ours) || channel.reliable) ending.resolve({ kind: 'network-error', error });
  };

  const receive = (reply: Reply, sentAt: readonly number[], otherwise: boolean): void => {
    if (!options.acceptFrom(reply.from)) {
      if (!wrongSources.some((known) => sameEndpoint(known, reply.from))) wrongSources.push(reply.from);
      return;
    }
    if (otherwise && reply.message.class === 'error') return;
    // Two answers in one TCP segment are one answer.
    if (over) return;
    received++;
    if (accepts(reply.message)) {
      over = true;
      const possible = sentAt.filter((at) => at <= reply.at);
      const last = possible[possible.length - 1] ?? reply.at;
      ending.resolve({ kind: 'reply', reply, rttMs: reply.at - last, rttExact: possible.length <= 1, otherwise });
    } else {
      discarded = reply.message;
      // A reliable transport delivers one answer only: there is none better to wait for (RFC 8489 §9.1.4).
      if (channel.reliable) ending.resolve({ kind: 'integrity-violated', discarded });
    }
  };

  const begin = ({ transactionId, bytes }: Shot, otherwise = false): Round => {
    const round: Round = { bytes, sentAt: [] };
    releases.push(channel.expect(transactionId, (reply) => receive(reply, round.sentAt, otherwise)));
    return round;
  };

  const post = ({ bytes, sentAt }: Round, again: () => void): void => {
    // A datagram leaves while it is handed over; what the handing over costs the first time is no part of the round trip.
    const sending = channel.send(bytes, to);
    const at = clock.now();
    sentAt.push(at);
    sent++;
    sending.then(
      () => refusals.sent(),
      (error: unknown) => {
        if (!(error instanceof NetError)) return ending.reject(error);
        sentAt.splice(sentAt.indexOf(at), 1);
        sent--;
        if (over) return;
        failed(error, true);
        retries.replace(again);
      },
    );
  };

  const send = (): void => {
    const round = shared ?? begin(options.shoot());
    if (!options.freshIds) shared = round;
    post(round, send);
  };

  const sendOtherwise = (): void => {
    if (received > 0 || !options.otherwise) return;
    const round = begin(options.otherwise.shoot(), true);
    const again = (): void => post(round, again);
    again();
  };

  const timeOut = (afterMs: number): void => {
    if (discarded) ending.resolve({ kind: 'integrity-violated', discarded });
    else if (refusals.error) ending.resolve({ kind: 'network-error', error: refusals.error });
    else ending.resolve({ kind: 'timeout', afterMs });
  };

  const stop = () => ending.reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  releases.push(channel.watch(failed));
  try {
    cancel = follow(options.schedule, clock, send, timeOut);
    if (options.otherwise) cancelOtherwise = clock.after(options.otherwise.afterMs, sendOtherwise);
    const end = await ending.promise;
    return { ...end, sent, received, wrongSources };
  } finally {
    over = true;
    cancel();
    retries.stop();
    cancelOtherwise();
    signal.removeEventListener('abort', stop);
    for (const release of releases) release();
  }
}

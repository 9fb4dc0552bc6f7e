/**
 * One STUN transaction sent over and over on one socket, with every answer kept. A behaviour test is about what
 * comes back and from where, not only about the first answer, so this is wider than a request–response client.
 */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { type Clock, type NetError, onNetError, type Random } from '../../net/env.ts';
import { Refusals, Retries } from '../../net/refusals.ts';
import type { Gate } from '../../net/wait.ts';
import type { Attribute } from '../../stun/attributes.ts';
import {
  challengedSealing,
  type Credentials,
  firstSealing,
  MOST_CHALLENGES,
  type Sealing,
} from '../../stun/authentication.ts';
import { encodeBinding } from '../../stun/binding.ts';
import { type Decoded, get, mappedAddress, unknownRequired } from '../../stun/message.ts';
import type { Reply, StunMux } from '../../stun/mux.ts';
import { type LoginFault, loginOf } from '../../report/login.ts';
import { toMicroseconds } from '../../net/round.ts';
import { type Purpose, purposeName } from './purpose.ts';

/** A row of evidence: what was sent where, what came back, and what that meant. */
export interface Evidence {
  readonly test: string;
  readonly from: string;
  readonly to: string;
  readonly sent: number;
  readonly received: number;
  readonly rttMs: number | null;
  readonly verdict: string;
}

/** Exchanges that nothing but loss can leave unanswered. */
export const isLossSample = ({ purpose: { kind } }: Series): boolean =>
  kind === 'mapping' || kind === 'again' || kind === 'allocation' || kind === 'baseline';

export interface SeriesOptions {
  readonly purpose: Purpose;
  readonly mux: StunMux;
  /** How this socket appears on the routed interface, for the evidence. */
  readonly local: Endpoint;
  readonly to: Endpoint;
  /** Whose endpoint that is; a server of its own when absent. */
  readonly server?: Endpoint | undefined;
  readonly attributes?: readonly Attribute[];
  /** For a server that asks for them. */
  readonly credentials?: Credentials | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Notified of every answer and failure; shared by all series of a measurement. */
  readonly gate: Gate;
}

export class Series {
  readonly purpose: Purpose;
  readonly local: Endpoint;
  readonly to: Endpoint;
  /** Whose endpoint `to` is: the server as it was asked first. */
  readonly server: Endpoint;
  /** It carries a CHANGE-REQUEST. */
  readonly hasChange: boolean;
  readonly mux: StunMux;
  readonly replies: Reply[] = [];
  /** Set when for a second nothing could be sent, or ICMP says that nothing listens there. */
  failure: NetError | undefined;
  verdict: string | undefined;
  /** Answers that were not sealed with our credentials; they do not count (RFC 8489 §9.2.5). */
  unsealed = 0;
  readonly #sentAt: number[] = [];
  readonly #attributes: readonly Attribute[];
  readonly #credentials: Credentials | undefined;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #gate: Gate;
  readonly #refusals: Refusals;
  readonly #retries: Retries;
  #over = false;
  #sealing: Sealing;
  #challenges = 0;
  #bytes: Uint8Array = new Uint8Array();
  #release: () => void = () => {};

  constructor(options: SeriesOptions) {
    const { purpose, mux, local, to, server, attributes = [], credentials, clock, random, gate } = options;
    this.purpose = purpose;
    this.server = server ?? to;
    this.hasChange = attributes.some(({ name }) => name === 'CHANGE-REQUEST');
    this.#refusals = new Refusals(clock);
    this.#retries = new Retries(clock);
    this.mux = mux;
    this.local = local;
    this.to = to;
    this.#clock = clock;
    this.#gate = gate;
    this.#attributes = attributes;
    this.#credentials = credentials;
    this.#random = random;
    this.#sealing = firstSealing(credentials);
    this.#encode();
  }

  #encode(): void {
    const transactionId = this.#random.bytes(12);
    const { attributes, seal } = this.#sealing;
    this.#bytes = encodeBinding('request', transactionId, [...this.#attributes, ...attributes], seal);
    this.#release();
    this.#release = this.mux.expect(transactionId, (reply) => this.#hear(reply));
  }

  #hear(reply: Reply): void {
    if (!this.#sealing.accepts(reply.message)) this.unsealed++;
    else if (!this.#meets(reply.message)) this.replies.push(reply);
    this.#gate.notify();
  }

  /** Answers a challenge (RFC 8489 §9.2.4): challenge and answer are one exchange, and what was sent without a seal is not an exchange of its own. */
  #meets(message: Decoded): boolean {
    const code = message.class === 'error' ? get(message, 'ERROR-CODE')?.code : undefined;
    const asks = code === 438 || (code === 401 && !this.#sealing.seal.key);
    const next = asks ? challengedSealing(this.#credentials, message) : undefined;
    if (!next || this.#challenges++ >= MOST_CHALLENGES) return false;
    this.#sealing = next;
    this.#sentAt.length = 0;
    this.#encode();
    this.send();
    return true;
  }

  /** A send was tried. */
  begun = false;

  /** Sends that went out. */
  get sent(): number {
    return this.#sentAt.length;
  }

  /** Sends once more; what the system refuses is tried again until it goes out, or nothing has for a second. */
  send(): void {
    this.begun = true;
    // A datagram leaves while it is handed over; what the handing over costs the first time is no part of the round trip.
    const sending = this.mux.socket.send(this.#bytes, this.to);
    const at = this.#clock.now();
    this.#sentAt.push(at);
    this.#gate.notify();
    sending.then(
      () => this.#refusals.sent(),
      onNetError((error) => {
        const which = this.#sentAt.indexOf(at);
        if (which >= 0) this.#sentAt.splice(which, 1);
        if (this.#over || error.kind === 'closed') return;
        this.trouble(error, true);
        this.#retries.stop();
        if (!this.failure) this.#retries.add(() => this.send());
      }),
    );
  }

  /** An error of a send of `ours`, or one that the network told of. */
  trouble(error: NetError, ours = false): void {
    if (this.#refusals.isFinal(error, ours)) this.failure ??= error;
    this.#gate.notify();
  }

  /** What kept this series from an answer, where the system or the network said so: it may be told once, as routers limit how often they say it. */
  get hindrance(): NetError | undefined {
    return this.failure ?? (this.replies.length === 0 ? this.#refusals.error : undefined);
  }

  /** The first success answer that came from where it was asked and says what the server saw, or undefined. */
  get answer(): Reply | undefined {
    return this.#successes.find(({ message }) => isUsable(message));
  }

  /** A success answer from where it was asked that cannot be used: no mapped address, or an attribute that must be understood and is not (RFC 8489 §6.3.3). */
  get uselessAnswer(): Decoded | undefined {
    return this.answer ? undefined : this.#successes[0]?.message;
  }

  get #successes(): Reply[] {
    return this.replies.filter((reply) => reply.message.class === 'success' && sameEndpoint(reply.from, this.to));
  }

  /** An error answer from where it was asked. */
  get errorAnswer():
    | { code: number; reason: string; login: LoginFault | undefined; to?: Endpoint | undefined }
    | undefined {
    const reply = this.replies.find((each) => each.message.class === 'error' && sameEndpoint(each.from, this.to));
    if (!reply) return undefined;
    const error = get(reply.message, 'ERROR-CODE') ?? { code: 0, reason: '' };
    // To be named, not followed: each of these tests is of one server (RFC 5780).
    return {
      ...error,
      login: loginOf(error.code, this.#credentials),
      ...(error.code === 300 && { to: get(reply.message, 'ALTERNATE-SERVER') }),
    };
  }

  /**
   * Milliseconds between the send that an answer most likely belongs to and the first answer: with one ID for all
   * sends this can only be bounded from above by the first and from below by the last send before it.
   */
  get rttMs(): number | undefined {
    const reply = this.replies[0];
    if (!reply) return undefined;
    const before = this.#sentAt.filter((at) => at <= reply.at);
    const upper = reply.at - (before[0] ?? reply.at);
    const lower = reply.at - (before[before.length - 1] ?? reply.at);
    // An answer to the first send in time is unambiguous; after retransmissions the spacing of later answers tells.
    if (before.length < 2 || this.replies.length >= this.sent) return upper;
    return lower;
  }

  /** Upper bound of the round trip, ms: from the first send to the first answer. Undefined until one came. */
  get longestRttMs(): number | undefined {
    const reply = this.replies[0];
    return reply && reply.at - (this.#sentAt[0] ?? reply.at);
  }

  /** On the clock; undefined when nothing was sent. */
  get lastSentAt(): number | undefined {
    return this.#sentAt[this.#sentAt.length - 1];
  }

  /** See {@link Gate.wait}. */
  wait(done: () => boolean, ms: number, signal: AbortSignal): Promise<boolean> {
    return this.#gate.wait(done, ms, signal);
  }

  /** Stops listening; what was heard stays. */
  end(): void {
    this.#over = true;
    this.#retries.stop();
    this.#release();
  }

  /** The round trip that comes nearest to what is known of the path, ms: any send before the first answer may be the one answered. */
  #rttNear(pathMs: number): number | undefined {
    const reply = this.replies[0];
    const possible = reply ? this.#sentAt.filter((at) => at <= reply.at).map((at) => reply.at - at) : [];
    return possible.sort((a, b) => Math.abs(a - pathMs) - Math.abs(b - pathMs))[0];
  }

  /** `pathMs`: the round trip as far as the other series tell it. */
  evidence(pathMs: number): Evidence {
    const rtt = this.#rttNear(pathMs);
    return {
      test: purposeName(this.purpose),
      from: formatEndpoint(this.local),
      to: formatEndpoint(this.to),
      sent: this.sent,
      received: this.replies.length,
      rttMs: rtt === undefined ? null : toMicroseconds(rtt),
      verdict:
        this.verdict ??
        (this.hindrance
          ? this.hindrance.kind
          : this.answer
            ? 'answered'
            : this.uselessAnswer
              ? 'useless answer'
              : this.errorAnswer
                ? `error ${this.errorAnswer.code}`
                : this.unsealed > 0
                  ? 'not sealed'
                  : 'silent'),
    };
  }
}

const isUsable = (message: Decoded): boolean =>
  mappedAddress(message) !== undefined && unknownRequired(message).length === 0;

/** Whether nothing more is to be expected of this series: an answer of whatever kind, or a failure. */
export const settled = (series: Series): boolean =>
  series.answer !== undefined ||
  series.errorAnswer !== undefined ||
  series.uselessAnswer !== undefined ||
  series.failure !== undefined;

/** Sends at the given gaps until `done`, and after the last send waits its gap too. True when done. */
export async function sendUntil(
  series: Series,
  gaps: Iterable<number>,
  done: () => boolean,
  signal: AbortSignal,
): Promise<boolean> {
  for (const gap of gaps) {
    if (done()) return true;
    series.send();
    if (await series.wait(done, gap, signal)) return true;
  }
  return done();
}

/** Opens a hole from a local port to a remote end, and, when the other side punches too, finds out whether packets pass both ways. */
import { type Endpoint, sameEndpoint } from '../../net/address.ts';
import { sameBytes } from '../../net/bytes.ts';
import { type Datagram, type Env, ignoreNetError, type NetError } from '../../net/env.ts';
import { Refusals, sendPersistently } from '../../net/refusals.ts';
import { Gate, scope, sleep } from '../../net/wait.ts';
import { LOW_TTL } from '../../nat/low-ttl.ts';
import { type Decoded, mappedAddress, transactionKey } from '../../stun/message.ts';
import type { StunMux } from '../../stun/mux.ts';
import type { LocalPort, SendingEnd } from './local-port.ts';
import { answeredBy, punchAnswer, punchIndication, punchRequest, readPunch } from './packet.ts';

export interface PunchOptions {
  readonly remote: Endpoint;
  /** Packets to send to each target; as long as it waits when absent, but at least one. */
  readonly count?: number | undefined;
  readonly intervalMs: number;
  /**
   * Time to live of the packets that open the hole. When absent the system's; but where the other side is waited for, the first packet has
   * {@link LOW_TTL}: it opens our own NAT, and the other one's cannot refuse what never came there.
   */
  readonly ttl?: number | undefined;
  /** What to send in place of probes, which are what the other side recognises. */
  readonly payload?: Uint8Array | undefined;
  /** How long the other side is waited for, ms; 0 sends and goes. */
  readonly waitMs: number;
}

export interface PunchPeer {
  /** Where its packets come from. */
  readonly address: Endpoint;
  readonly rttMs: number;
  /** How our packets look there; undefined with a payload of one's own. */
  readonly seenAs: Endpoint | undefined;
  /** `echo`: our own datagram came back unchanged. */
  readonly speaker: 'punch' | 'listen' | 'echo' | 'other';
}

export interface Punched {
  /** As it appears on the routed interface. */
  readonly local: Endpoint;
  /** Packets that the system took. */
  readonly sent: number;
  /** Datagrams from the remote address, of whatever kind. */
  readonly received: number;
  /** The first answer to a packet of ours. */
  readonly peer: PunchPeer | undefined;
  /** A probe of the other side arrived and was answered. */
  readonly heard: boolean;
  /** It has told us that our answer arrived. */
  readonly confirmed: boolean;
  /** ICMP port unreachable came back, or, as the end of it, for a second nothing could be sent. */
  readonly failure: NetError | undefined;
}

/** A symmetric peer has other ports than the one we were told. */
const MOST_TARGETS = 8;
/** After our success, how long the other side may still need our answers. */
const LINGER_MS = 1000;

/** Punches until it is open both ways, the wait is over, or the signal aborts; never rejects for what the network does. */
export async function punch(
  env: Pick<Env, 'clock' | 'random'>,
  port: LocalPort,
  options: PunchOptions,
  signal: AbortSignal,
): Promise<Punched> {
  const way = await port.towards(options.remote, signal);
  try {
    return await new Punching(env, way, options).run(signal);
  } finally {
    way.release();
  }
}

class Punching {
  readonly #env: Pick<Env, 'clock' | 'random'>;
  readonly #way: SendingEnd;
  readonly #mux: StunMux;
  readonly #options: PunchOptions;
  readonly #gate: Gate;
  readonly #targets: Endpoint[];
  readonly #releases: (() => void)[] = [];
  readonly #sending: Promise<void>[] = [];
  readonly #refusals: Refusals;
  /** When the probes left, by their IDs. */
  readonly #probes = new Map<string, number>();
  #signal: AbortSignal | undefined;
  #sent = 0;
  #lastSentAt = 0;
  #received = 0;
  #peer: PunchPeer | undefined;
  #heard = false;
  #confirmed = false;
  /** ICMP port unreachable: there may be somebody later. */
  #refused: NetError | undefined;
  #fatal: NetError | undefined;

  constructor(env: Pick<Env, 'clock' | 'random'>, way: SendingEnd, options: PunchOptions) {
    this.#env = env;
    this.#way = way;
    this.#mux = way.mux;
    this.#options = options;
    this.#gate = new Gate(env.clock);
    this.#refusals = new Refusals(env.clock);
    this.#targets = [options.remote];
  }

  async run(signal: AbortSignal): Promise<Punched> {
    const { waitMs } = this.#options;
    const mux = this.#mux;
    mux.onOther = (datagram) => this.#hear(datagram);
    this.#releases.push(mux.watch((error) => this.#fail(error, false)));
    const bounds = scope(this.#env.clock, signal, waitMs > 0 ? waitMs : undefined);
    this.#signal = bounds.signal;
    try {
      const sending = this.#send(bounds.signal);
      sending.catch(() => {});
      if (waitMs > 0) {
        if (await this.#gate.wait(() => this.#isOver(), waitMs, bounds.signal)) await this.#linger(signal);
      } else await sending;
    } catch (error) {
      if (!bounds.signal.aborted) throw error;
    } finally {
      bounds.abort();
      await Promise.all(this.#sending);
      for (const release of this.#releases) release();
      mux.onOther = undefined;
    }
    return {
      local: this.#way.local,
      sent: this.#sent,
      received: this.#received,
      peer: this.#peer,
      heard: this.#heard,
      confirmed: this.#confirmed,
      failure: this.#fatal ?? this.#refused,
    };
  }

  #isOver(): boolean {
    return this.#peer !== undefined || this.#fatal !== undefined;
  }

  async #send(signal: AbortSignal): Promise<void> {
    const { count, intervalMs, waitMs } = this.#options;
    const most = count ?? (waitMs > 0 ? Number.POSITIVE_INFINITY : 1);
    const quiet = this.#options.ttl ?? (waitMs > 0 && count === undefined ? LOW_TTL : undefined);
    for (let i = 0; i < most && !this.#isOver(); i++) {
      if (i > 0) await sleep(this.#env.clock, intervalMs, signal);
      if (this.#isOver()) return;
      for (const target of this.#targets) this.#probe(target, i === 0 ? quiet : this.#options.ttl);
    }
    await Promise.all(this.#sending);
  }

  #probe(to: Endpoint, ttl?: number): void {
    const { clock, random } = this.#env;
    let data = this.#options.payload;
    let left = (): void => {};
    if (!data) {
      const id = random.bytes(12);
      const key = transactionKey(id);
      data = punchRequest(id);
      this.#probes.set(key, clock.now());
      left = () => void this.#probes.set(key, this.#lastSentAt);
      this.#releases.push(
        this.#mux.expect(id, ({ message, from, at }) =>
          this.#answered(message, from, to, at - (this.#probes.get(key) ?? at)),
        ),
      );
    }
    this.#sending.push(this.#persist(data, to, ttl, left));
  }

  /** Until the system has taken it: a refused send is an event, and no end. */
  async #persist(data: Uint8Array, to: Endpoint, ttl: number | undefined, left: () => void): Promise<void> {
    const { clock } = this.#env;
    const signal = this.#signal as AbortSignal;
    const send = (): Promise<void> => {
      this.#lastSentAt = clock.now();
      left();
      return this.#mux.socket.send(data, to, { ttl });
    };
    try {
      if (await sendPersistently(clock, send, (error) => this.#fail(error, true), signal)) return;
      this.#sent++;
      this.#refusals.sent();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #out(data: Uint8Array, to: Endpoint): void {
    this.#sending.push(this.#mux.socket.send(data, to).catch(ignoreNetError));
  }

  /** Whether that is the end. */
  #fail(error: NetError, ours: boolean): boolean {
    if (error.kind === 'refused') this.#refused ??= error;
    else if (this.#refusals.isFinal(error, ours)) this.#fatal ??= error;
    this.#gate.notify();
    return this.#fatal !== undefined;
  }

  #answered(message: Decoded, from: Endpoint, to: Endpoint, rttMs: number): void {
    if (message.class !== 'success' || !sameEndpoint(from, to)) return;
    this.#received++;
    this.#succeed({ address: from, rttMs, seenAs: mappedAddress(message), speaker: answeredBy(message) ?? 'other' });
  }

  #succeed(peer: PunchPeer): void {
    if (this.#peer) return;
    this.#peer = peer;
    if (peer.speaker === 'punch') this.#out(punchIndication(this.#env.random.bytes(12)), peer.address);
    this.#gate.notify();
  }

  #hear({ data, from, at }: Datagram): void {
    if (from.address !== this.#options.remote.address) return;
    this.#received++;
    const { payload } = this.#options;
    const packet = readPunch(data);
    if (!packet) {
      // With a payload of one's own whatever comes back is the answer.
      if (!payload) return;
      const speaker = sameBytes(data, payload) ? 'echo' : 'other';
      this.#succeed({ address: from, rttMs: at - this.#lastSentAt, seenAs: undefined, speaker });
      return;
    }
    if (packet.kind === 'indication') {
      this.#confirmed = true;
      this.#gate.notify();
      return;
    }
    const sentAt = this.#probes.get(transactionKey(packet.message.transactionId));
    if (sentAt !== undefined) {
      this.#succeed({ address: from, rttMs: at - sentAt, seenAs: undefined, speaker: 'echo' });
      return;
    }
    this.#heard = true;
    this.#out(punchAnswer(packet.message, from, 'punch'), from);
    if (this.#peer) this.#out(punchIndication(this.#env.random.bytes(12)), from);
    else {
      if (!this.#targets.some((target) => sameEndpoint(target, from)) && this.#targets.length < MOST_TARGETS)
        this.#targets.push(from);
      // Its packet came in, so now ours will: no need to wait for the next turn, nor for a low time to live.
      if (!payload) this.#probe(from);
    }
  }

  /** The other side may not know yet: its packets must go on being answered until it says so. */
  async #linger(signal: AbortSignal): Promise<void> {
    if (this.#peer?.speaker !== 'punch') return;
    await this.#gate.wait(() => this.#confirmed, LINGER_MS, signal);
  }
}

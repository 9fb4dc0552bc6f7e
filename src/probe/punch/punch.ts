/** Opens a hole from a local port to a remote end, and, when the other side punches too, finds out whether packets pass both ways. */
import { type Endpoint, sameEndpoint } from '../../net/address.ts';
import { type Datagram, type Env, ignoreNetError, type NetError, onNetError } from '../../net/env.ts';
import { Gate, scope, sleep } from '../../net/wait.ts';
import { type Decoded, mappedAddress } from '../../stun/message.ts';
import type { StunMux } from '../../stun/mux.ts';
import type { LocalPort, Way } from './local-port.ts';
import { answerPunch } from './hole-keeping.ts';
import { answeredBy, punchAnswer, punchIndication, punchRequest, readPunch } from './packet.ts';

export interface PunchOptions {
  readonly remote: Endpoint;
  /** Packets to send to each target; as long as it waits when absent, but at least one. */
  readonly count?: number | undefined;
  readonly intervalMs: number;
  /** Time to live of the packets that open the hole; the system's when absent. */
  readonly ttl?: number | undefined;
  /** What to send in place of probes, which are what the other side recognises. */
  readonly payload?: Uint8Array | undefined;
  /** How long the other side is waited for, ms; 0 sends and goes. */
  readonly waitMs: number;
  /** When the first packet has left. */
  readonly onSent?: (() => void) | undefined;
}

export interface Peer {
  /** Where its packets come from. */
  readonly address: Endpoint;
  readonly rttMs: number;
  /** How our packets look there; undefined with a payload of one's own. */
  readonly seenAs: Endpoint | undefined;
  readonly speaker: 'punch' | 'listen' | 'other';
}

export interface Punched {
  /** As it appears on the routed interface. */
  readonly local: Endpoint;
  readonly sent: number;
  /** Datagrams from the remote address, of whatever kind. */
  readonly received: number;
  /** The first answer to a packet of ours. */
  readonly peer: Peer | undefined;
  /** A probe of the other side arrived and was answered. */
  readonly heard: boolean;
  /** It has told us that our answer arrived. */
  readonly confirmed: boolean;
  /** The system refused to send, or ICMP came back. */
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
  readonly #way: Way;
  readonly #mux: StunMux;
  readonly #options: PunchOptions;
  readonly #gate: Gate;
  readonly #targets: Endpoint[];
  readonly #releases: (() => void)[] = [];
  readonly #sending: Promise<void>[] = [];
  #sent = 0;
  #firstSentAt = 0;
  #received = 0;
  #peer: Peer | undefined;
  #heard = false;
  #confirmed = false;
  #failure: NetError | undefined;

  constructor(env: Pick<Env, 'clock' | 'random'>, way: Way, options: PunchOptions) {
    this.#env = env;
    this.#way = way;
    this.#mux = way.mux;
    this.#options = options;
    this.#gate = new Gate(env.clock);
    this.#targets = [options.remote];
  }

  async run(signal: AbortSignal): Promise<Punched> {
    const { waitMs } = this.#options;
    const mux = this.#mux;
    mux.onOther = (datagram) => this.#hear(datagram);
    this.#releases.push(mux.watch((error) => this.#fail(error)));
    const bounds = scope(this.#env.clock, signal, waitMs > 0 ? waitMs : undefined);
    try {
      const sending = this.#send(bounds.signal);
      sending.catch(() => {});
      if (waitMs > 0) {
        if (
          await this.#gate.wait(
            () => this.#peer !== undefined || this.#failure?.kind === 'unreachable',
            waitMs,
            bounds.signal,
          )
        )
          await this.#linger(signal);
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
      failure: this.#failure,
    };
  }

  async #send(signal: AbortSignal): Promise<void> {
    const { count = this.#options.waitMs > 0 ? Number.POSITIVE_INFINITY : 1, intervalMs, ttl } = this.#options;
    for (let i = 0; i < count && !this.#peer && this.#failure?.kind !== 'unreachable'; i++) {
      if (i > 0) await sleep(this.#env.clock, intervalMs, signal);
      if (this.#peer) return;
      for (const target of this.#targets) this.#probe(target, ttl);
    }
    await Promise.all(this.#sending);
  }

  #probe(to: Endpoint, ttl?: number): void {
    const { clock, random } = this.#env;
    const at = clock.now();
    if (this.#sent === 0) this.#firstSentAt = at;
    this.#sent++;
    let data = this.#options.payload;
    if (!data) {
      const id = random.bytes(12);
      data = punchRequest(id);
      this.#releases.push(
        this.#mux.expect(id, ({ message, from, at: arrived }) => this.#answered(message, from, to, arrived - at)),
      );
    }
    this.#out(data, to, ttl);
    if (this.#sent === 1) this.#options.onSent?.();
  }

  #out(data: Uint8Array, to: Endpoint, ttl?: number): void {
    this.#sending.push(
      this.#mux.socket.send(data, to, { ttl }).catch(
        onNetError((error) => {
          if (error.kind !== 'closed') this.#fail(error);
        }),
      ),
    );
  }

  #fail(error: NetError): void {
    this.#failure ??= error;
    this.#gate.notify();
  }

  #answered(message: Decoded, from: Endpoint, to: Endpoint, rttMs: number): void {
    if (message.class !== 'success' || !sameEndpoint(from, to)) return;
    this.#received++;
    this.#succeed({ address: from, rttMs, seenAs: mappedAddress(message), speaker: answeredBy(message) ?? 'other' });
  }

  #succeed(peer: Peer): void {
    if (this.#peer) return;
    this.#peer = peer;
    if (peer.speaker === 'punch') this.#out(punchIndication(this.#env.random.bytes(12)), peer.address);
    this.#gate.notify();
  }

  #hear({ data, from, at }: Datagram): void {
    if (from.address !== this.#options.remote.address) return;
    this.#received++;
    const packet = readPunch(data);
    if (!packet) {
      // With a payload of one's own whatever comes back is the answer.
      if (this.#options.payload)
        this.#succeed({ address: from, rttMs: at - this.#firstSentAt, seenAs: undefined, speaker: 'other' });
      return;
    }
    if (packet.kind === 'indication') {
      this.#confirmed = true;
      this.#gate.notify();
      return;
    }
    this.#heard = true;
    this.#out(punchAnswer(packet.message, from, 'punch'), from);
    if (this.#peer) this.#out(punchIndication(this.#env.random.bytes(12)), from);
    else {
      if (!this.#targets.some((target) => sameEndpoint(target, from)) && this.#targets.length < MOST_TARGETS)
        this.#targets.push(from);
      // Its packet came in, so now ours will: no need to wait for the next turn, nor for a low time to live.
      if (!this.#options.payload) this.#probe(from);
    }
  }

  /** The other side may not know yet: its packets must go on being answered until it says so. */
  async #linger(signal: AbortSignal): Promise<void> {
    if (this.#peer?.speaker !== 'punch') return;
    await this.#gate.wait(() => this.#confirmed, LINGER_MS, signal);
  }
}

export interface KeepOptions {
  readonly everyMs: number;
  readonly payload?: Uint8Array | undefined;
  readonly ttl?: number | undefined;
  /** A probe of the other side came in and was answered. Not on a shared port, where the other program hears it. */
  readonly onHeard?: ((from: Endpoint) => void) | undefined;
}

/** Keeps a hole open until the signal aborts: one small packet every so often. Resolves to the packets sent. */
export async function keepOpen(
  env: Pick<Env, 'clock' | 'random'>,
  port: LocalPort,
  to: Endpoint,
  options: KeepOptions,
  signal: AbortSignal,
): Promise<number> {
  const answer = ({ mux }: Way): void => {
    mux.onOther = (datagram) => {
      if (answerPunch(mux.socket, datagram, 'punch') === 'request') options.onHeard?.(datagram.from);
    };
  };
  let sent = 0;
  if (!port.shared) answer(await port.towards(to, signal));
  for (;;) {
    try {
      await sleep(env.clock, options.everyMs, signal);
      // A shared port is held only while sending.
      const way = await port.towards(to, signal);
      const { socket } = way.mux;
      const data = options.payload ?? punchIndication(env.random.bytes(12));
      await socket.send(data, to, { ttl: options.ttl }).catch(ignoreNetError);
      sent++;
      way.release();
    } catch (error) {
      if (signal.aborted) return sent;
      ignoreNetError(error);
    }
  }
}

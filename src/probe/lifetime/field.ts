/** What all parts of one measurement share: the outside, the control, the clock, and how packets are counted. */
import { type Endpoint, familyOf } from '../../net/address.ts';
import { type Env, ignoreNetError } from '../../net/env.ts';
import { Gate } from '../../net/wait.ts';
import { transactionKey } from '../../stun/message.ts';
import { Hole } from './hole.ts';
import type { Outside } from './outside.ts';

export type LifetimeEnv = Pick<Env, 'clock' | 'random' | 'udp'>;

/** A packet from inside; `heardAt` is when the outside, or with `back` the hole itself, was heard to have got it. */
export interface Call {
  readonly sentAt: number;
  heardAt: number | undefined;
  mapped: Endpoint | undefined;
}

/** A packet from outside to a hole. */
export interface Knock {
  readonly sentAt: number;
  heardAt: number | undefined;
}

/** Wall clock and monotonic clock may part by so much: more, and this host slept, or its clock was set. */
const CLOCKS_PART_MS = 2_000;

export class Field {
  readonly env: LifetimeEnv;
  readonly outside: Outside;
  /** Notified whenever anything is heard. */
  readonly gate: Gate;
  /** Datagrams sent by this host. */
  packets = 0;
  /** Sockets that have sent. */
  mappings = 0;
  /** How many may. */
  mostMappings = Number.POSITIVE_INFINITY;
  /** The longest round trip seen of late, ms. */
  roundTripMs = 0;
  readonly #source: string | undefined;
  readonly #calls = new Map<string, (from: Endpoint) => void>();
  readonly #holes = new Set<Hole>();
  readonly #wallOffset: number;

  constructor(env: LifetimeEnv, outside: Outside, source: string | undefined) {
    this.env = env;
    this.outside = outside;
    this.gate = new Gate(env.clock);
    this.#source = source;
    this.#wallOffset = this.#offset();
    outside.onSent = () => void this.packets++;
    outside.onSeen = (token, from) => {
      this.#calls.get(transactionKey(token))?.(from);
      this.gate.notify();
    };
  }

  /** Whether this host slept, or its clock was set: ages that were measured across that are worth nothing. */
  get clocksParted(): boolean {
    return Math.abs(this.#offset() - this.#wallOffset) > CLOCKS_PART_MS;
  }

  /** How long an answer is waited for. */
  get answerMs(): number {
    return 2 * this.roundTripMs + 200;
  }

  /** Rejects with NetError, as {@link Udp.open}. */
  async open(signal: AbortSignal): Promise<Hole> {
    const { remote } = this.outside;
    const socket = await this.env.udp.open({ family: familyOf(remote.address), address: this.#source }, signal);
    const hole = new Hole(socket, remote, this.env.clock.now(), () => this.gate.notify());
    this.#holes.add(hole);
    return hole;
  }

  /** Whether packets from outside can be sent to it. */
  isReachable({ mapped, spoiled }: Hole): boolean {
    return !spoiled && mapped !== undefined && this.outside.reaches(mapped);
  }

  /** Sends from the hole to the outside. */
  call(hole: Hole, back: boolean): Call {
    const token = this.env.random.bytes(12);
    const call: Call = { sentAt: this.env.clock.now(), heardAt: undefined, mapped: undefined };
    const heard = (at: number, mapped: Endpoint | undefined): void => {
      if (call.heardAt !== undefined) return;
      call.heardAt = at;
      call.mapped = mapped;
      this.#took(at - call.sentAt);
    };
    if (back) hole.expect(token, heard);
    else this.#calls.set(transactionKey(token), (from) => heard(this.env.clock.now(), from));
    this.packets++;
    hole.socket.send(this.outside.letter(token, back), this.outside.remote).catch(ignoreNetError);
    return call;
  }

  /** Has the outside send to the hole. */
  knock(hole: Hole): Knock {
    const token = this.env.random.bytes(12);
    const knock: Knock = { sentAt: this.env.clock.now(), heardAt: undefined };
    hole.expect(token, (at) => {
      if (knock.heardAt !== undefined) return;
      knock.heardAt = at;
      this.#took(at - knock.sentAt);
    });
    if (hole.mapped) this.outside.send(hole.mapped, token);
    return knock;
  }

  close(hole: Hole): void {
    if (!this.#holes.delete(hole)) return;
    hole.closed = true;
    hole.socket.close();
  }

  closeAll(): void {
    for (const hole of [...this.#holes]) this.close(hole);
    this.outside.close();
  }

  #took(ms: number): void {
    this.roundTripMs = Math.max(this.roundTripMs * 0.98, ms);
  }

  #offset(): number {
    const { clock } = this.env;
    return clock.date().getTime() - clock.now();
  }
}

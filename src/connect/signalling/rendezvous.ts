/** Signalling by way of a rendezvous server, on the very socket whose mapping the peer will be told. */
import { type Endpoint, isAnyAddress, sameEndpoint } from '../../net/address.ts';
import type { Clock, Datagram, NetError, Random } from '../../net/env.ts';
import { type Decoded, encode, get, mappedAddress, METHOD } from '../../stun/message.ts';
import type { StunMux } from '../../stun/mux.ts';
import { COOKIE_BYTES, decodeState, encodeRegister, REFRESH_MS, type RoomState } from '../../rendezvous/protocol.ts';
import { isFinal, type Signal, type SignalListener, type SignalStatus } from './signalling.ts';

export interface RendezvousOptions {
  readonly mux: StunMux;
  readonly server: Endpoint;
  readonly room: Uint8Array;
  readonly member: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  /** The server answered in an earlier session: its silence may be a passing one. */
  readonly proven?: boolean | undefined;
  /** Begins to look out for a closed port on the server's side, where it is silent; the returned function ends that. */
  readonly watchRefusal?: ((refused: (error: NetError) => void) => () => void) | undefined;
  /** Each answer is a STUN answer too: where the server sees this socket, and where else it answers. */
  readonly observed: (seen: {
    readonly mapped: Endpoint;
    readonly alternates: readonly Endpoint[];
    readonly rttMs: number;
    readonly at: number;
  }) => void;
}

/** Waits before a register is sent again, as long as it is not answered. */
const RETRY_MS: readonly number[] = [100, 200, 400, 800, 1000];
/** After so many registers without an answer, 300 ms, it may be that nobody is there. */
const DOUBT_TRIES = 2;
/** A server that has never answered is given up after so long: five registers, and a second for the answer to the last. */
const FIRST_SILENT_MS = 2_500;
/** And one that has answered before, or whose network is just coming back. */
const SILENT_MS = 6_000;
/** Answers to the latest requests that are waited for. */
const MOST_OUTSTANDING = 8;

export class RendezvousSignal implements Signal {
  readonly #options: RendezvousOptions;
  #listener: SignalListener | undefined;
  #payload: Uint8Array | undefined;
  #sequence = 0;
  /** Of our payload, as the server holds it. */
  #stored = 0;
  #heard = 0;
  #cookie: Uint8Array = new Uint8Array(COOKIE_BYTES);
  #status: SignalStatus | undefined;
  #tries = 0;
  #unansweredSince: number | undefined;
  #cancel: () => void = () => {};
  #endWatch: (() => void) | undefined;
  readonly #expected: (() => void)[] = [];
  #closed = false;

  constructor(options: RendezvousOptions) {
    this.#options = options;
  }

  subscribe(listener: SignalListener): void {
    this.#listener = listener;
  }

  publish(payload: Uint8Array): void {
    if (this.#closed || (this.#status && isFinal(this.#status))) return;
    this.#payload = payload;
    this.#sequence++;
    this.#ask();
  }

  /** Asks again at once: the peer seems to be there, but its news did not come. */
  refresh(): void {
    if (!this.#closed && this.#sequence > 0 && this.#unansweredSince === undefined) this.#ask();
  }

  /** Gives the signal what came unasked from the server; true where it was meant for it. */
  accept({ from }: Datagram, message: Decoded): boolean {
    if (message.class !== 'indication' || !sameEndpoint(from, this.#options.server)) return false;
    const state = decodeState(message);
    if (!state) return false;
    // Only the server knows the cookie that belongs to our address.
    if (!this.#closed && state.cookie.every((byte, i) => byte === this.#cookie[i])) this.#take(state, true);
    return true;
  }

  /** The socket heard that the server's port is closed. */
  failed(error: NetError): void {
    if (error.kind === 'refused' || error.kind === 'unreachable') this.#end('refused');
  }

  close(): void {
    if (this.#closed) return;
    if (this.#sequence > 0 && !(this.#status && isFinal(this.#status))) this.#send(true);
    this.#stop();
  }

  #ask(): void {
    this.#tries = 0;
    this.#unansweredSince ??= this.#options.clock.now();
    this.#try();
  }

  #try(): void {
    const { clock, proven } = this.#options;
    const patience = proven || this.#status !== undefined ? SILENT_MS : FIRST_SILENT_MS;
    if (this.#unansweredSince !== undefined && clock.now() - this.#unansweredSince >= patience)
      return this.#end('silent');
    if (this.#tries === DOUBT_TRIES && !proven && this.#status === undefined)
      this.#endWatch ??= this.#options.watchRefusal?.((error) => this.failed(error));
    this.#send(false);
    const wait = RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)] as number;
    this.#arm(wait, () => this.#try());
  }

  #arm(ms: number, wake: () => void): void {
    this.#cancel();
    this.#cancel = this.#options.clock.after(ms, wake);
  }

  #send(bye: boolean): void {
    const { mux, server, room, member, random, clock } = this.#options;
    const transactionId = random.bytes(12);
    const register = {
      room,
      member,
      sequence: this.#sequence,
      heard: this.#heard,
      cookie: this.#cookie,
      bye,
      payload: bye ? new Uint8Array() : (this.#payload ?? new Uint8Array()),
    };
    const data = encode({
      class: 'request',
      method: METHOD.binding,
      transactionId,
      attributes: [encodeRegister(register)],
    });
    const sentAt = clock.now();
    if (!bye) {
      this.#expected.push(
        mux.expect(transactionId, ({ message, from, at }) => {
          if (sameEndpoint(from, server)) this.#answered(message, at, at - sentAt);
        }),
      );
      if (this.#expected.length > MOST_OUTSTANDING) this.#expected.shift()?.();
    }
    mux.send(data, server).catch((error: NetError) => {
      if (!bye) this.failed(error);
    });
  }

  #answered(message: Decoded, at: number, rttMs: number): void {
    if (this.#closed) return;
    this.#endWatch?.();
    if (message.class === 'error')
      return this.#end((get(message, 'ERROR-CODE')?.code ?? 0) === 420 ? 'unsupported' : 'refused');
    const state = decodeState(message);
    if (!state) return this.#end('unsupported');
    const mapped = mappedAddress(message);
    if (mapped)
      this.#options.observed({
        mapped,
        alternates: state.alternates.map((each) =>
          isAnyAddress(each.address) ? { address: this.#options.server.address, port: each.port } : each,
        ),
        rttMs,
        at,
      });
    this.#take(state, false);
  }

  #take(state: RoomState, pushed: boolean): void {
    if (this.#closed) return;
    const first = this.#cookie.every((byte) => byte === 0);
    if (!pushed) {
      this.#cookie = state.cookie;
      this.#stored = Math.max(this.#stored, state.stored);
    }
    const { peer } = state;
    const news = peer && peer.sequence > this.#heard ? peer : undefined;
    if (news) this.#heard = news.sequence;
    const refused = state.status === 'full' || state.status === 'used' || state.status === 'busy';
    // A room that closed after we met has done its work.
    if (refused && !(state.status === 'used' && this.#heard > 0)) return this.#end(state.status as SignalStatus);
    if (!pushed && this.#stored >= this.#sequence) this.#unansweredSince = undefined;
    // The acknowledgement, and, the first time, the proof that we hear the server.
    if (news || (first && !pushed)) this.#send(false);
    if (this.#unansweredSince === undefined) this.#arm(REFRESH_MS, () => this.#ask());
    this.#tell(state.status === 'waiting' ? 'waiting' : state.status === 'left' ? 'peer-left' : 'paired');
    if (news) this.#listener?.peer({ member: news.member, payload: news.payload, observed: news.observed });
  }

  #tell(status: SignalStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#listener?.status(status);
  }

  #end(status: SignalStatus): void {
    if (this.#closed) return;
    this.#stop();
    this.#tell(status);
  }

  #stop(): void {
    this.#closed = true;
    this.#cancel();
    this.#endWatch?.();
    for (const release of this.#expected) release();
  }
}

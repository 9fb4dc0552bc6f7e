/**
 * A member of a rendezvous room, as a pure machine. It registers until it is answered, then every {@link REFRESH_MS}; tells the server
 * its whole state each time, and its peer's news once for each that is new.
 *
 * It is given everything that its socket hears, and takes from it what came from the server and belongs to it: answers to its own
 * registers by their transaction ID, and pushes by the cookie, which only the server and whoever hears our address can know.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Endpoint, isAnyAddress, sameEndpoint } from '../net/address.ts';
import { sameBytes } from '../net/bytes.ts';
import type { Random } from '../net/env.ts';
import type { Machine } from '../net/machine.ts';
import { encodeBinding } from '../stun/binding.ts';
import { type Decoded, get, mappedAddress, transactionKey } from '../stun/message.ts';
import { decodeRelay, offerOf, type RelayOffer } from './relay.ts';
import { COOKIE_BYTES, decodeState, encodeRegister, type PeerState, REFRESH_MS, type RoomState } from './protocol.ts';

export interface ClientOptions {
  readonly server: Endpoint;
  /** {@link ROOM_BYTES} long. */
  readonly room: Uint8Array;
  /** {@link MEMBER_BYTES} long. */
  readonly member: Uint8Array;
  readonly random: Random;
  /** The server answered in an earlier run: its silence may be a passing one. */
  readonly proven?: boolean | undefined;
}

export type ClientStatus =
  | 'waiting' //     nobody else is there yet
  | 'paired' //      the peer is there
  | 'peer-left' //   the peer said goodbye
  // Final.
  | 'full' //        two others use this room
  | 'used' //        this room has served its two members
  | 'busy' //        the server takes no more rooms
  | 'unsupported' // the server knows no rendezvous
  | 'refused' //     the server's port is closed, or it answers with errors
  | 'silent'; //     the server never answered, or no longer does

export type ClientEvent =
  /** Tells the peer this, now or when it comes, in place of what was published before. At most {@link MOST_PAYLOAD} bytes. */
  | { readonly kind: 'publish'; readonly payload: Uint8Array }
  /** Asks again at once: the peer seems to be there, but its news did not come. */
  | { readonly kind: 'refresh' }
  /** What the socket heard. `at`: its arrival. */
  | { readonly kind: 'message'; readonly message: Decoded; readonly from: Endpoint; readonly at: number }
  /** From now on what is sent leaves by another way, by which the server sees us elsewhere; it may be another address of that. */
  | { readonly kind: 'moved'; readonly server?: Endpoint | undefined }
  /** The server's port is closed, or no way leads there. */
  | { readonly kind: 'unreachable' }
  /** Says goodbye, if the server may know of us. */
  | { readonly kind: 'close' };

export type ClientAction =
  /** To the server. */
  | { readonly kind: 'send'; readonly data: Uint8Array }
  /** Each answer is a STUN answer too: where the server sees this socket, and where else it answers. */
  | {
      readonly kind: 'observed';
      readonly mapped: Endpoint;
      readonly alternates: readonly Endpoint[];
      readonly rttMs: number;
    }
  /** It has changed. */
  | { readonly kind: 'status'; readonly status: ClientStatus }
  /** The server relays for this room, as this member: told once, and again where it has changed. */
  | { readonly kind: 'relay'; readonly offer: RelayOffer }
  /** The peer's state, newer than any before. */
  | { readonly kind: 'peer'; readonly peer: PeerState };

/** Waits before a register is sent again, as long as it is not answered. */
const RETRY_MS: readonly number[] = [100, 200, 400, 800, 1000];
/** A server that has never answered is given up after so long: five registers, and a second for the answer to the last. */
const FIRST_SILENT_MS = 2_500;
/** And one that has answered before, or whose network is just coming back. */
const SILENT_MS = 6_000;
/** Answers to the latest requests that are waited for. */
const MOST_OUTSTANDING = 8;

export class RendezvousClient implements Machine<ClientEvent, ClientAction> {
  readonly #options: ClientOptions;
  #server: Endpoint;
  #payload: Uint8Array = new Uint8Array();
  #sequence = 0;
  /** Of our payload, as the server holds it. */
  #stored = 0;
  /** Of the peer's, as we hold it. */
  #heard = 0;
  /** As the server gave it last; none before its first answer. */
  #cookie: Uint8Array | undefined;
  #offer: RelayOffer | undefined;
  #status: ClientStatus | undefined;
  #tries = 0;
  #unansweredSince: number | undefined;
  /** The next register is due; a retry while one is unanswered, a refresh otherwise. */
  #dueAt: number | undefined;
  /** The question that waits for its answer was asked to show a cookie. */
  #proving = false;
  /** When each register left, by transaction. */
  readonly #sentAt = new Map<string, number>();
  #closed = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#server = options.server;
  }

  /** The address of it that is asked. */
  get server(): Endpoint {
    return this.#server;
  }

  /** Whether a message is this client's affair; others may have the rest. */
  owns(message: Decoded, from: Endpoint): boolean {
    if (!sameEndpoint(from, this.#server)) return false;
    if (message.class === 'indication') return decodeState(message) !== undefined;
    return message.class !== 'request' && this.#sentAt.has(transactionKey(message.transactionId));
  }

  handle(event: ClientEvent, now: number): ClientAction[] {
    if (this.#closed) return [];
    switch (event.kind) {
      case 'publish':
        this.#payload = event.payload;
        this.#sequence++;
        return this.#ask(now);
      case 'refresh':
        return this.#sequence > 0 && this.#unansweredSince === undefined ? this.#ask(now) : [];
      case 'message':
        return this.owns(event.message, event.from) ? this.#hear(event.message, event.at, now) : [];
      case 'moved':
        this.#server = event.server ?? this.#server;
        if (this.#sequence === 0) return [];
        this.#unansweredSince = undefined;
        return this.#ask(now);
      case 'unreachable':
        return this.#end('refused');
      case 'close': {
        const goodbye = this.#sequence > 0 ? [this.#register(now, true)] : [];
        this.#stop();
        return goodbye;
      }
    }
  }

  wakeAt(): number | undefined {
    return this.#dueAt;
  }

  wake(now: number): ClientAction[] {
    if (this.#dueAt === undefined || now < this.#dueAt) return [];
    return this.#unansweredSince === undefined ? this.#ask(now) : this.#try(now);
  }

  #ask(now: number): ClientAction[] {
    this.#tries = 0;
    this.#proving = false;
    this.#unansweredSince ??= now;
    return this.#try(now);
  }

  #try(now: number): ClientAction[] {
    const unheardOf = !this.#options.proven && this.#status === undefined;
    if (now - (this.#unansweredSince ?? now) >= (unheardOf ? FIRST_SILENT_MS : SILENT_MS)) return this.#end('silent');
    this.#dueAt = now + (RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)] as number);
    return [this.#register(now)];
  }

  #register(now: number, bye = false): ClientAction {
    const { room, member, random } = this.#options;
    const transactionId = random.bytes(12);
    const payload = bye ? new Uint8Array() : this.#payload;
    const cookie = this.#cookie ?? new Uint8Array(COOKIE_BYTES);
    const register = { room, member, sequence: this.#sequence, heard: this.#heard, cookie, bye, payload };
    this.#sentAt.set(transactionKey(transactionId), now);
    const [oldest] = this.#sentAt.keys();
    if (oldest !== undefined && this.#sentAt.size > MOST_OUTSTANDING) this.#sentAt.delete(oldest);
    return { kind: 'send', data: encodeBinding('request', transactionId, [encodeRegister(register)]) };
  }

  #hear(message: Decoded, at: number, now: number): ClientAction[] {
    const state = decodeState(message);
    if (message.class === 'indication') {
      if (!state || !this.#isCookie(state.cookie)) return [];
      return this.#take(state, true, now);
    }
    if (message.class === 'error')
      return this.#end(get(message, 'ERROR-CODE')?.code === 420 ? 'unsupported' : 'refused');
    if (!state) return this.#end('unsupported');
    const actions: ClientAction[] = [];
    const mapped = mappedAddress(message);
    const rttMs = at - (this.#sentAt.get(transactionKey(message.transactionId)) ?? at);
    actions.push(...this.#relay(message));
    if (mapped) actions.push({ kind: 'observed', mapped, alternates: this.#reachable(state.alternates), rttMs });
    return [...actions, ...this.#take(state, false, now)];
  }

  /** Only in an answer: nobody else is to lead us to a relay. */
  #relay(message: Decoded): ClientAction[] {
    const { room, member } = this.#options;
    const grant = decodeRelay(message);
    const offer = grant && offerOf(grant, room, member, this.#server);
    if (!offer || isDeepStrictEqual(offer, this.#offer)) return [];
    this.#offer = offer;
    return [{ kind: 'relay', offer }];
  }

  #isCookie(cookie: Uint8Array): boolean {
    const known = this.#cookie;
    return known !== undefined && sameBytes(cookie, known);
  }

  /** A wildcard address means: the address where we asked. */
  #reachable(alternates: readonly Endpoint[]): Endpoint[] {
    const { address } = this.#server;
    return alternates.map((each) => (isAnyAddress(each.address) ? { address, port: each.port } : each));
  }

  #take(state: RoomState, pushed: boolean, now: number): ClientAction[] {
    const unproven = !pushed && !this.#isCookie(state.cookie);
    if (!pushed) {
      this.#cookie = state.cookie;
      this.#stored = Math.max(this.#stored, state.stored);
    }
    const news = state.peer && state.peer.sequence > this.#heard ? state.peer : undefined;
    if (news) this.#heard = news.sequence;
    const { status } = state;
    // Refused is who asks. A room that closed after we met has done its work.
    const refused = status === 'full' || status === 'busy' || (status === 'used' && this.#heard === 0);
    if (refused) return pushed ? [] : this.#end(status);
    if (!pushed && this.#stored >= this.#sequence) this.#unansweredSince = undefined;
    const actions: ClientAction[] = [];
    // The proof that we hear the server, with a cookie that is new. Once for each question: it may be new each time.
    if (unproven && !this.#proving) {
      actions.push(...this.#ask(now));
      this.#proving = true;
    } else if (news) actions.push(this.#register(now));
    if (this.#unansweredSince === undefined) this.#dueAt = now + REFRESH_MS;
    actions.push(...this.#tell(status === 'waiting' ? 'waiting' : status === 'left' ? 'peer-left' : 'paired'));
    if (news) actions.push({ kind: 'peer', peer: news });
    return actions;
  }

  #tell(status: ClientStatus): ClientAction[] {
    if (status === this.#status) return [];
    this.#status = status;
    return [{ kind: 'status', status }];
  }

  #end(status: ClientStatus): ClientAction[] {
    this.#stop();
    return this.#tell(status);
  }

  #stop(): void {
    this.#closed = true;
    this.#dueAt = undefined;
  }
}

/** The relay of one side: allocated in the background when the peer is there, by whichever transport answers, and freed when it is not needed. */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import { errorWords } from '../../net/error-words.ts';
import { type Clock, NetError } from '../../net/env.ts';
import { staggered } from '../../net/stagger.ts';
import type { Waits } from '../../net/wait.ts';
import { CredentialError } from '../../stun/credentials.ts';
import type { StunTransport } from '../../stun/uri.ts';
import { endingWords, TurnError } from '../../turn/failure.ts';
import type { RelaySocket } from '../../turn/relay-socket.ts';
import type { RelayPlace } from './relay-places.ts';
import type { Socket, Sockets } from './sockets.ts';

export interface RelaysOptions {
  readonly clock: Clock;
  readonly sockets: Sockets;
  readonly waits: Waits;
  /** Known from the start. */
  readonly places: readonly RelayPlace[];
  /** A relayed socket is there, with its addresses as others see it. */
  readonly gained: (socket: Socket, relayed: readonly Endpoint[]) => void;
  /** It is gone. */
  readonly lost: (socket: number) => void;
  /** There is none to be had, and why. */
  readonly failed: (words: string) => void;
  readonly note: (event: string, details: Readonly<Record<string, unknown>>) => void;
  /** For what should not have happened. */
  readonly broken: (error: unknown) => void;
}

/** RFC 8656 §7.4. */
const FAMILY_NOT_SUPPORTED = 440;
/** How long UDP may be silent before TCP is tried beside it: four requests, of which loss takes all once in 10,000 times. */
const SILENT_MS = 1_000;
/** TLS beside TCP. */
const BESIDE_MS = 300;

export class Relays {
  readonly #options: RelaysOptions;
  readonly #places: RelayPlace[];
  readonly #addresses = new Set<string>();
  readonly #releasing = new Set<RelaySocket>();
  #open: { readonly socket: Socket; readonly relay: RelaySocket } | undefined;
  #state: 'idle' | 'wanted' | 'opening' | 'open' | 'over' = 'idle';
  #permitted: readonly string[] = [];
  #udp = true;

  constructor(options: RelaysOptions) {
    this.#options = options;
    this.#places = [...options.places];
    this.#learn(options.places);
  }

  /** One may still come, or is there. */
  get isPossible(): boolean {
    return this.#state === 'opening' || this.#state === 'open' || (this.#state === 'idle' && this.#places.length > 0);
  }

  /** Whether a relay of ours has this address, or a server that relays for both sides. */
  knows({ address }: Endpoint): boolean {
    return this.#addresses.has(address);
  }

  /** Whether a socket is ours. */
  owns(socket: number): boolean {
    return this.#open?.socket.id === socket;
  }

  /** The rendezvous relays for this meeting. What the user named comes first. */
  offer(place: RelayPlace): void {
    this.#learn([place]);
    if (this.#places.some(({ name }) => name === place.name)) return;
    this.#places.push(place);
    if (this.#state === 'wanted') this.#begin();
  }

  /** A relay is needed, or will be. `permitted`: addresses of the peer, as far as they are known now. `udp`: false where UDP is known not to pass. */
  begin(permitted: readonly string[], udp: boolean): void {
    this.#permitted = permitted;
    if (this.#state === 'open') return this.#permit();
    if (this.#state !== 'idle') return;
    this.#udp = udp;
    this.#state = 'wanted';
    if (this.#places.length > 0) this.#begin();
  }

  /** It was not needed, or is no longer; the server is asked until it has freed it. */
  release(): void {
    const open = this.#open;
    this.#open = undefined;
    this.#state = 'over';
    if (!open) return;
    this.#releasing.add(open.relay);
    open.relay.release().finally(() => this.#releasing.delete(open.relay));
  }

  /** At once. */
  close(): void {
    this.#state = 'over';
    for (const relay of this.#releasing) relay.relay.close();
    this.#open?.relay.close();
    this.#open = undefined;
  }

  #begin(): void {
    const { waits, note, failed, broken } = this.#options;
    this.#state = 'opening';
    note('attempt', {
      strategy: 'relay',
      reason: 'A relay is made ready beside all that, for when no direct way is found.',
    });
    waits
      .run((signal) => this.#allocate(signal))
      .catch((error: unknown) => {
        if (waits.ended || this.#state === 'over') return;
        const words = wordsOf(error);
        if (words === undefined) return broken(error);
        this.#state = 'over';
        note('relay-failed', { why: words });
        failed(words);
      });
  }

  /** From the first place that has one. */
  async #allocate(signal: AbortSignal): Promise<void> {
    for (let i = 0; ; i++) {
      const place = this.#places[i] as RelayPlace;
      try {
        const { relay, transport } = await this.#allocateAt(place, signal);
        if (this.#state !== 'opening') return relay.close();
        return this.#gained(relay, place, transport);
      } catch (error) {
        signal.throwIfAborted();
        if (wordsOf(error) === undefined || i + 1 >= this.#places.length) throw error;
      }
    }
  }

  /** UDP first, and TCP as soon as that was silent for a while. */
  async #allocateAt(
    { transports, open }: RelayPlace,
    signal: AbortSignal,
  ): Promise<{ readonly relay: RelaySocket; readonly transport: StunTransport }> {
    const { clock } = this.#options;
    const first = transports.filter((each) => each === 'udp' && this.#udp);
    const others = transports.filter((each) => each !== 'udp');
    const made: RelaySocket[] = [];
    const one = async (transport: StunTransport, within: AbortSignal) => {
      const options = { permitted: this.#permitted, relayFamily: 'both' } as const;
      const relay = await open(transport, options, within).catch((error: unknown) => {
        const { ending } = error instanceof TurnError ? error : {};
        if (ending?.why !== 'refused' || ending.code !== FAMILY_NOT_SUPPORTED) throw error;
        return open(transport, { ...options, relayFamily: 6 }, within);
      });
      made.push(relay);
      return { relay, transport };
    };
    const streams = (within: AbortSignal) => staggered(others, one, { clock, signal: within, delayMs: BESIDE_MS });
    const ways = [...(first.length > 0 ? [one.bind(undefined, 'udp')] : []), ...(others.length > 0 ? [streams] : [])];
    if (ways.length === 0) throw new NetError('unreachable', 'it relays over UDP alone, which does not pass here');
    const best = await staggered(ways, (way, within) => way(within), { clock, signal, delayMs: SILENT_MS });
    for (const each of made) if (each !== best.relay) each.close();
    return best;
  }

  #gained(relay: RelaySocket, { name }: RelayPlace, transport: StunTransport): void {
    const { sockets, gained, lost, note } = this.#options;
    const relayed = relay.relay.allocated?.relayed ?? [relay.local];
    const socket = sockets.adopt(relay, relay.relay.link.local, (id) => {
      this.#open = undefined;
      this.#state = 'over';
      lost(id);
    });
    this.#open = { socket, relay };
    this.#state = 'open';
    this.#permit();
    for (const { address } of relayed) this.#addresses.add(address);
    for (const each of relayed)
      note('candidate', { type: 'relay', address: formatEndpoint(each), transport, server: name });
    gained(socket, relayed);
  }

  #permit(): void {
    if (this.#permitted.length > 0) this.#open?.relay.relay.feed({ kind: 'permit', addresses: this.#permitted });
  }

  #learn(places: readonly RelayPlace[]): void {
    for (const { addresses } of places) for (const address of addresses) this.#addresses.add(address);
  }
}

/** Undefined for what is no failure of a relay. */
function wordsOf(error: unknown): string | undefined {
  if (error instanceof TurnError) return `${formatEndpoint(error.server)}: ${endingWords(error.ending)}`;
  if (error instanceof NetError) return errorWords(error);
  return error instanceof CredentialError ? error.message : undefined;
}

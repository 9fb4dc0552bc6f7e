/** Signalling by way of a rendezvous server, on the very socket whose mapping the peer will be told. */
import type { Endpoint } from '../../net/address.ts';
import { type Clock, type Datagram, NetError, type Random } from '../../net/env.ts';
import { type Driver, drive } from '../../net/machine.ts';
import { type ClientAction, type ClientEvent, RendezvousClient } from '../../rendezvous/client.ts';
import { type Decoded, tryDecode } from '../../stun/message.ts';
import type { LinkListener } from '../../turn/link.ts';
import type { RelayOffer } from '../../rendezvous/relay.ts';
import type { Resender } from '../../net/resend.ts';
import { STAGGER_MS } from '../../net/stagger.ts';
import { deferred } from '../../net/wait.ts';
import type { StreamWay } from './stream-way.ts';
import type { Observed, Signalling, SignallingListener } from './signalling.ts';

export interface RendezvousSignallingOptions {
  readonly send: Resender['send'];
  readonly server: Endpoint;
  /** The same server in the other family, which is taken where it answers and the first one is silent. */
  readonly beside?: Beside | undefined;
  readonly room: Uint8Array;
  readonly member: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  /** As in the client. */
  readonly proven: boolean;
  readonly observed: (seen: Observed) => void;
  /** The server relays for this room. */
  readonly relay: (offer: RelayOffer) => void;
  /** Begins to look out for a closed port on the server's side; the returned function ends that. */
  readonly watchRefusal: (refused: (error: NetError) => void, asked: () => void) => () => void;
  /** Makes the way that is taken where UDP stays silent; none when absent. */
  readonly makeStreamWay?: ((listener: LinkListener) => StreamWay) | undefined;
  /** UDP does not come through, and what is said from now on goes by that way. */
  readonly blocked: () => void;
  /** Whether a datagram of any server has come in. */
  readonly udpPasses: () => boolean;
}

export interface Beside {
  readonly server: Endpoint;
  /** By the socket of that family. */
  readonly send: Resender['send'];
  /** Whether the server has answered there. */
  readonly answers: Promise<boolean>;
  /** What is said from now on goes that way. */
  readonly taken: () => void;
}

/** So long UDP may be silent, three registers and what is measured beside them, before another way is looked for. */
const DOUBT_MS = 600;
/** And so long before it is taken. */
const SILENT_MS = 1_000;

export class RendezvousSignalling implements Signalling {
  readonly #options: RendezvousSignallingOptions;
  readonly #client: RendezvousClient;
  readonly #driver: Driver<ClientEvent>;
  #listener: SignallingListener | undefined;
  #cancel: (() => void) | undefined;
  readonly #way: StreamWay | undefined;
  #trouble: NetError | 'refused' | undefined;
  #heard = false;
  /** By which way words go: the main socket, that of the other family, or a connection. */
  #by: 'main' | 'beside' | 'stream' = 'main';
  #closed = false;
  readonly #begun = deferred<void>();

  constructor(options: RendezvousSignallingOptions) {
    this.#options = options;
    if (options.proven) this.#begun.resolve();
    this.#client = new RendezvousClient(options);
    this.#driver = drive(this.#client, options.clock, (action) => this.#perform(action));
    this.#way = options.makeStreamWay?.({ message: (data, at) => this.#received(data, at), failed: () => {} });
  }

  subscribe(listener: SignallingListener): void {
    this.#listener = listener;
  }

  publish(payload: Uint8Array): void {
    this.#driver.feed({ kind: 'publish', payload });
  }

  refresh(): void {
    this.#driver.feed({ kind: 'refresh' });
  }

  accept({ from, at }: Datagram, message: Decoded): boolean {
    if (!this.#client.owns(message, from)) return false;
    this.#heard = true;
    this.#cancel?.();
    this.#driver.feed({ kind: 'message', message, from, at });
    return true;
  }

  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  close(): void {
    this.#closed = true;
    this.#begun.resolve();
    this.#cancel?.();
    this.#driver.feed({ kind: 'close' });
    this.#driver.stop();
    this.#way?.close();
  }

  #send(data: Uint8Array): void {
    const { send, server, beside } = this.#options;
    if (this.#by === 'stream') return this.#way?.link?.send(data);
    if (this.#by === 'beside') return beside?.send(data, beside.server, (error) => this.#listener?.unsendable(error));
    send(data, server, (error) => this.#turn(error));
    this.#cancel ??= this.#watch();
  }

  /** For silence, and for a closed port: among the first packets, for systems tell of few (Linux of six at once, then one a second). */
  #watch(): () => void {
    const { clock, udpPasses, beside, proven, watchRefusal } = this.#options;
    const unlessUdp = (act: () => void) => (): void => {
      if (!udpPasses()) act();
    };
    const cancels = [
      // A server that has answered before may be starting again.
      ...(proven ? [] : [watchRefusal(() => this.#turn('refused'), this.#begun.resolve)]),
      ...(beside ? [clock.after(STAGGER_MS, () => void this.#crossOver())] : []),
      ...(this.#way
        ? [
            clock.after(
              DOUBT_MS,
              unlessUdp(() => void this.#way?.open()),
            ),
            clock.after(
              SILENT_MS,
              unlessUdp(() => void this.#board()),
            ),
          ]
        : []),
    ];
    return () => {
      for (const cancel of cancels) cancel();
    };
  }

  /** The main socket leads nowhere, and that is known by more than silence: tries the other ways. */
  #turn(trouble: NetError | 'refused'): void {
    this.#trouble ??= trouble;
    if (this.#by !== 'main') return;
    if (this.#heard || this.#closed || (!this.#way && !this.#options.beside)) return this.#giveUp();
    // What refuses at once does so over TCP too.
    void Promise.all([this.#crossOver(), this.#board(0)]).then((found) => {
      if (!found.includes(true) && !this.#closed) this.#giveUp();
    });
  }

  /** To the other family, where the server answers there; whether that is the way now. */
  async #crossOver(): Promise<boolean> {
    const { beside } = this.#options;
    if (!beside || !(await beside.answers) || !this.#isLost) return this.#by === 'beside';
    this.#by = 'beside';
    this.#cancel?.();
    this.#way?.close();
    beside.taken();
    this.#driver.feed({ kind: 'moved', server: beside.server });
    return true;
  }

  /** To TCP or TLS. */
  async #board(besideMs?: number): Promise<boolean> {
    const way = this.#way;
    const found = await way?.open(besideMs);
    if (found && !this.#isLost && this.#by !== 'stream') way?.close();
    if (!found || !this.#isLost) return this.#by === 'stream';
    this.#by = 'stream';
    this.#cancel?.();
    this.#options.blocked();
    this.#driver.feed({ kind: 'moved', server: way?.server });
    return true;
  }

  /** Nothing has come by the main socket, and no other way is taken. */
  get #isLost(): boolean {
    return !this.#heard && !this.#closed && this.#by === 'main';
  }

  /** The other ways lead nowhere either; the client counts the silence by itself. */
  #giveUp(): void {
    if (this.#trouble === 'refused') this.#driver.feed({ kind: 'unreachable' });
    else if (this.#trouble) this.#listener?.unsendable(this.#trouble);
  }

  /** By the other way. */
  #received(data: Uint8Array, at: number): void {
    const message = tryDecode(data);
    const { server: from } = this.#client;
    if (message && this.#client.owns(message, from)) this.#driver.feed({ kind: 'message', message, from, at });
  }

  #perform(action: ClientAction): void {
    const { observed, relay } = this.#options;
    switch (action.kind) {
      case 'send':
        return this.#send(action.data);
      case 'observed':
        // By another way it sees another port of ours.
        return this.#by === 'main' ? void observed(action) : undefined;
      case 'status':
        // What is known better than by silence.
        if (action.status === 'silent' && this.#trouble instanceof NetError)
          return this.#listener?.unsendable(this.#trouble);
        return this.#listener?.status(
          action.status === 'silent' && this.#trouble === 'refused' ? 'refused' : action.status,
        );
      case 'relay':
        return relay(action.offer);
      case 'peer':
        return this.#listener?.peer(action.peer);
    }
  }
}

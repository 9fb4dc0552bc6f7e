/** Signalling by way of a rendezvous server, on the very socket whose mapping the peer will be told. */
import type { Endpoint } from '../../net/address.ts';
import { type Clock, type Datagram, NetError, type Random } from '../../net/env.ts';
import { type Driver, drive } from '../../net/machine.ts';
import { type ClientAction, type ClientEvent, RendezvousClient } from '../../rendezvous/client.ts';
import { type Decoded, tryDecode } from '../../stun/message.ts';
import type { LinkListener } from '../../turn/link.ts';
import type { RelayOffer } from '../../rendezvous/relay.ts';
import type { Resender } from '../../net/resend.ts';
import type { StreamWay } from './stream-way.ts';
import type { Observed, Signalling, SignallingListener } from './signalling.ts';

export interface RendezvousSignallingOptions {
  readonly send: Resender['send'];
  readonly server: Endpoint;
  readonly room: Uint8Array;
  readonly member: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  /** As in the client. */
  readonly proven: boolean;
  readonly observed: (seen: Observed) => void;
  /** The server relays for this room. */
  readonly relay: (offer: RelayOffer) => void;
  /** Begins to look out for a closed port on the server's side, where it is silent; the returned function ends that. */
  readonly watchRefusal: (refused: (error: NetError) => void) => () => void;
  /** Makes the way that is taken where UDP stays silent; none when absent. */
  readonly makeStreamWay?: ((listener: LinkListener) => StreamWay) | undefined;
  /** UDP does not come through, and what is said from now on goes by that way. */
  readonly blocked: () => void;
  /** Whether a datagram of any server has come in. */
  readonly udpPasses: () => boolean;
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
  #endWatch: () => void = () => {};
  #cancel: (() => void) | undefined;
  readonly #way: StreamWay | undefined;
  #trouble: NetError | 'refused' | undefined;
  #heard = false;
  /** The other way is taken. */
  #moved = false;
  #closed = false;

  constructor(options: RendezvousSignallingOptions) {
    this.#options = options;
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
    // What comes late by a way that was left is of another address.
    if (this.#moved) return true;
    this.#heard = true;
    this.#cancel?.();
    this.#driver.feed({ kind: 'message', message, from, at });
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#driver.feed({ kind: 'close' });
    this.#driver.stop();
    this.#way?.close();
  }

  #send(data: Uint8Array): void {
    const { send, server } = this.#options;
    if (this.#moved) return this.#way?.link?.send(data);
    this.#cancel ??= this.#watchSilence();
    send(data, server, (error) => this.#turn(error));
  }

  #watchSilence(): () => void {
    const { clock, udpPasses } = this.#options;
    if (!this.#way) return () => {};
    const unlessUdp = (act: () => void) => (): void => {
      if (!udpPasses()) act();
    };
    const cancels = [
      clock.after(
        DOUBT_MS,
        unlessUdp(() => void this.#way?.open()),
      ),
      clock.after(
        SILENT_MS,
        unlessUdp(() => this.#turn()),
      ),
    ];
    return () => {
      for (const cancel of cancels) cancel();
    };
  }

  /** UDP leads nowhere, and `trouble` says more than silence: tries the other way. */
  #turn(trouble?: NetError | 'refused'): void {
    const way = this.#heard || this.#closed ? undefined : this.#way;
    this.#trouble ??= trouble;
    if (!way) return this.#giveUp();
    // What refuses at once does so over TCP too.
    void way.open(trouble && 0).then((found) => {
      if (this.#closed || this.#moved) return;
      if (this.#heard) way.close();
      if (!found || this.#heard) return this.#giveUp();
      this.#moved = true;
      this.#options.blocked();
      this.#driver.feed({ kind: 'moved' });
    });
  }

  /** The other way leads nowhere either; the client counts the silence by itself. */
  #giveUp(): void {
    if (this.#trouble === 'refused') this.#driver.feed({ kind: 'unreachable' });
    else if (this.#trouble) this.#listener?.unsendable(this.#trouble);
  }

  /** By the other way. */
  #received(data: Uint8Array, at: number): void {
    const message = tryDecode(data);
    const { server: from } = this.#options;
    if (message && this.#client.owns(message, from)) this.#driver.feed({ kind: 'message', message, from, at });
  }

  #perform(action: ClientAction): void {
    const { observed, watchRefusal, relay } = this.#options;
    switch (action.kind) {
      case 'send':
        return this.#send(action.data);
      case 'observed':
        // By the other way it sees another port of ours.
        return this.#moved ? undefined : void observed(action);
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
      case 'doubt':
        this.#endWatch = watchRefusal(() => this.#turn('refused'));
        return;
      case 'certain':
        return this.#endWatch();
    }
  }
}

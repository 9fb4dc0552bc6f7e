/** Signalling by way of a rendezvous server, on the very socket whose mapping the peer will be told. */
import type { Endpoint } from '../../net/address.ts';
import type { Clock, Datagram, NetError, Random } from '../../net/env.ts';
import { type Driver, drive } from '../../net/machine.ts';
import { type ClientAction, type ClientEvent, RendezvousClient } from '../../rendezvous/client.ts';
import type { Decoded } from '../../stun/message.ts';
import type { RelayOffer } from '../../rendezvous/relay.ts';
import type { Resender } from '../../net/resend.ts';
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
}

export class RendezvousSignalling implements Signalling {
  readonly #options: RendezvousSignallingOptions;
  readonly #client: RendezvousClient;
  readonly #driver: Driver<ClientEvent>;
  #listener: SignallingListener | undefined;
  #endWatch: () => void = () => {};

  constructor(options: RendezvousSignallingOptions) {
    this.#options = options;
    this.#client = new RendezvousClient(options);
    this.#driver = drive(this.#client, options.clock, (action) => this.#perform(action));
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
    this.#driver.feed({ kind: 'message', message, from, at });
    return true;
  }

  close(): void {
    this.#driver.feed({ kind: 'close' });
    this.#driver.stop();
  }

  #perform(action: ClientAction): void {
    const { send, server, observed, watchRefusal } = this.#options;
    switch (action.kind) {
      case 'send':
        return send(action.data, server, (error) => this.#listener?.unsendable(error));
      case 'observed':
        return observed(action);
      case 'status':
        return this.#listener?.status(action.status);
      case 'relay':
        return this.#options.relay(action.offer);
      case 'peer':
        return this.#listener?.peer(action.peer);
      case 'doubt':
        this.#endWatch = watchRefusal(() => this.#driver.feed({ kind: 'unreachable' }));
        return;
      case 'certain':
        return this.#endWatch();
    }
  }
}

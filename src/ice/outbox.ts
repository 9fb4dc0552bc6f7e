import type { Endpoint } from '../net/address.ts';
import type { IceAction, IceLog, SocketId } from './api.ts';
import type { Pair } from './pair.ts';

/** The actions of one step of the agent, in order. */
export class Outbox {
  #actions: IceAction[] = [];

  push(action: IceAction): void {
    this.#actions.push(action);
  }

  send(socket: SocketId, to: Endpoint, data: Uint8Array, ttl?: number): void {
    this.#actions.push(
      ttl === undefined ? { kind: 'send', socket, to, data } : { kind: 'send', socket, to, data, ttl },
    );
  }

  log(entry: IceLog): void {
    this.#actions.push({ kind: 'log', entry });
  }

  logPair({ socket, remote, priority }: Pair): void {
    this.log({ event: 'pair', socket, remote, priority });
  }

  flush(): IceAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }
}

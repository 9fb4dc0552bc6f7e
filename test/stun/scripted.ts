/** A UDP socket on virtual time whose far end is a script. */
import type { Endpoint } from '../../src/net/address.ts';
import type { Clock, NetError, UdpListener, UdpSocket } from '../../src/net/env.ts';
import { World } from '../../src/lab/world.ts';
import { type Decoded, decode } from '../../src/stun/message.ts';
import { StunMux } from '../../src/stun/mux.ts';

export const SERVER: Endpoint = { address: '192.0.2.1', port: 3478 };
export const CLIENT: Endpoint = { address: '203.0.113.7', port: 40000 };

export interface Arrived {
  readonly request: Decoded;
  readonly to: Endpoint;
  /** 1 for the first request. */
  readonly count: number;
  /** Delivers bytes to the client after so many ms; from where it was sent to unless told otherwise. */
  reply(data: Uint8Array, afterMs?: number, from?: Endpoint): void;
  /** Delivers an asynchronous socket error. */
  fail(error: NetError, afterMs?: number): void;
}

export class ScriptedSocket implements UdpSocket {
  readonly local = CLIENT;
  readonly sentAt: number[] = [];
  readonly requests: Decoded[] = [];
  refuse: NetError | undefined;
  #listener: UdpListener | undefined;
  readonly #world: World;
  readonly #script: (arrived: Arrived) => void;

  constructor(world: World, script: (arrived: Arrived) => void) {
    this.#world = world;
    this.#script = script;
  }

  send(data: Uint8Array, to: Endpoint = SERVER): Promise<void> {
    if (this.refuse) return Promise.reject(this.refuse);
    const request = decode(data);
    this.sentAt.push(this.#world.now);
    this.requests.push(request);
    this.#script({
      request,
      to,
      count: this.requests.length,
      reply: (bytes, afterMs = 20, from = to) => {
        this.#world.schedule(afterMs, () => this.#listener?.datagram({ data: bytes, from, at: this.#world.now }));
      },
      fail: (error, afterMs = 20) => {
        this.#world.schedule(afterMs, () => this.#listener?.error?.(error));
      },
    });
    return Promise.resolve();
  }

  listen(listener: UdpListener): void {
    this.#listener = listener;
  }

  close(): void {}
}

export interface Stage {
  readonly world: World;
  readonly clock: Clock;
  readonly socket: ScriptedSocket;
  readonly mux: StunMux;
}

export function stage(script: (arrived: Arrived) => void): Stage {
  const world = new World({ seed: 7 });
  const socket = new ScriptedSocket(world, script);
  return { world, clock: world.clock({ name: 'client', background: false }), socket, mux: new StunMux(socket) };
}

/** Processes of `serve` in one process: each datagram of a shared socket goes to the next of those that have it, as a system may choose. */
import { runWorker } from '../../../src/commands/serve/worker.ts';
import type { Datagram, Env, UdpListener, UdpSocket } from '../../../src/net/env.ts';
import type { ProcessChannel, Processes, ProcessListener } from '../../../src/net/processes.ts';

class Shared implements UdpSocket {
  readonly local;
  readonly #socket: UdpSocket;
  readonly #listeners: Map<Shared, UdpListener>;

  constructor(socket: UdpSocket, listeners: Map<Shared, UdpListener> = new Map()) {
    this.#socket = socket;
    this.local = socket.local;
    this.#listeners = listeners;
  }

  send: UdpSocket['send'] = (...words) => this.#socket.send(...words);

  listen(listener: UdpListener): void {
    if (this.#listeners.size === 0) this.#socket.listen({ datagram: (datagram) => this.#next(datagram) });
    this.#listeners.set(this, listener);
  }

  #next(datagram: Datagram): void {
    const [first] = this.#listeners;
    if (!first) return;
    const [socket, listener] = first;
    this.#listeners.delete(socket);
    this.#listeners.set(socket, listener);
    listener.datagram(datagram);
  }

  another(): Shared {
    return new Shared(this.#socket, this.#listeners);
  }

  close(): void {
    this.#listeners.delete(this);
    if (this.#listeners.size === 0) this.#socket.close();
  }
}

/** A world whose UDP sockets can be shared. */
export const sharing = (env: Env): Env => ({
  ...env,
  udp: { open: async (options, signal) => new Shared(await env.udp.open(options, signal)) },
});

interface End extends ProcessChannel {
  listener: ProcessListener | undefined;
}

export interface FewProcesses extends Processes {
  readonly started: number;
  /** Ends the oldest that runs, as the system may. */
  kill(): void;
  /** What those below have said so far. */
  readonly said: { readonly kind: string }[];
}

/** Each works in this world, on the sockets that it is given. What is said is cloned, and arrives later. */
export function processesIn(env: Env): FewProcesses {
  const running = new Set<() => void>();
  const said: { kind: string }[] = [];
  let started = 0;
  const begin = (): ProcessChannel => {
    started++;
    let over = false;
    const sockets: Shared[] = [];
    const end = (why: string): void => {
      if (over) return;
      over = true;
      running.delete(kill);
      for (const socket of sockets) socket.close();
      for (const each of [upper, lower]) void Promise.resolve().then(() => each.listener?.ended(why));
    };
    const kill = (): void => end('SIGKILL');
    const side = (other: () => End): End => ({
      listener: undefined,
      post: (message, socket) => {
        const copy: unknown = structuredClone(message);
        const theirs = socket instanceof Shared ? socket.another() : undefined;
        if (theirs) sockets.push(theirs);
        void Promise.resolve().then(() => over || other().listener?.message(copy, theirs));
      },
      offer(message) {
        this.post(message);
        return true;
      },
      listen(listener) {
        this.listener = listener;
      },
      close: () => end('closed'),
    });
    const upper: End = side(() => lower);
    const lower: End = side(() => upper);
    const post = lower.post;
    lower.post = (message) => {
      said.push(message as { kind: string });
      post(message);
    };
    running.add(kill);
    runWorker(env, lower);
    return upper;
  };
  return {
    cores: 4,
    start: begin,
    said,
    get started() {
      return started;
    },
    kill: () => [...running][0]?.(),
  };
}

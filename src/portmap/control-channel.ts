/** Questions to the router's port control, PCP and NAT-PMP alike, over one socket. */
import { familyOf } from '../net/address.ts';
import { type Env, NetError, type UdpSocket } from '../net/env.ts';
import type { Schedule } from '../net/schedule.ts';
import { deferred, sleep } from '../net/wait.ts';
import { PORT_CONTROL_PORT } from './pcp.ts';
import type { RouterAt } from './router.ts';

/** `closed`: nothing listens there. `silent`: no answer in time. */
export type Asked<T> = { readonly kind: 'answered'; readonly answer: T } | { readonly kind: 'closed' | 'silent' };

/** What reads an answer: undefined for what is another's. `at`: its arrival. */
type Reader<T> = (bytes: Uint8Array, at: number) => T | undefined;

/**
 * The socket is connected: the system itself drops whatever does not come from the router's own port (RFC 6886 §3.1, RFC 6887
 * §8.3), and reports a closed one at once.
 */
export class ControlChannel {
  readonly #env: Pick<Env, 'clock'>;
  readonly #socket: UdpSocket;
  readonly #waiting = new Set<{ hear(bytes: Uint8Array, at: number): void; refuse(): void }>();

  constructor(env: Pick<Env, 'clock'>, socket: UdpSocket) {
    this.#env = env;
    this.#socket = socket;
    socket.listen({
      datagram: ({ data, at }) => {
        for (const each of [...this.#waiting]) each.hear(data, at);
      },
      error: ({ kind }) => {
        if (kind === 'refused') for (const each of [...this.#waiting]) each.refuse();
      },
    });
  }

  /** Rejects with NetError. */
  static async open(
    env: Pick<Env, 'clock' | 'udp'>,
    { address, local }: RouterAt,
    signal?: AbortSignal,
  ): Promise<ControlChannel> {
    const remote = { address, port: PORT_CONTROL_PORT };
    return new ControlChannel(env, await env.udp.open({ family: familyOf(address), address: local, remote }, signal));
  }

  /** The asking port. */
  get port(): number {
    return this.#socket.local.port;
  }

  /** Sends by the schedule until an answer can be read. Rejects with the signal's reason. */
  async ask<T>(request: Uint8Array, read: Reader<T>, schedule: Schedule, signal?: AbortSignal): Promise<Asked<T>> {
    const { clock } = this.#env;
    const stop = new AbortController();
    const { promise, resolve } = deferred<Asked<T>>();
    const waiting = {
      hear: (bytes: Uint8Array, at: number): void => {
        const answer = read(bytes, at);
        if (answer !== undefined) resolve({ kind: 'answered', answer });
      },
      refuse: (): void => resolve({ kind: 'closed' }),
    };
    this.#waiting.add(waiting);
    const all = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const start = clock.now();
    const send = async (): Promise<Asked<T>> => {
      const sends = schedule();
      for (;;) {
        const { value, done } = sends.next();
        await sleep(clock, start + value - clock.now(), all);
        if (done) return { kind: 'silent' };
        // One that fails is as good as lost.
        await this.#socket.send(request).catch((error: unknown) => {
          if (!(error instanceof NetError)) throw error;
        });
      }
    };
    try {
      const sending = send();
      sending.catch(() => {});
      return await Promise.race([promise, sending]);
    } finally {
      this.#waiting.delete(waiting);
      stop.abort();
    }
  }

  close(): void {
    this.#socket.close();
  }
}

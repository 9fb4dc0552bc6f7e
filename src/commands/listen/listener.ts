/** The receiving side of `listen`. */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { type Datagram, ignoreNetError, type UdpSocket } from '../../net/env.ts';
import { deferred } from '../../net/wait.ts';
import { answerPunch } from '../../probe/punch/hole-keeping.ts';
import type { MappedPort } from '../datagrams/mapping.ts';
import type { DatagramEvent, DatagramOutput } from '../datagrams/output.ts';
import type { EchoGuard } from './echo.ts';

export type ListenEvent =
  | DatagramEvent
  | { readonly event: 'listening'; readonly addresses: readonly string[] }
  /** The public side of the port as the server sees it; again when it changes. */
  | {
      readonly event: 'public';
      readonly private: string;
      readonly public: string;
      readonly remote: string;
      /** The one before. */
      readonly was?: string;
      /** The NAT forgot that one in a silence of so long. */
      readonly forgottenWithinMs?: number;
    }
  /** The router keeps the port open; again when that has another public side. */
  | ({ readonly event: 'mapped' } & MappedPort)
  /** The first silence that the NAT's memory outlived after it had forgotten; `kept`: from now on there is none longer. */
  | { readonly event: 'held'; readonly everyMs: number; readonly kept: boolean }
  /** A probe of the other side's `punch` came in and was answered. */
  | { readonly event: 'punched'; readonly from: string }
  /** Our own probe came back unchanged. */
  | { readonly event: 'echo'; readonly remote: string }
  /** Our own probe was answered: the hole is open both ways. */
  | { readonly event: 'open'; readonly remote: string; readonly rttMs: number };

/** Senders told apart: a flood of forged sources must not fill the memory. Those beyond count in the sums alone. */
const MOST_SENDERS = 10_000;

interface Tally {
  datagrams: number;
  bytes: number;
}

export interface ListenerOptions {
  /** Hear every sender, not only the first. */
  readonly keepListening: boolean;
  /** Send everything back that this lets through; hears every sender. */
  readonly echo: EchoGuard | undefined;
  /** Datagrams to take; all when absent. */
  readonly count: number | undefined;
}

/** What happens to each datagram: counted, printed, echoed, or answered where it is a probe. */
export class Listener {
  readonly tallies = new Map<string, Tally & { readonly endpoint: Endpoint }>();
  readonly punched = new Set<string>();
  /** IDs of our own probes. */
  readonly probes = new Set<string>();
  readonly done = deferred<void>();
  datagrams = 0;
  bytes = 0;
  ignored = 0;
  lastAt: number;
  /** Whom standard input goes to. */
  last: { readonly socket: UdpSocket; readonly from: Endpoint } | undefined;
  onFirst: (() => void) | undefined;
  readonly #options: ListenerOptions;
  readonly #output: DatagramOutput;
  readonly #tell: (event: ListenEvent) => void;
  readonly #everyone: boolean;
  #first: Endpoint | undefined;
  #echoes = false;
  #tally: (Tally & { readonly endpoint: Endpoint }) | undefined;

  constructor(options: ListenerOptions, output: DatagramOutput, tell: (event: ListenEvent) => void, now: number) {
    this.#options = options;
    this.#output = output;
    this.#tell = tell;
    this.#everyone = options.keepListening || options.echo !== undefined;
    this.lastAt = now;
  }

  hear(socket: UdpSocket, datagram: Datagram): void {
    const { data, from } = datagram;
    const { count, echo } = this.#options;
    if (count !== undefined && this.datagrams >= count) return;
    if ((data[0] ?? 4) < 4 && this.#takePunch(socket, datagram)) return;
    this.#first ??= from;
    if (!this.#everyone && !sameEndpoint(from, this.#first)) {
      this.ignored++;
      return;
    }
    this.lastAt = datagram.at;
    this.datagrams++;
    this.bytes += data.length;
    // The same sender as before is the usual case.
    let tally = this.#tally;
    if (!tally || !sameEndpoint(tally.endpoint, from)) {
      const name = formatEndpoint(from);
      tally = this.tallies.get(name) ?? { endpoint: from, datagrams: 0, bytes: 0 };
      if (this.tallies.size < MOST_SENDERS) this.tallies.set(name, tally);
      this.#tally = tally;
      this.last = { socket, from };
    }
    tally.datagrams++;
    tally.bytes += data.length;
    this.#output.put(datagram);
    if (echo?.allows(from, data, datagram.at)) socket.send(data, from).catch(ignoreNetError);
    if (this.datagrams === 1) this.onFirst?.();
    if (this.datagrams === count) this.done.resolve();
  }

  #takePunch(socket: UdpSocket, datagram: Datagram): boolean {
    const punch = answerPunch(socket, datagram, 'listen', this.probes);
    if (punch === 'echo') {
      if (!this.#echoes) this.#tell({ event: 'echo', remote: formatEndpoint(datagram.from) });
      this.#echoes = true;
    }
    if (punch === 'request') {
      const name = formatEndpoint(datagram.from);
      if (!this.punched.has(name) && this.punched.size < MOST_SENDERS) {
        this.punched.add(name);
        this.#tell({ event: 'punched', from: name });
      }
    }
    return punch !== undefined;
  }
}

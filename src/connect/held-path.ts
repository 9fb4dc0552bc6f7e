/** The path that was found, in use: what goes over it, what has to stay open for it, and how it ends. */
import { formatEndpoint } from '../net/address.ts';
import { deferred } from '../net/wait.ts';
import type { PairView } from '../ice/agent.ts';
import type { Bearer, ConnectionEnd, Path } from './bearer.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import type { Peer } from './peer.ts';
import type { HardWays } from './traversal/hard-ways.ts';
import type { Profiler } from './traversal/measure.ts';
import type { PathInUse } from './traversal/path-in-use.ts';
import type { Socket, Sockets } from './traversal/sockets.ts';

export interface HeldPathOptions {
  readonly path: PathInUse;
  readonly sockets: Pick<Sockets, 'get' | 'send' | 'closeOthers'>;
  readonly deadlines: Pick<Deadlines, 'set'>;
  readonly hard: Pick<HardWays, 'end' | 'judgement'>;
  readonly profiler: Pick<Profiler, 'touch'>;
  /** On a relay these stay open too, for a direct path. */
  readonly always: readonly (Socket | undefined)[];
  /** Before the others are closed. */
  readonly tidying: (kept: Socket) => void;
  readonly note: (event: string, details: Readonly<Record<string, unknown>>) => void;
}

/** How a session ends: with a goodbye, or all but one socket freed without a word. */
export interface Ending {
  close(): void;
  free(kept: Socket): void;
}

export class HeldPath {
  readonly #options: HeldPathOptions;
  readonly #ended = deferred<ConnectionEnd>();
  #refused: () => void = () => {};

  constructor(options: HeldPathOptions) {
    this.#options = options;
  }

  /** The first reason counts. */
  end(how: ConnectionEnd): void {
    this.#ended.resolve(how);
  }

  /** False where there is no path. */
  transmit(packet: Uint8Array): boolean {
    const { path, sockets } = this.#options;
    const { current } = path;
    if (current) sockets.send(current.socket.id, packet, current.remote, () => this.#refused());
    return current !== undefined;
  }

  /** This pair carries the data from now on. */
  take(pair: PairView, rttMs: number | undefined, { channel }: Peer): void {
    const { path, sockets, hard, note } = this.#options;
    const socket = sockets.get(pair.socket);
    if (!socket) return;
    const news = path.take(pair, socket, rttMs);
    const { kind, remote } = path.current as Path;
    const [from, to] = [formatEndpoint(socket.local), formatEndpoint(remote)];
    note('path', { path: kind, local: from, remote: to, rttMs: rttMs ?? null });
    // Better than a relay is looked for all the same.
    if (kind !== 'relay') hard.end();
    channel.start();
    if (news) channel.retell();
  }

  lost(): void {
    const remote = this.#options.path.current?.remote;
    this.#options.note('lost', { remote: remote && formatEndpoint(remote) });
    this.end('lost');
  }

  due(name: Extract<Deadline, 'tidy' | 'selected' | 'keep-mapping'>, { agent, ice }: Peer): void {
    switch (name) {
      case 'tidy':
        return this.#tidy(agent);
      case 'selected':
        if (!ice.selected) this.lost();
        return;
      case 'keep-mapping':
        return this.#keepMapping();
    }
  }

  bearer({ channel, ice, first, pairing }: Peer, ending: Ending): Bearer {
    const path = (): Path => {
      const known = this.#options.path.current as Path;
      return { ...known, rttMs: channel.stats.rttMs ?? ice.selected?.rttMs ?? known.rttMs };
    };
    const release = (): Socket => {
      const { socket } = path();
      ending.free(socket);
      return socket;
    };
    return {
      channel,
      first: first === 'a',
      pairing,
      ended: this.#ended.promise,
      life: {
        heardAt: () => channel.heardAt,
        answeredAt: () => channel.answeredAt,
        onRefused: (listener) => (this.#refused = listener),
      },
      path,
      agreed: () => ice.selected !== undefined,
      pairs: () => ice.pairs(),
      close: () => ending.close(),
      release,
    };
  }

  /** Closes every socket that the path does not need. */
  #tidy(agent: Peer['agent']): void {
    const { path, sockets, hard, always, tidying } = this.#options;
    if (!path.current) return;
    const { socket: kept, kind } = path.current;
    tidying(kept);
    for (const socket of sockets.closeOthers(kept, ...(kind === 'relay' ? always : [])))
      agent.feed({ kind: 'socket-closed', socket });
    if (hard.judgement?.kind === 'crossed') this.#keepMapping();
  }

  #keepMapping(): void {
    const { path, profiler, deadlines } = this.#options;
    if (path.current) profiler.touch(path.current.socket);
    deadlines.set('keep-mapping');
  }
}

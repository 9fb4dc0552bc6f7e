/** What two peers have once there was a path: it stays, under repair, when the path dies. */
import type { Env } from '../net/env.ts';
import { deferred, sleep } from '../net/wait.ts';
import { connect, type Connected, type ConnectOptions } from './connect.ts';
import type { PairView } from '../ice/agent.ts';
import type { Path, Session } from './session.ts';
import type { Socket } from './traversal/sockets.ts';

/** `bye`: the peer ended it; `lost`: the path died and there was no new one; `closed`: we ended it. */
export type LinkEnd = 'bye' | 'lost' | 'closed';

/** How long the peer may take to come back: it notices the loss at about the same time. */
const REPAIR_MS = 45_000;
const PROOF_MS = 3_000;

export interface LinkOptions extends ConnectOptions {
  /** Look for a new path when one has died. */
  readonly repair: boolean;
}

/** What carries data to the peer and back, whatever made it. */
export interface Line {
  readonly ended: Promise<LinkEnd>;
  /** As it is now. */
  readonly path: Path;
  /** How often a new path was found. */
  readonly repairs: number;
  readonly stats: { readonly sent: number; readonly received: number };
  pairs(): readonly PairView[];
  /** False where there is no path just now. */
  send(data: Uint8Array): boolean;
  onData(listener: (data: Uint8Array, at: number) => void): void;
  /** Tells the peer that nothing more will be sent. */
  finish(): void;
  /** The peer will send nothing more. */
  onEnd(listener: () => void): void;
  /** Resolves when both sides know of both directions, or after a while. */
  settled(signal: AbortSignal): Promise<boolean>;
  /** Frees everything; the path's socket is left to its new owner. */
  release(): Socket;
  close(): void;
}

export class Link implements Line {
  readonly ended: Promise<LinkEnd>;
  readonly #env: Env;
  readonly #options: LinkOptions;
  readonly #end = deferred<LinkEnd>();
  #session: Session;
  #generation: number;
  #onData: ((data: Uint8Array, at: number) => void) | undefined;
  #onEnd: (() => void) | undefined;
  #finished = false;
  #repairs = 0;
  #closed = false;

  constructor(env: Env, options: LinkOptions, session: Session) {
    this.#env = env;
    this.#options = options;
    this.#session = session;
    this.#generation = options.generation ?? 0;
    this.ended = this.#end.promise;
    // Its own failure is told by whoever waits for the end.
    this.ended.catch(() => {});
    this.#watch();
  }

  get path(): Path {
    return this.#session.current();
  }

  get stats(): Line['stats'] {
    return this.#session.channel.stats;
  }

  pairs(): readonly PairView[] {
    return this.#session.pairs();
  }

  release(): Socket {
    this.#closed = true;
    return this.#session.release();
  }

  get repairs(): number {
    return this.#repairs;
  }

  send(data: Uint8Array): boolean {
    return !this.#closed && this.#session.channel.send(data);
  }

  onData(listener: (data: Uint8Array, at: number) => void): void {
    this.#onData = listener;
    this.#session.channel.onData(listener);
  }

  finish(): void {
    this.#finished = true;
    this.#session.channel.finish();
  }

  onEnd(listener: () => void): void {
    this.#onEnd = listener;
    this.#session.channel.onEnd(listener);
  }

  async settled(signal: AbortSignal): Promise<boolean> {
    const until = this.#env.clock.now() + PROOF_MS;
    const { channel } = this.#session;
    while (!channel.proven && !this.#closed && this.#env.clock.now() < until) await sleep(this.#env.clock, 10, signal);
    return channel.proven;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#session.close();
    this.#end.resolve('closed');
  }

  #watch(): void {
    void this.#session.ended.then((how) => {
      if (this.#closed) return;
      if (how !== 'lost' || !this.#options.repair) {
        this.#closed = true;
        this.#session.close();
        this.#end.resolve(how);
        return;
      }
      this.#session.close();
      this.#mend().catch((error: unknown) => this.#end.reject(error));
    });
  }

  async #mend(): Promise<void> {
    this.#options.onEvent?.({ atMs: 0, event: 'repair' });
    const mended = await connect(this.#env, {
      ...this.#options,
      generation: ++this.#generation,
      waitMs: REPAIR_MS,
    }).catch((error: unknown) => {
      if (this.#options.signal.aborted) return undefined;
      throw error;
    });
    if (this.#closed || mended?.kind !== 'connected') {
      if (mended?.kind === 'connected') mended.session.close();
      this.#closed = true;
      return this.#end.resolve('lost');
    }
    this.#repairs++;
    this.#session = mended.session;
    if (this.#onData) this.#session.channel.onData(this.#onData);
    if (this.#onEnd) this.#session.channel.onEnd(this.#onEnd);
    if (this.#finished) this.#session.channel.finish();
    this.#watch();
  }
}

export type Linked =
  | { readonly kind: 'connected'; readonly link: Link; readonly connected: Extract<Connected, { kind: 'connected' }> }
  | Extract<Connected, { kind: 'failed' }>;

/** Rejects with the signal's reason. */
export async function openLink(env: Env, options: LinkOptions): Promise<Linked> {
  const connected = await connect(env, options);
  if (connected.kind === 'failed') return connected;
  return { kind: 'connected', link: new Link(env, options, connected.session), connected };
}

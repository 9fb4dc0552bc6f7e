/** One opening of the page: what it tells, and what it is told. */
import type { Clock } from '../../net/env.ts';
import type { Gate } from '../../net/wait.ts';
import type { Facts } from '../../probe/webrtc/facts.ts';
import type { DataChannel } from '../../webrtc/channel.ts';
import type { WebrtcPeer } from '../../webrtc/peer.ts';

/** Of what waits for a page that does not fetch it. */
const MOST_WAITING = 256;
/** A page whose stream of events broke off comes back at once, or is gone. */
const GRACE_MS = 2_000;
/** What keeps what is between from forgetting the connection. */
const BREATH_MS = 4_000;

export class Visit {
  readonly id: string;
  readonly peer: WebrtcPeer;
  readonly facts: Facts;
  /** Of the page's, in the order in which they opened. */
  readonly channels: DataChannel[] = [];
  /** The page runs on this host. */
  sameHost = false;
  onReplaced = (): void => {};
  /** Why the browser gives no camera, as it says. */
  noCamera: string | undefined;
  /** It has shown the report. */
  seen = false;
  readonly #clock: Clock;
  readonly #waiting: { readonly event: string; readonly data: unknown }[] = [];
  readonly #gate: Gate;
  #listeners = 0;
  #over = false;

  constructor(id: string, clock: Clock, peer: WebrtcPeer, facts: Facts) {
    this.id = id;
    this.#clock = clock;
    this.peer = peer;
    this.facts = facts;
    this.#gate = facts.gate;
  }

  /** Says something to the page. */
  tell(event: string, data: unknown): void {
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push({ event, data });
    this.#gate.notify();
  }

  /** The page was opened anew: that one counts. */
  replace(): void {
    this.tell('replaced', {});
    this.end();
    this.onReplaced();
  }

  /** Nothing more will be told. */
  end(): void {
    this.#over = true;
    this.#gate.notify();
  }

  /** {@link news} as server-sent events. */
  async *events(signal: AbortSignal): AsyncGenerator<string> {
    for await (const next of this.news(signal))
      yield next ? `event: ${next.event}\ndata: ${JSON.stringify(next.data)}\n\n` : ':\n\n';
  }

  /** What the page is told, until it is gone or {@link end}; undefined now and then, where there is nothing. */
  async *news(signal: AbortSignal): AsyncGenerator<{ readonly event: string; readonly data: unknown } | undefined> {
    this.#listeners++;
    try {
      while (!signal.aborted) {
        const next = this.#waiting.shift();
        if (next) yield next;
        else if (this.#over) return;
        else {
          const news = await this.#gate
            .wait(() => this.#waiting.length > 0 || this.#over, BREATH_MS, signal)
            .catch(() => false);
          if (!news && !signal.aborted) yield undefined;
        }
      }
    } finally {
      this.#listeners--;
      this.#clock.after(GRACE_MS, () => {
        if (this.#listeners === 0 && !this.#over) this.leave();
      });
    }
  }

  /** The page says that it goes, or it is seen to be gone. */
  leave(): void {
    this.facts.left = true;
    this.#gate.notify();
  }

  /** Waits until all is fetched and shown, for a while. */
  async shown(ms: number, signal: AbortSignal): Promise<void> {
    await this.#gate.wait(() => this.seen || this.facts.left, ms, signal).catch(() => false);
  }

  /** A message of the page's, by its kind. False for what is none. */
  hear(kind: unknown, message: Readonly<Record<string, unknown>>): boolean {
    const { facts, peer } = this;
    switch (kind) {
      case 'candidate': {
        const { candidate, url } = message;
        if (typeof candidate !== 'string') return false;
        if (!facts.remoteCandidate(candidate, typeof url === 'string' && url.length <= 256 ? url : undefined))
          return false;
        peer.addCandidate(candidate);
        return true;
      }
      case 'error': {
        const { url, code } = message;
        if (typeof url !== 'string' || url.length > 256 || typeof code !== 'number') return false;
        facts.remoteError(url, code);
        return true;
      }
      case 'camera': {
        const { text } = message;
        if (typeof text !== 'string') return false;
        this.noCamera = text.slice(0, 300);
        this.#gate.notify();
        return true;
      }
      case 'seen':
        this.seen = true;
        this.#gate.notify();
        return true;
      case 'bye':
        this.leave();
        return true;
      default:
        return false;
    }
  }
}

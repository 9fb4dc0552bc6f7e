/** The way to the rendezvous over TCP or TLS, for a host whose UDP does not come through. It is taken where the server answers by it and there is a relay. */
import type { Endpoint } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { STAGGER_MS, staggered } from '../../net/stagger.ts';
import { deferred, scope, untilAborted, Waits } from '../../net/wait.ts';
import { drive } from '../../net/machine.ts';
import { type ClientAction, type ClientStatus, RendezvousClient } from '../../rendezvous/client.ts';
import { MEMBER_BYTES, ROOM_BYTES } from '../../rendezvous/protocol.ts';
import { tryDecode } from '../../stun/message.ts';
import type { StunTransport } from '../../stun/uri.ts';
import { type LinkListener, openLink, type TurnLink } from '../../turn/link.ts';

export interface StreamWayOptions {
  readonly env: Pick<Env, 'clock' | 'random' | 'udp' | 'tcp'>;
  /** All addresses of the server that are known. */
  readonly servers: readonly Endpoint[];
  /** What its certificate is for. */
  readonly domain: string;
  readonly source?: string | undefined;
  /** Beside the system's certificates, PEM. */
  readonly trusted?: string | undefined;
  /** A relay is known that the server need not offer: without any, a host without UDP has no use for a meeting. */
  readonly hasRelay: boolean;
  readonly listener: LinkListener;
}

/** Where TLS is looked for, as TURN has it, and where firewalls let it pass (RFC 8656 §4.1). */
const TLS_PORTS = [5349, 443];
/** After TCP, and after each other. */
const BESIDE_MS = 400;
const ANSWER_MS = 2_000;
/** The second answer is for a member that has shown its cookie, and has the relay in it. */
const ANSWERS = 2;
const ALIVE: ReadonlySet<ClientStatus> = new Set(['waiting', 'paired']);

export class StreamWay {
  readonly #options: StreamWayOptions;
  readonly #waits = new Waits();
  #link: TurnLink | undefined;
  #server: Endpoint | undefined;
  #found: Promise<boolean> | undefined;

  constructor(options: StreamWayOptions) {
    this.#options = options;
  }

  /** By which messages go now. */
  get link(): TurnLink | undefined {
    return this.#link;
  }

  /** The address of the server to which it leads, with the port of its datagrams. */
  get server(): Endpoint | undefined {
    return this.#server;
  }

  /** Whether there is one that is of use; it is looked for once. `besideMs`: between the beginnings. */
  open(besideMs = BESIDE_MS): Promise<boolean> {
    this.#found ??= this.#open(besideMs);
    return this.#found;
  }

  async #open(besideMs: number): Promise<boolean> {
    const { env, servers } = this.#options;
    const made: TurnLink[] = [];
    // Every address by TCP first: that one of them is dead says nothing of the others.
    const places = [
      ...servers.map((server) => ({ server, transport: 'tcp' as const, port: server.port })),
      ...TLS_PORTS.flatMap((port) => servers.map((server) => ({ server, transport: 'tls' as const, port }))),
    ];
    try {
      const { link, server } = await this.#waits.run((signal) =>
        staggered(
          places,
          async ({ server, transport, port }, within) => {
            const link = await this.#useful(server, transport, port, within);
            made.push(link);
            return { link, server };
          },
          { clock: env.clock, signal, delayMs: servers.length > 1 ? Math.min(besideMs, STAGGER_MS) : besideMs },
        ),
      );
      this.#link = link;
      this.#server = server;
    } catch (error) {
      if (!this.#waits.ended && !(error instanceof NetError)) throw error;
    }
    for (const each of made) if (each !== this.#link) each.close();
    if (!this.#waits.ended) this.#link?.listen(this.#options.listener);
    return this.#link !== undefined && !this.#waits.ended;
  }

  close(): void {
    this.#waits.end();
    this.#link?.close();
  }

  /** Rejects with NetError, or the signal's reason. */
  async #useful(server: Endpoint, transport: StunTransport, port: number, signal: AbortSignal): Promise<TurnLink> {
    const { env, domain, source, trusted } = this.#options;
    const settings = { transport, domain, source, trusted, timeoutMs: ANSWER_MS };
    const link = await openLink(env, { ...server, port }, settings, signal);
    const bounds = scope(env.clock, signal, ANSWER_MS);
    try {
      if (await this.#isUseful(link, server, bounds.signal)) return link;
      throw new NetError('other', 'it does not relay');
    } catch (error) {
      link.close();
      signal.throwIfAborted();
      throw error instanceof NetError ? error : new NetError('other', 'no answer over TCP', 'ETIMEDOUT');
    } finally {
      bounds.end();
    }
  }

  /** Asks in a room of its own: as long as nobody can be reached, nobody shall think that we came. */
  async #isUseful(link: TurnLink, server: Endpoint, signal: AbortSignal): Promise<boolean> {
    const { env, hasRelay } = this.#options;
    const { random } = env;
    const verdict = deferred<boolean>();
    let answers = 0;
    const client = new RendezvousClient({
      server,
      room: random.bytes(ROOM_BYTES),
      member: random.bytes(MEMBER_BYTES),
      random,
    });
    const driver = drive(client, env.clock, (action: ClientAction) => {
      if (action.kind === 'send') link.send(action.data);
      else if (action.kind === 'relay') verdict.resolve(true);
      else if (action.kind === 'observed' && ++answers >= ANSWERS) verdict.resolve(hasRelay);
      else if (action.kind === 'status' && !ALIVE.has(action.status)) verdict.resolve(false);
    });
    link.listen({
      message: (data, at) => {
        const message = tryDecode(data);
        if (message) driver.feed({ kind: 'message', message, from: server, at });
      },
      failed: (error) => verdict.reject(error),
    });
    try {
      driver.feed({ kind: 'publish', payload: new Uint8Array() });
      return await untilAborted(verdict.promise, signal);
    } finally {
      driver.feed({ kind: 'close' });
      driver.stop();
    }
  }
}

/** A socket or connection to one server, as a query needs it. */
import { type Endpoint, familyOf, formatEndpoint } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { scope, TimeoutError } from '../../net/wait.ts';
import type { StunChannel } from '../../stun/channel.ts';
import { StunMux } from '../../stun/mux.ts';
import { StreamChannel } from '../../stun/stream-channel.ts';
import type { StunTransport } from '../../stun/uri.ts';
import type { Strays } from './result.ts';
import { WatchfulSocket } from './watchful-socket.ts';

export interface QueryChannel {
  readonly channel: StunChannel;
  readonly local: Endpoint;
  readonly strays: Strays;
  close(): void;
}

export interface QueryChannelOptions {
  readonly transport: StunTransport;
  /** Local address and port. */
  readonly source: string | undefined;
  readonly port: number | undefined;
  /** Of a connection's handshake, ms. */
  readonly timeoutMs: number;
  /** Listens for answers from wrong addresses too. */
  readonly watchful: boolean;
  /** Certificates that are trusted beside the system's, PEM. */
  readonly trusted: string | undefined;
}

/** How long to wait before listening for answers from wrong addresses: most servers have answered by then. */
const WATCH_AFTER_MS = 120;

/** `domain`: what the certificate must be for. Rejects with NetError, or the signal's reason. */
export async function openQueryChannel(
  env: Pick<Env, 'clock' | 'udp' | 'tcp'>,
  domain: string,
  to: Endpoint,
  options: QueryChannelOptions,
  signal: AbortSignal,
): Promise<QueryChannel> {
  const { transport, source: address, port, trusted } = options;
  const strays = { garbage: 0, wrongId: 0 };
  if (transport !== 'udp') {
    const tls = transport === 'tls' ? { serverName: domain, trusted } : undefined;
    const stream = await connected(env, to, { address, port, tls }, options.timeoutMs, signal);
    return { channel: new StreamChannel(stream, env.clock), local: stream.local, strays, close: () => stream.close() };
  }
  const where = { family: familyOf(to.address), address, port, remote: to };
  const watchful = options.watchful ? await WatchfulSocket.open(env.udp, where, signal) : undefined;
  const socket = watchful ?? (await env.udp.open({ ...where, reuse: port !== undefined }, signal));
  const cancel = watchful ? env.clock.after(WATCH_AFTER_MS, () => void watchful.watch()) : () => {};
  const mux = new StunMux(socket);
  mux.onOther = (_, message) => {
    if (!message) strays.garbage++;
    else if (message.class === 'success' || message.class === 'error') strays.wrongId++;
  };
  return {
    channel: mux,
    local: socket.local,
    strays,
    close: () => {
      cancel();
      socket.close();
    },
  };
}

async function connected(
  { tcp, clock }: Pick<Env, 'clock' | 'tcp'>,
  to: Endpoint,
  options: Parameters<Env['tcp']['connect']>[1],
  timeoutMs: number,
  signal: AbortSignal,
) {
  const bounds = scope(clock, signal, timeoutMs);
  try {
    return await tcp.connect(to, options, bounds.signal);
  } catch (error) {
    if (error instanceof TimeoutError && !signal.aborted)
      throw new NetError('other', `no connection within ${Math.round(error.afterMs)} ms`);
    throw error;
  } finally {
    bounds.end();
  }
}

/** The lines of one query, each opened once. */
export class QueryChannels {
  readonly #open: (to: Endpoint, domain: string) => Promise<QueryChannel>;
  readonly #lines = new Map<string, Promise<QueryChannel>>();

  constructor(open: (to: Endpoint, domain: string) => Promise<QueryChannel>) {
    this.#open = open;
  }

  to(server: Endpoint, domain: string): Promise<QueryChannel> {
    const key = formatEndpoint(server);
    const line = this.#lines.get(key) ?? this.#open(server, domain);
    this.#lines.set(key, line);
    return line;
  }

  /** The line to a server, if there is one. */
  async opened(server: Endpoint): Promise<QueryChannel | undefined> {
    return this.#lines.get(formatEndpoint(server))?.catch(() => undefined);
  }

  /** Waits for those that are being opened, and closes them all. */
  async close(): Promise<void> {
    for (const settled of await Promise.allSettled(this.#lines.values()))
      if (settled.status === 'fulfilled') settled.value.close();
  }
}

/** The way between a TURN client and its server: datagrams over UDP, or messages and ChannelData over TCP and TLS. */
import { type Endpoint, familyOf } from '../net/address.ts';
import { type Env, NetError, onNetError } from '../net/env.ts';
import { Resender } from '../net/resend.ts';
import { scope, TimeoutError } from '../net/wait.ts';
import { Deframer } from '../stun/framing.ts';
import { StunFormatError } from '../stun/message.ts';
import type { StunTransport } from '../stun/uri.ts';

/** What comes by it. */
export interface LinkListener {
  /** A whole message. */
  message(data: Uint8Array, at: number): void;
  /** A stream is over, and UDP may go on. `other` where what came over a stream is no TURN. */
  failed(error: NetError): void;
}

export interface TurnLink {
  readonly transport: StunTransport;
  readonly local: Endpoint;
  readonly server: Endpoint;
  /** TCP or TLS. */
  readonly reliable: boolean;
  /** What cannot be sent is told to the listener. ChannelData must be padded where the link is reliable. */
  send(data: Uint8Array): void;
  /** Replaces the listener. */
  listen(listener: LinkListener): void;
  /** Idempotent. What was sent before still leaves. */
  close(): void;
}

export interface LinkOptions {
  readonly transport: StunTransport;
  /** What the certificate must be for. */
  readonly domain: string;
  /** Local address and port; any when absent. */
  readonly source?: string | undefined;
  readonly port?: number | undefined;
  /** Certificates that are trusted beside the system's, PEM. */
  readonly trusted?: string | undefined;
  /** Of a connection's handshake, ms. */
  readonly timeoutMs: number;
}

type LinkEnv = Pick<Env, 'clock' | 'udp' | 'tcp'>;

/** Rejects with NetError, `other` where the handshake took too long, or the signal's reason. */
export const openLink = (
  env: LinkEnv,
  server: Endpoint,
  options: LinkOptions,
  signal: AbortSignal,
): Promise<TurnLink> =>
  options.transport === 'udp' ? udpLink(env, server, options, signal) : streamLink(env, server, options, signal);

async function udpLink(
  { udp, clock }: LinkEnv,
  server: Endpoint,
  { source: address, port }: LinkOptions,
  signal: AbortSignal,
): Promise<TurnLink> {
  const socket = await udp.open({ family: familyOf(server.address), address, port, remote: server }, signal);
  const resender = new Resender(clock, socket);
  let listener: LinkListener | undefined;
  return {
    transport: 'udp',
    local: socket.local,
    server,
    reliable: false,
    send: (data) => resender.send(data, server, (error) => listener?.failed(error)),
    listen: (given) => {
      listener = given;
      socket.listen({
        datagram: ({ data, at }) => given.message(data, at),
        error: (error) => given.failed(error),
      });
    },
    close: () => {
      listener = undefined;
      resender.stop();
      socket.close();
    },
  };
}

async function streamLink(
  { tcp, clock }: LinkEnv,
  server: Endpoint,
  { transport, domain, source: address, port, trusted, timeoutMs }: LinkOptions,
  signal: AbortSignal,
): Promise<TurnLink> {
  const tls = transport === 'tls' ? { serverName: domain, trusted } : undefined;
  const bounds = scope(clock, signal, timeoutMs);
  const stream = await tcp
    .connect(server, { address, port, tls }, bounds.signal)
    .catch((error: unknown) => {
      if (error instanceof TimeoutError && !signal.aborted)
        throw new NetError('other', `no connection within ${Math.round(error.afterMs / 100) / 10} s`, 'ETIMEDOUT');
      throw error;
    })
    .finally(() => bounds.end());
  let listener: LinkListener | undefined;
  const fail = (error: NetError): void => listener?.failed(error);
  const read = async (): Promise<void> => {
    const deframer = new Deframer({ channels: true });
    for await (const chunk of stream) {
      const at = clock.now();
      for (const data of deframer.push(chunk)) listener?.message(data, at);
      if (!listener) return;
    }
    throw new NetError('closed', 'the server closed the connection');
  };
  return {
    transport,
    local: stream.local,
    server,
    reliable: true,
    send: (data) => void stream.write(data).catch(onNetError(fail)),
    listen: (given) => {
      const first = listener === undefined;
      listener = given;
      if (!first) return;
      read().catch((error: unknown) => {
        if (error instanceof NetError) fail(error);
        else if (error instanceof StunFormatError)
          fail(new NetError('other', `the server does not speak TURN: ${error.message}`, NOT_TURN));
        else throw error;
      });
    },
    close: () => {
      listener = undefined;
      stream.close();
    },
  };
}

/** In the place of the system's code: a stream of something else. */
export const NOT_TURN = 'EPROTO';

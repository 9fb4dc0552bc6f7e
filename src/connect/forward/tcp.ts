/** Carries TCP connections through a connection: each is a stream, with its own ends and its own pace. */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import { type ByteStream, type Env, NetError } from '../../net/env.ts';
import { scope } from '../../net/wait.ts';
import type { Stream } from '../streams/stream.ts';
import type { Forward } from './udp.ts';

export interface TcpForwarding {
  /** `held`: programs connect to us there. `program`: a program listens there, and we connect to it for the peer's. */
  readonly mode: 'held' | 'program';
  readonly local: string;
  /** Connections that there were. */
  readonly counts: { connections: number };
  /** The peer has a connection for this tunnel. */
  serve(stream: Stream): void;
  close(): void;
}

/** Until a local program has taken a connection, milliseconds. */
const CONNECT_MS = 10_000;

interface TcpForwardOptions {
  /** Opens a stream to the peer; undefined where there are too many. */
  readonly open: (port: number) => Stream | undefined;
  readonly signal: AbortSignal;
}

/** Where the port is free we listen on it; where a program listens, that one is connected to. Rejects with NetError. */
export async function forwardTcp(
  env: Pick<Env, 'tcp' | 'clock'>,
  { port, local }: Forward,
  { open, signal }: TcpForwardOptions,
): Promise<TcpForwarding> {
  const counts = { connections: 0 };
  const connections = new Set<ByteStream>();
  const join = async (connection: ByteStream, stream: Stream): Promise<void> => {
    counts.connections++;
    connections.add(connection);
    await joined(connection, stream);
    connections.delete(connection);
  };
  const close = (): void => {
    for (const connection of connections) broken(connection);
  };
  const accept = (connection: ByteStream): void => {
    const stream = open(port);
    if (stream) void join(connection, stream);
    else broken(connection);
  };
  try {
    const listener = await env.tcp.listen(local, accept, undefined, { halfOpen: true });
    return {
      mode: 'held',
      local: formatEndpoint(listener.local),
      counts,
      // Nobody listens here but we.
      serve: (stream) => stream.reset(),
      close: () => {
        listener.close();
        close();
      },
    };
  } catch (error) {
    if (!(error instanceof NetError) || !(await isProgramThere(env, local, error, signal))) throw error;
  }
  return {
    mode: 'program',
    local: formatEndpoint(local),
    counts,
    serve: (stream) => {
      connect(env, local, signal).then(
        (connection) => join(connection, stream),
        () => stream.reset(),
      );
    },
    close,
  };
}

async function connect(
  { tcp, clock }: Pick<Env, 'tcp' | 'clock'>,
  to: Endpoint,
  signal: AbortSignal,
): Promise<ByteStream> {
  const bounds = scope(clock, signal, CONNECT_MS);
  try {
    return await tcp.connect(to, { halfOpen: true }, bounds.signal);
  } finally {
    bounds.end();
  }
}

/** A port that we may not hold, such as 22, may be somebody's all the same. */
async function isProgramThere(
  env: Pick<Env, 'tcp' | 'clock'>,
  local: Endpoint,
  error: NetError,
  signal: AbortSignal,
): Promise<boolean> {
  if (error.kind === 'in-use') return true;
  if (error.kind !== 'denied') return false;
  try {
    (await connect(env, local, signal)).close();
    return true;
  } catch {
    return false;
  }
}

/** Both directions, to the end of each; what breaks on one side breaks on the other. Never rejects but with bugs. */
async function joined(connection: ByteStream, stream: Stream): Promise<void> {
  const out = async (): Promise<void> => {
    try {
      for await (const data of connection) await stream.write(data);
      stream.end();
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      stream.reset();
    }
  };
  const home = async (): Promise<void> => {
    try {
      for await (const data of stream) await connection.write(data);
      if (connection.end) connection.end();
      else connection.close();
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      stream.reset();
      broken(connection);
    }
  };
  await Promise.all([out(), home()]);
  connection.close();
}

const broken = (connection: ByteStream): void => (connection.reset ? connection.reset() : connection.close());

/** The server's side of one TCP or TLS connection: messages in, answers out, and an end for those that bring none. */
import type { Endpoint } from '../net/address.ts';
import { type ByteStream, type Clock, ignoreNetError, NetError } from '../net/env.ts';
import type { Backlog } from '../net/backlog.ts';
import type { Connections } from '../net/connections.ts';
import { Deframer } from './framing.ts';
import { StunFormatError } from './message.ts';
import { respond, type Role, type ServerAnswer, type ServerPacket, type StunServer } from './server.ts';

/** A connection that brings no whole message for so long is closed, whatever trickles in (RFC 8489 §6.2.2 leaves it to the server). */
const MESSAGE_MS = 30_000;

/** A client's connection, as other protocols have it. */
export interface ServerConnection {
  readonly transport: 'tcp' | 'tls';
  readonly stream: Pick<ByteStream, 'local' | 'remote'>;
  /** Without waiting; lost where too much waits already. */
  post(data: Uint8Array): void;
  /** `kept`: it may be idle, and makes room for nobody. */
  keep(kept: boolean): void;
}

/** Another protocol on a connection. */
export interface StreamProtocol {
  /** Takes a whole message that is its own (true); the first of several that does has it. */
  accept(data: Uint8Array, now: number): boolean;
  /** It is over. */
  closed(): void;
}

export interface StreamServing {
  readonly server: StunServer;
  readonly role: Role;
  readonly transport: 'tcp' | 'tls';
  readonly clock: Clock;
  readonly streams: Connections<ByteStream>;
  readonly backlog: Backlog<ByteStream>;
  readonly protocols: readonly ((connection: ServerConnection) => StreamProtocol)[];
  readonly observe: ((packet: ServerPacket, answer: ServerAnswer | undefined) => void) | undefined;
  readonly failed: ((error: unknown) => void) | undefined;
}

/** To its end. Never rejects. */
export async function serveStream(stream: ByteStream, serving: StreamServing): Promise<void> {
  const { server, role, transport, clock, streams, backlog } = serving;
  let kept = false;
  let over = false;
  let cancel = (): void => {};
  const rearm = (): void => {
    cancel();
    cancel = kept || over ? () => {} : clock.after(MESSAGE_MS, () => stream.close());
  };
  const post = (data: Uint8Array): void => {
    if (over || !backlog.add(stream, data)) return;
    stream
      .write(data)
      .catch(ignoreNetError)
      .finally(() => backlog.remove(stream, data));
  };
  const keep = (now: boolean): void => {
    if (over || now === kept) return;
    kept = now;
    if (kept) streams.remove(stream);
    else streams.add(stream, stream.remote.address);
    rearm();
  };
  streams.add(stream, stream.remote.address);
  const protocols = serving.protocols.map((begin) => begin({ transport, stream, post, keep }));
  const deframer = new Deframer({ channels: protocols.length > 0 });
  const take = async (data: Uint8Array): Promise<void> => {
    rearm();
    streams.active(stream);
    const now = clock.now();
    if (protocols.some((each) => each.accept(data, now))) return;
    const packet = { role, from: stream.remote as Endpoint, data, now, transport: 'tcp' } as const;
    const answer = respond(server, packet);
    serving.observe?.(packet, answer);
    if (answer) await stream.write(answer.data);
  };
  rearm();
  try {
    for await (const chunk of stream) for (const data of deframer.push(chunk)) await take(data);
  } catch (error) {
    // A peer that breaks off or speaks something else loses its connection, and that is all.
    if (!(error instanceof NetError || error instanceof StunFormatError)) {
      server.counters.failed++;
      serving.failed?.(error);
    }
  } finally {
    over = true;
    cancel();
    for (const each of protocols) each.closed();
    streams.remove(stream);
    stream.close();
  }
}

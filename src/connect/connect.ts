/** `connect()`: from a code and a server to a path that carries data, and a new one when that dies. */
import { type Endpoint, familyOf } from '../net/address.ts';
import type { Env } from '../net/ports.ts';
import type { Secret } from './code.ts';
import { RendezvousSignal } from './signal/rendezvous.ts';
import { establish, type Established, type SignalParts } from './session.ts';
import { Timeline, type TimelineEvent } from './timeline.ts';

export interface ConnectOptions {
  /** The rendezvous and STUN server. */
  readonly server: Endpoint;
  readonly secret: Secret;
  readonly port?: number | undefined;
  readonly source?: string | undefined;
  /** How long to wait for the peer to come, milliseconds. */
  readonly waitMs: number;
  /** 0 at first, then one more for each path that died: both sides count alike. */
  readonly generation?: number | undefined;
  readonly signal: AbortSignal;
  readonly onEvent?: ((event: TimelineEvent) => void) | undefined;
}

export type Connected = Established & { readonly timeline: Timeline };

/** Rejects with the signal's reason. Failures of the network, the server and the peer are outcomes. */
export async function connect(env: Env, options: ConnectOptions): Promise<Connected> {
  const { server, secret, generation } = options;
  const timeline = new Timeline(env.clock, options.onEvent);
  const established = await establish(env, {
    family: familyOf(server.address),
    port: options.port,
    source: options.source,
    server,
    trusted: true,
    secret,
    waitMs: options.waitMs,
    timeline,
    signal: options.signal,
    makeSignal: ({ main, member, observed }: SignalParts) =>
      new RendezvousSignal({ mux: main.mux, server, room: secret.room(generation), member, clock: env.clock, random: env.random, observed }),
  });
  return { ...established, timeline };
}

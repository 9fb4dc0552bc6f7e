/** `connect()`: from a code and a server to a path that carries data. */
import { type Endpoint, familyOf } from '../net/address.ts';
import type { Env } from '../net/env.ts';
import type { Secret } from './code.ts';
import { establish, type Established, type SessionOptions, type SignallingParts } from './session.ts';
import { watchRefusal } from '../stun/refusal.ts';
import { RendezvousSignalling } from './signalling/rendezvous.ts';
import { Timeline, type TimelineEvent } from './timeline.ts';

interface Common {
  /** Where both meet, and what shows the public side. */
  readonly server: Endpoint;
  readonly secret: Secret;
  readonly port?: number | undefined;
  readonly source?: string | undefined;
  /** How long to wait for the peer to come, milliseconds. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
  readonly onEvent?: ((event: TimelineEvent) => void) | undefined;
}

export interface ConnectOptions extends Common {
  /** 0 at first, then one more for each path that died: both sides count alike. */
  readonly generation?: number | undefined;
}

export type Connected = Established & { readonly timeline: Timeline };

/** By way of a nat-tool server. Rejects with the signal's reason. Failures of the network, the server and the peer are outcomes. */
export function connect(env: Env, options: ConnectOptions): Promise<Connected> {
  const { server, secret, generation } = options;
  return connectBy(env, {
    ...options,
    trusted: true,
    makeSignalling: ({ main, member, observed }: SignallingParts) =>
      new RendezvousSignalling({
        mux: main.mux,
        server,
        room: secret.room(generation),
        member,
        clock: env.clock,
        random: env.random,
        proven: (generation ?? 0) > 0,
        observed,
        watchRefusal: (refused) => watchRefusal(env, server, options.source, refused),
      }),
  });
}

/** The same with any signalling. */
export async function connectBy(
  env: Env,
  options: Common & Pick<SessionOptions, 'trusted' | 'makeSignalling' | 'plainMs'>,
): Promise<Connected> {
  const timeline = new Timeline(env.clock, options.onEvent);
  const established = await establish(env, { ...options, family: familyOf(options.server.address), timeline });
  return { ...established, timeline };
}

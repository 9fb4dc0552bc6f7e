/** Two peers of ours in the simulated network, and who carries their descriptions. */
import type { Endpoint } from '../../src/net/address.ts';
import type { Clock, Env } from '../../src/net/env.ts';
import { deferred } from '../../src/net/wait.ts';
import { createLab, type Lab, type LabOptions } from '../../src/lab/topology.ts';
import type { DataChannel } from '../../src/webrtc/channel.ts';
import { WebrtcPeer } from '../../src/webrtc/peer.ts';
import type { PeerOptions } from '../../src/webrtc/peer-api.ts';

export interface Two {
  readonly offerer: WebrtcPeer;
  readonly answerer: WebrtcPeer;
}

export interface Arranged {
  readonly offerer?: Partial<PeerOptions>;
  readonly answerer?: Partial<PeerOptions>;
  readonly stun?: readonly Endpoint[];
  /** What the descriptions and candidates take, one way. */
  readonly signallingMs?: number;
}

/** Both gather, and are told of each other; candidates follow as they are found. */
export async function arrange(one: Env, other: Env, options: Arranged, signal: AbortSignal): Promise<Two> {
  const { stun = [], signallingMs = 20 } = options;
  const later = (clock: Clock, act: () => void): void => void clock.after(signallingMs, act);
  const offerer: WebrtcPeer = new WebrtcPeer(one, { role: 'offerer', ...options.offerer });
  const answerer: WebrtcPeer = new WebrtcPeer(other, { role: 'answerer', ...options.answerer });
  await Promise.all([offerer.gather({ stun }, signal), answerer.gather({ stun }, signal)]);
  later(one.clock, () => {
    answerer.meet(offerer.description());
    later(one.clock, () => offerer.meet(answerer.description()));
  });
  return { offerer, answerer };
}

/** The first channel that the peer opens. */
export function firstChannel(peer: WebrtcPeer): Promise<DataChannel> {
  const { promise, resolve } = deferred<DataChannel>();
  peer.onChannel = resolve;
  return promise;
}

/** The next message. */
export function message(channel: DataChannel): Promise<string | Uint8Array> {
  const { promise, resolve } = deferred<string | Uint8Array>();
  channel.onMessage = resolve;
  return promise;
}

export const lab = (options: LabOptions = {}): Lab =>
  createLab({ second: { nat: 'port-restricted-cone' }, ...options });

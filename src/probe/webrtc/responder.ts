/** The side that is measured, where it is no browser: it answers what the other one asks, and is told in the end what was found. */
import type { Clock } from '../../net/env.ts';
import type { DataChannel } from '../../webrtc/channel.ts';
import type { WebrtcPeer } from '../../webrtc/peer.ts';
import { deferred, untilAborted } from '../../net/wait.ts';
import { Conversation, count, type Saying } from './conversation.ts';
import { type ChannelResult, pour } from './measure.ts';

/** It asks for no more. */
const MOST_LOAD_MS = 5_000;

/** Fills `result` with what the other side found, as seen from here. Resolves once it is told. Rejects with the signal's reason. */
export async function respond(
  clock: Clock,
  peer: Pick<WebrtcPeer, 'counters'>,
  channel: DataChannel,
  result: ChannelResult,
  signal: AbortSignal,
): Promise<void> {
  const { promise: told, resolve } = deferred<void>();
  const conversation: Conversation = new Conversation(clock, channel, async (question) => {
    switch (question['do']) {
      case 'echo':
        return {};
      case 'count':
        return { requests: peer.counters.ice.requests };
      case 'take':
        conversation.arrivals = { bytes: 0, first: 0, last: 0 };
        return {};
      case 'took': {
        const { bytes, first, last } = conversation.arrivals;
        return { bytes, ms: last - first };
      }
      case 'give': {
        const ms = Math.min(MOST_LOAD_MS, count(question['ms']) ?? 0);
        return { bytes: await pour(clock, conversation, ms, signal).catch(() => 0) };
      }
      case 'report':
        Object.assign(result, turned(question));
        resolve();
        return {};
      default:
        return undefined;
    }
  });
  await untilAborted(told, signal);
}

/** What the other side says of the channel, the two directions exchanged. It is not believed to be of any form. */
function turned(saying: Saying): Partial<ChannelResult> {
  const number = (value: unknown): number | null =>
    typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
  const ways = (value: unknown): { up: number; down: number } | null => {
    const { up, down } = (typeof value === 'object' && value !== null ? value : {}) as Saying;
    const [ours, theirs] = [number(down), number(up)];
    return ours === null || theirs === null ? null : { up: ours, down: theirs };
  };
  return {
    sent: number(saying['sent']) ?? 0,
    received: number(saying['received']) ?? 0,
    rttMs: number(saying['rttMs']),
    stunRttMs: number(saying['stunRttMs']),
    lossPercent: number(saying['lossPercent']),
    loss: ways(saying['loss']),
    mbitPerSecond: ways(saying['mbitPerSecond']),
  };
}

/** What a channel that stands is worth: round trips, packets lost each way, and how much it carries. */
import type { Clock } from '../../net/env.ts';
import { toMicroseconds } from '../../net/round.ts';
import { deferred, sleep, untilAborted } from '../../net/wait.ts';
import type { WebrtcPeer } from '../../webrtc/peer.ts';
import { type Conversation, count, type Saying } from './conversation.ts';

export interface ChannelResult {
  /** Binding requests that were sent to count what is lost, and answers that came back: SCTP would repeat what is lost. */
  sent: number;
  received: number;
  /** Of data, there and back: the middle of five. */
  rttMs: number | null;
  /** Of the Binding requests: the middle one. */
  stunRttMs: number | null;
  /** Of the round trip, percent. */
  lossPercent: number | null;
  /** Each way, percent; null where the other side does not count its requests. */
  loss: { readonly up: number; readonly down: number } | null;
  /** `up`: from the other side to us. */
  mbitPerSecond: { readonly up: number; readonly down: number } | null;
}

const PINGS = 5;
const PING_WAIT_MS = 3_000;
const PROBES = { count: 50, intervalMs: 20, waitMs: 1_000 } as const;
/** Each way. */
const LOAD_MS = 1_000;
/** For what was sent in that time to come through a narrow path. */
const LOAD_WAIT_MS = 10_000;
const CHUNK = new Uint8Array(16_384);

export interface MeasureOptions {
  readonly clock: Clock;
  readonly peer: Pick<WebrtcPeer, 'probe'>;
  readonly throughput: boolean;
  readonly onStep: (doing: string) => void;
}

/** Fills `result` as it goes, so that an end in between leaves what is known. Rejects with the signal's reason. */
export async function measureChannel(
  conversation: Conversation,
  result: ChannelResult,
  { clock, peer, throughput, onStep }: MeasureOptions,
  signal: AbortSignal,
): Promise<void> {
  onStep('measuring round trips');
  result.rttMs = await roundTrip(clock, conversation, signal);
  onStep('counting what is lost');
  const before = await requestsAt(conversation, signal);
  const { sent, answered, rttMs } = await peer.probe(PROBES, signal);
  const after = await requestsAt(conversation, signal);
  result.sent = sent;
  result.received = answered;
  result.stunRttMs = middle(rttMs);
  result.lossPercent = sent === 0 ? null : percent(sent - answered, sent);
  if (sent > 0 && before !== undefined && after !== undefined) {
    // Its own consent checks are among them.
    const arrived = Math.min(sent, after - before);
    result.loss = {
      down: percent(sent - arrived, sent),
      up: arrived <= 0 ? 100 : percent(Math.max(0, arrived - answered), arrived),
    };
  }
  if (!throughput) return;
  onStep('measuring how much it carries');
  const down = await loadDown(clock, conversation, signal);
  const up = await loadUp(conversation, signal);
  if (up !== undefined && down !== undefined) result.mbitPerSecond = { up, down };
}

export const blankChannel = (): ChannelResult => ({
  sent: 0,
  received: 0,
  rttMs: null,
  stunRttMs: null,
  lossPercent: null,
  loss: null,
  mbitPerSecond: null,
});

async function roundTrip(clock: Clock, conversation: Conversation, signal: AbortSignal): Promise<number | null> {
  const times: number[] = [];
  for (let i = 0; i < PINGS; i++) {
    const at = clock.now();
    if (!(await conversation.ask({ do: 'echo' }, PING_WAIT_MS, signal))) break;
    times.push(clock.now() - at);
  }
  return middle(times);
}

/** How many Binding requests the other side has counted. */
const requestsAt = async (conversation: Conversation, signal: AbortSignal): Promise<number | undefined> =>
  count((await conversation.ask({ do: 'count' }, PING_WAIT_MS, signal))?.['requests']);

/** From us to the other side, by its own count and clock. */
async function loadDown(clock: Clock, conversation: Conversation, signal: AbortSignal): Promise<number | undefined> {
  if (!(await conversation.ask({ do: 'take' }, PING_WAIT_MS, signal))) return undefined;
  await pour(clock, conversation, LOAD_MS, signal);
  return rateOf(await conversation.ask({ do: 'took' }, LOAD_WAIT_MS, signal));
}

/** As many bytes as the channel takes. */
export async function pour(clock: Clock, conversation: Conversation, ms: number, signal: AbortSignal): Promise<number> {
  const { channel } = conversation;
  const until = clock.now() + ms;
  let bytes = 0;
  while (clock.now() < until && channel.state === 'open') {
    if (channel.buffered.bytes >= channel.buffered.wanted) {
      const { promise, resolve } = deferred<void>();
      conversation.drained = resolve;
      const cancel = clock.after(Math.max(1, until - clock.now()), resolve);
      await untilAborted(promise, signal).finally(cancel);
      continue;
    }
    channel.send(CHUNK);
    bytes += CHUNK.length;
    // What comes in has its turn.
    if ((bytes & 0x3ffff) === 0) await sleep(clock, 0, signal);
  }
  return bytes;
}

async function loadUp(conversation: Conversation, signal: AbortSignal): Promise<number | undefined> {
  conversation.arrivals = { bytes: 0, first: 0, last: 0 };
  const told = await conversation.ask({ do: 'give', ms: LOAD_MS }, LOAD_MS + LOAD_WAIT_MS, signal);
  const { bytes, first, last } = conversation.arrivals;
  return told && rateOf({ bytes, ms: last - first });
}

function rateOf(told: Saying | undefined): number | undefined {
  const bytes = count(told?.['bytes']);
  const ms = Number(told?.['ms']);
  return bytes === undefined || !(ms > 0 && ms <= 60_000) ? undefined : Math.round((bytes * 8) / ms / 10) / 100;
}

const percent = (part: number, whole: number): number => Math.round((Math.max(0, part) * 1000) / whole) / 10;

function middle(times: readonly number[]): number | null {
  const sorted = [...times].sort((a, b) => a - b);
  const at = sorted[sorted.length >> 1];
  return at === undefined ? null : toMicroseconds(at);
}

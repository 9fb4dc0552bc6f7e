/** One attempt with one peer: until a channel stands or the cause is known why not, then what the channel is worth. */
import type { Clock } from '../../net/env.ts';
import type { DataChannel } from '../../webrtc/channel.ts';
import type { WebrtcPeer } from '../../webrtc/peer.ts';
import type { PeerEnd } from '../../webrtc/peer-api.ts';
import { causeOf, type WebrtcCause } from './cause.ts';
import type { Facts } from './facts.ts';
import { blankChannel, type ChannelResult } from './measure.ts';

export interface CheckOptions {
  readonly clock: Clock;
  readonly onStep: (doing: string) => void;
  /** A cause is likely, but may yet prove wrong. */
  readonly onLikely: (cause: WebrtcCause) => void;
  /** On the channel, once it stands: fills what it is given. {@link measure} where the other side answers. */
  readonly work: (channel: DataChannel, result: ChannelResult, signal: AbortSignal) => Promise<void>;
}

export interface CheckResult {
  cause: WebrtcCause | null;
  channel: ChannelResult | null;
  /** All was measured. */
  whole: boolean;
}

/** How often it is looked whether a cause can be told, ms. */
const LOOK_MS = 100;
/** From a pair that works to a channel. */
const CHANNEL_MS = 10_000;

/** Fills `result`, so that an interruption leaves what is known. `opened`: the first channel of the other side. Rejects with the signal's reason. */
export async function checkPeer(
  peer: WebrtcPeer,
  facts: Facts,
  opened: () => DataChannel | undefined,
  result: CheckResult,
  options: CheckOptions,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = options;
  void peer.ended.then((end) => facts.end(end));
  const cause = await causeBeforePair(peer, facts, options, signal);
  const failed = (cause: WebrtcCause): void => {
    facts.at.verdict ??= clock.now();
    result.cause = cause;
  };
  if (cause) return failed(cause);
  options.onStep('the path works; DTLS');
  const isOpen = (): boolean => opened()?.state === 'open';
  const stands = await facts.gate.wait(() => isOpen() || isOver(facts), CHANNEL_MS, signal);
  if (!isOpen()) return failed(stands ? causeOfEnd(facts) : peer.state === 'ice' ? 'dtls-blocked' : 'sctp-stalled');
  facts.at.channel ??= clock.now();
  facts.at.verdict ??= facts.at.channel;
  result.channel = blankChannel();
  const ending = new AbortController();
  const all = AbortSignal.any([signal, ending.signal]);
  const working = options.work(opened() as DataChannel, result.channel, all).then(() => (result.whole = true));
  const over = facts.gate.wait(() => result.whole || isOver(facts), MOST_MS, all);
  try {
    await Promise.race([working, over]);
  } finally {
    // What is still being asked or sent is of no use to anybody.
    ending.abort();
    working.catch(() => {});
    over.catch(() => {});
  }
  if (!result.whole) result.cause = causeOfEnd(facts);
}

/** Of a whole measurement. */
const MOST_MS = 120_000;

const isOver = ({ ended, left }: Facts): boolean => ended !== undefined || left;

async function causeBeforePair(
  peer: WebrtcPeer,
  facts: Facts,
  { onLikely, onStep }: CheckOptions,
  signal: AbortSignal,
): Promise<WebrtcCause | undefined> {
  onStep('looking for a path');
  let likely: WebrtcCause | undefined;
  const isUp = (): boolean => facts.at.valid !== undefined;
  for (;;) {
    if (isUp()) return undefined;
    if (facts.incapable !== undefined) return 'no-webrtc';
    const verdict = causeOf(facts.evidence(peer.counters));
    if (facts.left) return 'browser-left';
    if (facts.ended)
      return facts.ended.kind === 'no-pair' ? (verdict?.cause ?? likely ?? 'no-path') : causeOfEnd(facts);
    if (verdict?.final) return verdict.cause;
    if (verdict && verdict.cause !== likely) onLikely((likely = verdict.cause));
    await facts.gate.wait(() => isUp() || isOver(facts) || facts.incapable !== undefined, LOOK_MS, signal);
  }
}

function causeOfEnd({ ended, left }: Facts): WebrtcCause {
  if (left && !ended) return 'browser-left';
  return ended ? OF_END[ended.kind](ended) : 'consent-lost';
}

const OF_END: { readonly [K in PeerEnd['kind']]: (end: PeerEnd) => WebrtcCause } = {
  closed: () => 'browser-left',
  'closed-by-peer': () => 'browser-left',
  'no-pair': () => 'no-path',
  'consent-lost': () => 'consent-lost',
  'dtls-silent': () => 'dtls-blocked',
  'dtls-failed': (end) =>
    end.kind === 'dtls-failed' && end.error.kind === 'fingerprint' ? 'fingerprint-wrong' : 'dtls-failed',
  'sctp-stalled': () => 'sctp-stalled',
  'sctp-failed': () => 'sctp-stalled',
};

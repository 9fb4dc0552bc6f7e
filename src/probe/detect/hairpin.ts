/**
 * Hairpin test (RFC 4787 §6, RFC 5780 §4.5): can two sockets behind the NAT talk through their public endpoints? Both send at
 * each other, so that each opens its own filter for the other.
 */
import { formatEndpoint } from '../../net/address.ts';
import { attribute } from '../../stun/attributes.ts';
import { encodeBinding } from '../../stun/binding.ts';
import { transactionKey } from '../../stun/message.ts';
import { NetError } from '../../net/env.ts';
import { Gate } from '../../net/wait.ts';
import type { Observation } from '../../nat/mapping.ts';
import { MOST_SENDS, sendsForSilence } from './loss.ts';
import type { Evidence } from './series.ts';
import type { Probes, ProbeSocket } from './probes.ts';
import { toMicroseconds } from '../../net/round.ts';

export type Hairpin = 'yes' | 'no' | 'unknown';

/** `refused`: the NAT itself answered that nobody listens there; `silent`: nothing came round. */
export type HairpinOutcome = 'heard' | 'refused' | 'silent';

const ROUND_MS = 8;
/** A hairpinned packet turns at the NAT, so it takes less time than one round trip to the server. */
const LEAST_WINDOW_MS = 60;

export interface HairpinProbe {
  readonly evidence: Evidence;
  readonly outcome: HairpinOutcome;
}

/** `a` and `b` have each been seen by a server; `refusalSettles` resolves to whether an ICMP refusal may end the test early. */
export async function hairpinTest(
  probes: Probes,
  a: { readonly socket: ProbeSocket; readonly seen: Observation },
  b: { readonly socket: ProbeSocket; readonly seen: Observation },
  rttMs: number,
  refusalSettles: () => boolean,
  signal: AbortSignal,
): Promise<HairpinProbe> {
  const { clock, random } = probes.env;
  const startedAt = clock.now();
  const gate = new Gate(clock);
  let heardAt: number | undefined;
  let refused = false;
  const transactionId = random.bytes(12);
  const key = transactionKey(transactionId);
  const probe = encodeBinding('request', transactionId, [attribute('SOFTWARE', 'nat-tool')]);
  for (const { socket } of [a, b]) {
    const before = socket.mux.onOther;
    socket.mux.onOther = (datagram, message) => {
      if (message && transactionKey(message.transactionId) === key) {
        heardAt ??= datagram.at;
        gate.notify();
      } else before?.(datagram, message);
    };
  }
  // A connected socket is the only one that hears an ICMP refusal: on a router without hairpinning its own stack answers.
  const watcher = await probes.open(signal, { remote: b.seen.mapped }).catch((error: unknown) => {
    if (error instanceof NetError) return undefined;
    throw error;
  });
  if (watcher) {
    watcher.mux.onError = () => {
      refused = true;
      gate.notify();
    };
  }
  const over = () => heardAt !== undefined || (refused && refusalSettles());
  let sent = 0;
  let finished = false;
  // The loss is known better from round to round, as what the controls sent comes due.
  while (!finished && sent < Math.min(MOST_SENDS, sendsForSilence(probes.tally()))) {
    sent++;
    void Promise.allSettled([
      // First, for routers limit how many refusals they send.
      watcher?.mux.socket.send(probe),
      a.socket.mux.socket.send(probe, b.seen.mapped),
      b.socket.mux.socket.send(probe, a.seen.mapped),
    ]);
    finished = await gate.wait(over, ROUND_MS, signal);
  }
  if (!finished) await gate.wait(over, Math.max(rttMs, LEAST_WINDOW_MS), signal);
  const outcome: HairpinOutcome = heardAt !== undefined ? 'heard' : refused ? 'refused' : 'silent';
  return {
    outcome,
    evidence: {
      test: 'hairpin',
      from: formatEndpoint(a.socket.local),
      to: formatEndpoint(b.seen.mapped),
      sent,
      received: heardAt === undefined ? 0 : 1,
      rttMs: heardAt === undefined ? null : toMicroseconds(heardAt - startedAt),
      verdict: outcome,
    },
  };
}

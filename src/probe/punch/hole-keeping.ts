/** Keeping what a listener needs open: its public side at a STUN server, and a hole to a remote end. */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { type Datagram, type Env, ignoreNetError, type UdpSocket } from '../../net/env.ts';
import { errorWords } from '../../net/error-words.ts';
import { sleep } from '../../net/wait.ts';
import { transact } from '../../stun/client.ts';
import { mappedAddress } from '../../stun/message.ts';
import type { Reply, StunMux } from '../../stun/mux.ts';
import { briskSchedule } from '../../net/schedule.ts';
import { type PunchPacket, punchAnswer, punchIndication, punchRequest, readPunch, type Speaker } from './packet.ts';

const STUN_TIMEOUT_MS = 3000;
/** Probes to the remote end until it answers. */
const PUNCH_EVERY_MS = 500;
const MOST_PUNCHES = 20;

/** Asks for the public side again and again: each question refreshes the hole. Rejects with the signal's reason. */
export async function watchPublicSide(
  env: Env,
  mux: StunMux,
  remote: Endpoint,
  everyMs: number,
  heard: (mapped: Endpoint) => void,
  failed: (error: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const outcome = await transact(
      mux,
      {},
      { to: remote, schedule: briskSchedule(STUN_TIMEOUT_MS), clock: env.clock, random: env.random, signal },
    );
    const mapped = outcome.kind === 'answered' ? mappedAddress(outcome.message) : undefined;
    if (mapped) heard(mapped);
    else
      failed(
        outcome.kind === 'network-error'
          ? errorWords(outcome.error)
          : outcome.kind === 'error-answer'
            ? `${formatEndpoint(remote)} answered with error ${outcome.code}`
            : `no answer from ${formatEndpoint(remote)}`,
      );
    await sleep(env.clock, everyMs, signal);
  }
}

/** Probes the remote end until it answers, then keeps the hole open; rejects with the signal's reason. */
export async function punchFrom(
  env: Env,
  mux: StunMux,
  remote: Endpoint,
  everyMs: number,
  opened: (rttMs: number) => void,
  signal: AbortSignal,
): Promise<void> {
  let answered = false;
  const releases: (() => void)[] = [];
  const probe = (): Uint8Array => {
    const id = env.random.bytes(12);
    if (answered) return punchIndication(id, 'listen');
    const sentAt = env.clock.now();
    const hear = ({ from, at }: Reply): void => {
      if (answered || !sameEndpoint(from, remote)) return;
      answered = true;
      opened(at - sentAt);
    };
    releases.push(mux.expect(id, hear));
    // A late answer counts, but not for ever.
    if (releases.length > MOST_PUNCHES) releases.shift()?.();
    return punchRequest(id);
  };
  try {
    for (let i = 0; ; i++) {
      await mux.send(probe(), remote).catch(ignoreNetError);
      await sleep(env.clock, answered || i >= MOST_PUNCHES ? everyMs : PUNCH_EVERY_MS, signal);
    }
  } finally {
    for (const release of releases) release();
  }
}

/** Answers a probe of the other side. What it was, or undefined for a payload. */
export function answerPunch(
  socket: UdpSocket,
  { data, from }: Datagram,
  speaker: Speaker,
): PunchPacket['kind'] | undefined {
  const packet = readPunch(data);
  if (packet?.kind === 'request') socket.send(punchAnswer(packet.message, from, speaker), from).catch(ignoreNetError);
  return packet?.kind;
}

/** Loss and round trips of a path, by authenticated Binding requests that nobody repeats: a browser counts those that reach it, and answers them. */
import { encodeCheck } from '../ice/messages.ts';
import { isSealed } from '../ice/messages.ts';
import type { IceRole } from '../ice/api.ts';
import type { IceCredentials } from '../ice/credentials.ts';
import { type Endpoint, sameEndpoint } from '../net/address.ts';
import type { Clock, Random } from '../net/env.ts';
import { sleep } from '../net/wait.ts';
import { shortTermKey } from '../stun/credentials.ts';
import type { StunMux } from '../stun/mux.ts';

/** How many requests are sent, and how fast. */
export interface ProbeOptions {
  /** Requests, at most 10,000. */
  readonly count: number;
  readonly intervalMs: number;
  /** For the answer to the last one. */
  readonly waitMs: number;
}

/** What the path let through. */
export interface ProbeResult {
  readonly sent: number;
  readonly answered: number;
  /** Of the answers, milliseconds. */
  readonly rttMs: readonly number[];
  /** Authenticated requests of the peer that came meanwhile. */
  readonly requests: number;
}

export interface ProbedPath {
  readonly mux: StunMux;
  readonly to: Endpoint;
  readonly ours: IceCredentials;
  readonly theirs: IceCredentials;
  readonly role: IceRole;
  readonly tieBreaker: bigint;
  /** Of a check (RFC 8445 §7.1.1). */
  readonly priority: number;
  readonly send: (data: Uint8Array, to: Endpoint) => void;
}

const MOST = 10_000;

/** Rejects with the signal's reason. */
export async function probePath(
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  path: ProbedPath,
  { count, intervalMs, waitMs }: ProbeOptions,
  signal: AbortSignal,
): Promise<Omit<ProbeResult, 'requests'>> {
  const { mux, to, ours, theirs, role, tieBreaker, priority, send } = path;
  const key = shortTermKey(theirs.pwd);
  const username = `${theirs.ufrag}:${ours.ufrag}`;
  const rttMs: number[] = [];
  const ends: (() => void)[] = [];
  const total = Math.min(count, MOST);
  try {
    for (let nth = 0; nth < total; nth++) {
      const transactionId = random.bytes(12);
      const sentAt = clock.now();
      let answered = false;
      ends.push(
        mux.expect(transactionId, ({ message, from, at }) => {
          if (answered || message.class !== 'success' || !sameEndpoint(from, to) || !isSealed(message, key)) return;
          answered = true;
          rttMs.push(at - sentAt);
        }),
      );
      send(encodeCheck({ transactionId, username, key, role, tieBreaker, priority, useCandidate: false }), to);
      await sleep(clock, nth + 1 < total ? intervalMs : waitMs, signal);
    }
    return { sent: total, answered: rttMs.length, rttMs };
  } finally {
    for (const end of ends) end();
  }
}

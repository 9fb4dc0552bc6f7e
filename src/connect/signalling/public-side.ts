/** The public side of a socket by any STUN server, for those who carry it to the peer by hand: or why it is unknown. */
import type { Endpoint } from '../../net/address.ts';
import type { Clock, NetError, Random } from '../../net/env.ts';
import type { Resender } from '../../net/resend.ts';
import { briskSchedule } from '../../net/schedule.ts';
import { alternatesOf, encodeBinding } from '../../stun/binding.ts';
import type { StunChannel } from '../../stun/channel.ts';
import { type Credentials, transact } from '../../stun/client.ts';
import { mappedAddress } from '../../stun/message.ts';
import { scope } from '../../net/wait.ts';
import type { Observed } from './signalling.ts';

/** Why a server did not tell. */
export type Trouble =
  | { readonly kind: 'silent' }
  | { readonly kind: 'network'; readonly error: NetError }
  /** An answer that has no address in it, or none that it can have seen. */
  | { readonly kind: 'useless' }
  | { readonly kind: 'refused'; readonly code: number; readonly reason: string };

export interface AskOptions {
  readonly server: Endpoint;
  readonly credentials?: Credentials | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** For how long it is asked. */
  readonly waitMs: number;
  /** As of a rendezvous. */
  readonly watchRefusal?: ((refused: (error: NetError) => void) => () => void) | undefined;
}

export type PublicSideAnswer = { readonly kind: 'observed'; readonly observed: Observed } | Trouble;

/** Rejects with the signal's reason only. */
export async function askPublicSide(
  channel: StunChannel,
  { server, credentials, clock, random, waitMs, watchRefusal }: AskOptions,
  signal: AbortSignal,
): Promise<PublicSideAnswer> {
  const schedule = briskSchedule(waitMs);
  const bounds = scope(clock, signal);
  let refusal: NetError | undefined;
  const asking = transact(channel, {}, { to: server, schedule, credentials, clock, random, signal: bounds.signal });
  const endWatch = watchRefusal?.((error) => {
    refusal = error;
    bounds.abort();
  });
  const outcome = await asking
    .catch((error: unknown) => {
      if (refusal && !signal.aborted) return { kind: 'network-error', error: refusal } as const;
      throw error;
    })
    .finally(() => {
      endWatch?.();
      bounds.end();
    });
  switch (outcome.kind) {
    case 'answered': {
      const mapped = mappedAddress(outcome.message);
      if (!mapped) return { kind: 'useless' };
      const alternates = alternatesOf(outcome.message, server);
      return { kind: 'observed', observed: { mapped, alternates, rttMs: outcome.rttMs } };
    }
    case 'error-answer':
      return { kind: 'refused', code: outcome.code, reason: outcome.reason };
    case 'network-error':
      return { kind: 'network', error: outcome.error };
    case 'timeout':
      return { kind: 'silent' };
    default:
      return { kind: 'useless' };
  }
}

/** The other host may take its time: the mapping has to live meanwhile. */
const KEEP_MS = 10_000;

/** Asks again and again, whatever the answer, until the returned function is called. */
export function keepMapping({
  send,
  server,
  clock,
  random,
}: Pick<AskOptions, 'server' | 'clock' | 'random'> & { readonly send: Resender['send'] }): () => void {
  let cancel = (): void => {};
  const next = (): void => {
    cancel = clock.after(KEEP_MS, () => {
      send(encodeBinding('request', random.bytes(12)), server);
      next();
    });
  };
  next();
  return () => cancel();
}

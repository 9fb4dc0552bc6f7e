/** A socket of this host beside the client's, to be the peer: it needs nobody else, behind every NAT. */
import { type Endpoint, familyOf } from '../../net/address.ts';
import { type Datagram, type Env, NetError } from '../../net/env.ts';
import { briskSchedule, singleSend } from '../../net/schedule.ts';
import { scope } from '../../net/wait.ts';
import { plain } from '../../nat/evidence.ts';
import { transact } from '../../stun/client.ts';
import { mappedAddress } from '../../stun/message.ts';
import { StunMux } from '../../stun/mux.ts';
import { StreamChannel } from '../../stun/stream-channel.ts';
import type { End } from './conversation.ts';

export interface SeenAs {
  readonly mapped: Endpoint;
  readonly rttMs: number;
}

export interface SecondSocket {
  readonly end: End;
  /** How the server sees it, by a plain Binding request over UDP; undefined where nothing came. */
  readonly seen: Promise<SeenAs | undefined>;
  /** Further round trips, ms: the first one pays for look-ups and caches. Rejects with the signal's reason. */
  again(signal: AbortSignal): Promise<number[]>;
  close(): void;
}

/** Round trips beside the first. */
const MORE = 2;

/** Opens it and asks the server. Rejects with NetError where there is no socket to be had, or the signal's reason. */
export async function openSecondSocket(
  { udp, clock, random }: Pick<Env, 'udp' | 'clock' | 'random'>,
  server: Endpoint,
  source: string | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<SecondSocket> {
  const socket = await udp.open({ family: familyOf(server.address), address: source }, signal);
  const ears = new Set<(datagram: Datagram) => void>();
  const mux = new StunMux(socket);
  mux.onOther = (datagram) => {
    for (const hear of [...ears]) hear(datagram);
  };
  // It outlives the search for the address that answers.
  const bounds = scope(clock, undefined);
  const ask = async (ms: number): Promise<SeenAs | undefined> => {
    try {
      const outcome = await transact(
        mux,
        {},
        {
          to: server,
          schedule: briskSchedule(ms),
          freshIds: true,
          oldManner: false,
          clock,
          random,
          signal: bounds.signal,
        },
      );
      const mapped = outcome.kind === 'answered' ? mappedAddress(outcome.message) : undefined;
      return mapped && outcome.kind === 'answered' ? { mapped: plain(mapped), rttMs: outcome.rttMs } : undefined;
    } catch (error) {
      if (!bounds.signal.aborted) throw error;
      return undefined;
    }
  };
  return {
    end: { socket, ears, to: undefined },
    seen: ask(timeoutMs),
    again: async (within) => {
      const rtts: number[] = [];
      for (let i = 0; i < MORE; i++) {
        within.throwIfAborted();
        const sighting = await ask(timeoutMs);
        if (sighting) rtts.push(sighting.rttMs);
      }
      return rtts;
    },
    close: () => {
      bounds.abort();
      socket.close();
    },
  };
}

/** Whether a Binding request over a stream is answered. Rejects with the signal's reason. */
export async function answersOverStream(
  { tcp, clock, random }: Pick<Env, 'tcp' | 'clock' | 'random'>,
  server: Endpoint,
  tls: { readonly serverName: string; readonly trusted: string | undefined } | undefined,
  source: string | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const bounds = scope(clock, signal, timeoutMs);
  try {
    const stream = await tcp.connect(server, { address: source, tls }, bounds.signal);
    try {
      const outcome = await transact(
        new StreamChannel(stream, clock),
        {},
        {
          to: server,
          schedule: singleSend(timeoutMs),
          clock,
          random,
          signal: bounds.signal,
        },
      );
      return outcome.kind === 'answered' || outcome.kind === 'error-answer';
    } finally {
      stream.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!bounds.signal.aborted && !(error instanceof NetError)) throw error;
    return false;
  } finally {
    bounds.end();
  }
}

/** Which of the addresses of a server's name is used: the first that answers, without waiting for the dead (RFC 8305). */
import { type Endpoint, familyOf } from '../net/address.ts';
import { type Env, NetError } from '../net/env.ts';
import { interleaved, staggered } from '../net/stagger.ts';
import { StunMux } from '../stun/mux.ts';
import { askPublicSide } from './signalling/public-side.ts';

/** For how long one address is asked. */
const ASK_MS = 2_000;

/** The addresses in the order in which they are tried: both families in turn. */
export const inTurn = (endpoints: readonly Endpoint[]): Endpoint[] =>
  interleaved(endpoints, ({ address }) => familyOf(address));

/** The first that answers, whatever it says, each asked from a socket of its own; undefined where none does. Rejects with the signal's reason only. */
export async function firstAnswering(
  env: Pick<Env, 'udp' | 'clock' | 'random'>,
  endpoints: readonly Endpoint[],
  source: string | undefined,
  signal: AbortSignal,
): Promise<Endpoint | undefined> {
  if (endpoints.length === 0) return undefined;
  const { clock } = env;
  const ask = async (server: Endpoint, within: AbortSignal): Promise<Endpoint | undefined> => {
    const family = familyOf(server.address);
    // An address of ours of the other family leads nowhere.
    if (source !== undefined && familyOf(source) !== family) return undefined;
    const socket = await env.udp.open({ family, address: source, remote: server }, within);
    try {
      const side = await askPublicSide(new StunMux(socket), { ...env, server, waitMs: ASK_MS }, within);
      return side.kind === 'silent' || side.kind === 'network' ? undefined : server;
    } finally {
      socket.close();
    }
  };
  try {
    return await staggered(endpoints, ask, { clock, signal, good: (found) => found !== undefined });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof NetError) return undefined;
    throw error;
  }
}

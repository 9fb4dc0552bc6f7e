/** The address that servers see this host by: enough to know that there is a way out, and where it comes out. */
import { type Endpoint, type Family, scopeOf } from '../../net/address.ts';
import type { Env } from '../../net/env.ts';
import { briskSchedule } from '../../net/schedule.ts';
import { staggered } from '../../net/stagger.ts';
import { transact } from '../../stun/client.ts';
import { plain } from '../../nat/evidence.ts';
import { mappedAddress } from '../../stun/message.ts';
import { StunMux } from '../../stun/mux.ts';

const TIMEOUT_MS = 1_000;
const MOST_SERVERS = 4;

/** Undefined where no server tells a public one. Rejects with the signal's reason, or NetError where no socket can be opened. */
export async function publicAddress(
  env: Pick<Env, 'clock' | 'random' | 'udp'>,
  {
    family,
    source,
    servers,
  }: { readonly family: Family; readonly source?: string | undefined; readonly servers: readonly Endpoint[] },
  signal: AbortSignal,
): Promise<string | undefined> {
  if (servers.length === 0) return undefined;
  const socket = await env.udp.open({ family, address: source }, signal);
  try {
    const mux = new StunMux(socket);
    const ask = async (to: Endpoint, within: AbortSignal): Promise<string | undefined> => {
      const { clock, random } = env;
      const outcome = await transact(
        mux,
        {},
        { to, schedule: briskSchedule(TIMEOUT_MS), clock, random, signal: within },
      );
      const told = outcome.kind === 'answered' ? mappedAddress(outcome.message) : undefined;
      const mapped = told && plain(told);
      return mapped && scopeOf(mapped.address) === 'public' ? mapped.address : undefined;
    };
    const good = (address: string | undefined): boolean => address !== undefined;
    return await staggered(servers.slice(0, MOST_SERVERS), ask, { clock: env.clock, signal, good });
  } finally {
    socket.close();
  }
}

import { type Env, NetError } from '../../net/env.ts';
import { isOffNetwork } from '../../net/route.ts';
import { type Finding, finding } from '../../report/finding.ts';

/** Why the two sides cannot meet. Where something answered, on this host too, the network is not to blame. */
export function nowhere(error: NetError | string, env: Pick<Env, 'interfaces'>): Finding {
  if (error === 'used') return finding('code-used');
  if (typeof error === 'string') return finding('no-meeting-place', { why: error });
  const answered = error.kind === 'refused' || error.kind === 'closed' || error.kind === 'tls';
  return !answered && isOffNetwork(env) ? finding('no-network') : finding('no-meeting-place', { why: error.message });
}

/** Not of this host: an address that it does not have, or a port that is taken, is a wrong argument. */
export const isOfPlace = (error: unknown): error is NetError =>
  error instanceof NetError && error.kind !== 'not-available' && error.kind !== 'in-use';

import { familyOf } from '../../net/address.ts';
import type { Env } from '../../net/env.ts';
import type { NatParts } from '../nat-parts.ts';
import { startIgdService } from './igd-service.ts';
import type { PortControlled } from './ledger.ts';
import { startPcpService } from './pcp-service.ts';

/** Starts what the router's parts name, at its inside addresses; UPnP and NAT-PMP are of IPv4 alone. */
export async function startPortControl(
  env: Env,
  router: PortControlled & { readonly insideAddresses: readonly string[]; readonly parts: NatParts },
): Promise<void> {
  const { pcp, natPmp, upnp } = router.parts.portControl;
  for (const address of router.insideAddresses) {
    const v4 = familyOf(address) === 4;
    if (pcp !== undefined || (natPmp !== undefined && v4))
      await startPcpService(
        env,
        address,
        router,
        v4 ? { ...(pcp && { pcp }), ...(natPmp && { natPmp }) } : { pcp: pcp ?? 'yes' },
      );
    if (upnp !== undefined && v4) await startIgdService(env, address, router, upnp);
  }
}

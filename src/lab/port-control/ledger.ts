/** What a router decides about those who want a port, whatever the protocol: the manners of `nat-parts.ts`. Pure. */
import { type Endpoint, scopeOf } from '../../net/address.ts';
import type { Transport } from '../../portmap/pcp.ts';
import type { StaticForward, Forwards } from '../forwards.ts';
import type { PortControlManner } from '../nat-parts.ts';

/** What the ledger needs to know of its router. */
export interface PortControlled {
  readonly forwards: Forwards;
  /** Its outside address of that family; none on a firewall, where the inside is known outside as it is. */
  outsideOf(inside: string): string | undefined;
  /** Whether a flow of somebody else's holds this public side. */
  isUsed(transport: Transport, at: Endpoint, by: Endpoint): boolean;
  /** When it last started, on the clock's scale. */
  readonly startedAt: number;
}

export interface Ask {
  readonly transport: Transport;
  readonly from: Endpoint;
  /** 0: no wish. */
  readonly externalPort: number;
  readonly lifetimeS: number;
  readonly description: string;
  readonly nonce?: Uint8Array | undefined;
}

export type Decision =
  | { readonly kind: 'granted'; readonly public: Endpoint; readonly lifetimeS: number }
  | { readonly kind: 'not-authorized' | 'no-resources' | 'second-nat' | 'taken' };

/** As miniupnpd: what is shorter is raised. */
const LEAST_LIFETIME_S = 120;
const MOST_LIFETIME_S = 86_400;

/** `exact`: the external port that was asked for, or none, as UPnP wants it. */
export function decide(
  router: PortControlled,
  manner: PortControlManner,
  ask: Ask,
  { now, exact }: { readonly now: number; readonly exact: boolean },
): Decision {
  const { forwards } = router;
  const address = router.outsideOf(ask.from.address) ?? ask.from.address;
  if (manner === 'refuse') return { kind: 'not-authorized' };
  if (manner === 'full') return { kind: 'no-resources' };
  if (!hasInternet(address) && manner !== 'naive') return { kind: 'second-nat' };
  const own = forwards.of(ask.transport, ask.from, now);
  // Well-known ports go to those alone who ask for them by name.
  const first = ask.externalPort || Math.max(ask.from.port, 1024);
  const isFree = (port: number): boolean => {
    const there = forwards.at(ask.transport, { address, port }, now);
    if (there) return there === own || (exact && there.private.address === ask.from.address);
    return !router.isUsed(ask.transport, { address, port }, ask.from);
  };
  const wished =
    manner === 'other-port' && !exact && !own ? later(first, 1000) : own && !exact ? own.public.port : first;
  if (exact && (!isFree(wished) || (manner === 'other-port' && wished < 49_152))) return { kind: 'taken' };
  let port = wished;
  for (let i = 0; !isFree(port); i++) {
    if (i > 1000) return { kind: 'no-resources' };
    port = later(port, 1);
  }
  const lifetimeS =
    ask.lifetimeS === 0 ? 0 : Math.min(MOST_LIFETIME_S, Math.max(exact ? 1 : LEAST_LIFETIME_S, ask.lifetimeS));
  const granted: StaticForward = {
    transport: ask.transport,
    public: { address, port },
    private: ask.from,
    until: lifetimeS === 0 ? Number.POSITIVE_INFINITY : now + lifetimeS * 1000,
    description: ask.description,
    nonce: ask.nonce,
    works: manner !== 'lie',
  };
  if (manner !== 'void') forwards.set(granted);
  return { kind: 'granted', public: granted.public, lifetimeS };
}

/** Whether a router with this outside address has a way in from the internet. */
export const hasInternet = (address: string): boolean => scopeOf(address) === 'public';

const later = (port: number, by: number): number => (port + by > 65_535 ? 1024 + by : port + by);

/** The boxes between this host and the internet, as far as what was measured proves them. Pure. */
import { sameButZone, scopeOf } from '../../net/address.ts';
import type { Known, PathFacts } from './facts.ts';

/** What a statement about a layer rests on. */
export type Source =
  | 'gateway' //        the routing table
  | 'port-mapping' //   PCP, NAT-PMP or UPnP told the router's outside address
  | 'stun' //           the mapped address
  | 'ttl-filter' //     the hop from which an answer from elsewhere is let in
  | 'ttl-refusal'; //   the hop that answers for the mapped address, by ICMP

/** A box on the path. */
export interface Layer {
  /** 1 is the box next to this host; null where nothing tells. */
  readonly hop: number | null;
  /** `filter`: it lets in only answers, and translates nothing. */
  readonly kind: 'nat' | 'filter';
  /** The box's own address on the inside, and the address that it gives to what goes out. */
  readonly inside: string | null;
  readonly outside: string | null;
  readonly knownFrom: readonly Source[];
}

/** The boxes on the path, and what follows. */
export interface Layers {
  /** From the inside out. */
  readonly layers: readonly Layer[];
  /** How many translate; null where that cannot be told. */
  readonly nats: number | null;
  readonly cgnat: Known;
  readonly doubleNat: Known;
  /** Why the number is not known. */
  readonly open: 'no-answer' | 'behind-unseen' | 'gateway-unseen' | 'other-way' | undefined;
}

const NOTHING: Layers = { layers: [], nats: null, cgnat: 'unknown', doubleNat: 'unknown', open: 'no-answer' };

/** RFC 6598: the space between a subscriber's router and its carrier's NAT. */
const isShared = (address: string): boolean => scopeOf(address) === 'shared';
const isPublic = (address: string): boolean => scopeOf(address) === 'public';

/** The layers that the facts prove; what they do not prove is unknown. */
export function layersOf(facts: PathFacts): Layers {
  const { local, mapped, filter } = facts;
  if (!local || !mapped) return NOTHING;
  const filterHop = filter.kind === 'at' ? filter.hop : undefined;
  if (sameButZone({ ...local, port: mapped.port }, mapped)) {
    const layers: Layer[] = filterHop === undefined ? [] : [layer(facts, filterHop, 'filter', null, ['ttl-filter'])];
    return { layers, nats: 0, cgnat: 'no', doubleNat: 'no', open: undefined };
  }
  const wan = credibleWan(facts);
  if (wan === undefined && !saysNatFollows(facts)) return unaided(facts, mapped.address, filterHop);
  return aided(facts, wan, mapped.address, filterHop);
}

/** An outside address that a router can have. Some tell none at all while they have no connection. */
function credibleWan({ offer }: PathFacts): string | undefined {
  const wan = offer?.external;
  return wan !== undefined && ['public', 'private', 'shared'].includes(scopeOf(wan)) ? wan : undefined;
}

/** A router that says that it has no public address, and through which the server was reached all the same. What the last hop says itself counts for more. */
const saysNatFollows = ({ offer, owner }: PathFacts): boolean =>
  offer !== undefined &&
  owner !== 1 &&
  (offer.secondNat || [offer.pcp, offer.natPmp, offer.upnp].some(({ refusal }) => refusal?.kind === 'no-network'));

/** The router next to this host told its outside address, or at least that a NAT follows. */
function aided(facts: PathFacts, wan: string | undefined, mapped: string, filterHop: number | undefined): Layers {
  const beyond = filterHop !== undefined && filterHop > 1 ? filterHop : undefined;
  const first = layer(facts, 1, 'nat', wan ?? null, ['port-mapping', ...(wan === mapped ? (['stun'] as const) : [])]);
  if (wan === mapped) {
    const filter = beyond === undefined ? [] : [layer(facts, beyond, 'filter', null, ['ttl-filter'])];
    return { layers: [first, ...filter], nats: 1, cgnat: carrierOf(facts), doubleNat: 'no', open: undefined };
  }
  // Another public address: a second translation, a tunnel, or a second line. Nothing tells which.
  if (wan !== undefined && isPublic(wan))
    return { layers: [first], nats: null, cgnat: 'unknown', doubleNat: 'unknown', open: 'other-way' };
  return {
    layers: [first, outermost(facts, beyond, mapped)],
    nats: 2,
    cgnat: wan !== undefined && isShared(wan) ? 'yes' : 'unknown',
    doubleNat: 'yes',
    open: undefined,
  };
}

/** Nobody told of the outside of the router next to this host. */
function unaided(facts: PathFacts, mapped: string, filterHop: number | undefined): Layers {
  const { owner } = facts;
  // Where only a filter shows, a NAT that filters nothing may follow, and the mapped address be that one's.
  const isOfFilter = owner === undefined && filterHop !== undefined;
  const outer = outermost(facts, filterHop, isOfFilter ? null : mapped);
  // The box that answers for the mapped address is the last that translates: further out nothing can change it.
  if (owner === 1) {
    const filter =
      filterHop !== undefined && filterHop > 1 ? [layer(facts, filterHop, 'filter', null, ['ttl-filter'])] : [];
    return { layers: [outer, ...filter], nats: 1, cgnat: carrierOf(facts), doubleNat: 'no', open: undefined };
  }
  // A filter further in than the last NAT: whether it translates too shows nowhere.
  const inner =
    owner !== undefined && filterHop !== undefined && filterHop < owner
      ? [layer(facts, filterHop, 'filter', null, ['ttl-filter'])]
      : [];
  return {
    layers: [...inner, outer],
    nats: null,
    cgnat: carrierOf(facts) === 'yes' ? 'yes' : 'unknown',
    doubleNat: 'unknown',
    open: (owner ?? filterHop ?? 1) > 1 ? 'gateway-unseen' : 'behind-unseen',
  };
}

/** The outermost NAT that shows. */
function outermost(facts: PathFacts, filterHop: number | undefined, mapped: string | null): Layer {
  const { owner } = facts;
  return layer(facts, owner ?? filterHop, 'nat', mapped, [
    'stun',
    ...(owner === undefined ? [] : (['ttl-refusal'] as const)),
    ...(filterHop === undefined || (owner !== undefined && filterHop !== owner) ? [] : (['ttl-filter'] as const)),
  ]);
}

function layer(
  { gateway }: PathFacts,
  hop: number | undefined,
  kind: Layer['kind'],
  outside: string | null,
  knownFrom: readonly Source[],
): Layer {
  const inside = hop === 1 ? (gateway?.address ?? null) : null;
  return {
    hop: hop ?? null,
    kind,
    inside,
    outside,
    knownFrom: inside === null ? knownFrom : ['gateway', ...knownFrom],
  };
}

/** A host whose own address is of the shared space stands right behind a carrier's NAT, unless a tunnel gave it that address. */
function carrierOf({ local, tunnel }: PathFacts): Known {
  if (!local || !isShared(local.address)) return 'no';
  return tunnel ? 'unknown' : 'yes';
}

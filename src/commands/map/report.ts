/** What `map` reports. */
import { formatEndpoint } from '../../net/address.ts';
import type { HeldMapping, NoMapping } from '../../portmap/mapper.ts';
import type { Oddity } from '../../portmap/oddity.ts';
import type { Listed } from '../../portmap/protocol.ts';
import { isBehindNat, type Protocol, PROTOCOL_NAMES, type Refusal, refusalWords } from '../../portmap/refusal.ts';
import type { RouterAt } from '../../portmap/router.ts';
import type { Openness } from '../../probe/openness/openness.ts';
import { type Finding, finding } from '../../report/finding.ts';

export interface Mapped {
  /** Null where the port was not opened. */
  readonly protocol: Protocol | null;
  readonly transport: 'udp' | 'tcp';
  readonly private: string | null;
  /** Null also where the router does not tell its address. */
  readonly public: string | null;
  /** Seconds; 0 for good; null where the port was not opened. */
  readonly lifetimeS: number | null;
  /** Tried from outside. */
  readonly open: Openness['open'];
  /** The server's endpoint that the port was tried from. */
  readonly triedFrom: string | null;
  readonly router: string | null;
  readonly refusals: readonly RefusalData[];
  /** It is gone from the router; null while it was never there. */
  readonly removed: boolean | null;
}

interface RefusalData {
  readonly protocol: Protocol;
  readonly kind: Refusal['kind'];
  readonly code: number | null;
  /** The router's own outside address, where it told. */
  readonly wan: string | null;
}

/** Of --list. */
export interface MappingList {
  readonly router: string | null;
  readonly external: string | null;
  /** Null where the router has no list to show. */
  readonly mappings:
    | readonly {
        readonly transport: 'udp' | 'tcp';
        readonly private: string;
        /** Null where the router does not tell its address. */
        readonly public: string | null;
        readonly externalPort: number;
        readonly lifetimeS: number;
        readonly description: string;
      }[]
    | null;
}

/** Of --remove. */
export interface Removal {
  readonly router: string | null;
  readonly port: number;
  readonly transport: 'udp' | 'tcp';
  /** `yes`: none is left; `none`: by the router's list there was none before, either; `no`: it was not removed. */
  readonly removed: 'yes' | 'none' | 'no';
  readonly refusals: readonly RefusalData[];
}

export type MapData = Mapped | MappingList | Removal;

export const refusalData = ({ protocol, kind, code, wan }: Refusal): RefusalData => ({
  protocol,
  kind,
  code: code ?? null,
  wan: wan ?? null,
});

/** As a report writes it; null where the router does not tell its address. */
export const publicOf = ({ public: { address, port } }: HeldMapping): string | null =>
  address === undefined ? null : formatEndpoint({ address, port });

export const listData = (router: RouterAt, external: string | undefined, listed: readonly Listed[]): MappingList => ({
  router: router.address,
  external: external ?? null,
  mappings: listed.map(({ transport, externalPort, internal, description, lifetimeS }) => ({
    transport,
    private: formatEndpoint(internal),
    public: external === undefined ? null : formatEndpoint({ address: external, port: externalPort }),
    externalPort,
    lifetimeS,
    description,
  })),
});

export function oddityFindings(oddities: readonly Oddity[]): Finding[] {
  return oddities.map((odd) => {
    switch (odd.kind) {
      case 'elsewhere':
        return finding('router-elsewhere', { host: odd.host, router: odd.router });
      case 'strangers':
        return finding('router-strangers', { count: odd.count, first: odd.first });
      case 'unusable':
        return finding('router-unusable', { words: odd.words });
    }
  });
}

/** Why no router opened the port. `seen`: the public address that a STUN server sees, which shows that the router is online. */
export function noMappingFindings({ router, refusals, oddities }: NoMapping, seen: string | undefined): Finding[] {
  if (!router) return [finding('no-router')];
  // A router that answers what cannot be used is not one that does not answer.
  if (refusals.length === 0)
    return oddities.some(({ kind }) => kind === 'unusable')
      ? []
      : [finding('no-port-control', { router: router.address })];
  const wan = refusals.find((each) => each.wan !== undefined)?.wan;
  const isSecond = refusals.some(({ kind }) => kind === 'second-nat');
  // A router may take for none of the internet's what the internet sees.
  const isOnline = seen !== undefined && seen !== wan && refusals.some(({ kind }) => kind === 'no-network');
  return [
    ...refusals.map((each) =>
      finding('port-refused', { protocol: PROTOCOL_NAMES[each.protocol], words: refusalWords(each) }),
    ),
    ...(isSecond || isOnline ? [finding('second-nat', { wan: wan ?? null, seen: seen ?? null })] : []),
  ];
}

export function openFindings({ open, why, by, seen }: Openness, mapping: HeldMapping): Finding[] {
  const at = mapping.public;
  const isSecond = at.address !== undefined && isBehindNat(at.address);
  if (isSecond) return [finding('second-nat', { wan: at.address ?? null, seen: seen ?? null })];
  if (open === 'no')
    return [finding('mapped-but-closed', { protocol: PROTOCOL_NAMES[mapping.protocol], by: by ?? '' })];
  if (open === 'yes') return [];
  if (why === 'elsewhere') return [finding('other-way-out', { wan: at.address ?? '', seen: seen ?? '' })];
  return [finding('mapping-untried', { why: UNTRIED[why] })];
}

const UNTRIED: Readonly<Record<Openness['why'], string>> = {
  proven: '',
  silent: '',
  elsewhere: '',
  held: 'another program holds the port, so what comes in goes to that one',
  'no-server': 'no STUN server answered',
  'not-honoured': 'no server was found that sends where it is told to (CHANGE-REQUEST, RESPONSE-PORT)',
};

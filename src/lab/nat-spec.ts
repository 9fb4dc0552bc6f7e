/** NATs by kind. Pure. */
import type { Dependence } from '../nat/dependence.ts';
import { DEFAULT_PARTS, LINUX_LIFETIMES, type NatParts } from './nat-parts.ts';

export const NAT_KINDS = [
  'full-cone',
  'restricted-cone',
  'port-restricted-cone',
  'symmetric',
  'firewall',
  'blocked',
  'none',
  'cgnat',
  'linux',
] as const;
/**
 * RFC 3489's types, and some that are met: `cgnat`, `linux` (as its netfilter translates), `blocked` (no UDP),
 * `none`.
 */
export type NatKind = (typeof NAT_KINDS)[number];

/** A NAT to be simulated: one box, or two where a carrier's stands behind it. */
export interface NatSpec {
  readonly kind: NatKind;
  /** The customer's router. */
  readonly parts: NatParts;
  /** The carrier's NAT behind which it stands; its outside is the internet. */
  readonly carrier?: NatParts;
}

const CONES: Partial<Record<NatKind, Dependence>> = {
  'full-cone': 'endpoint-independent',
  'restricted-cone': 'address-dependent',
  'port-restricted-cone': 'address-and-port-dependent',
};

/** A NAT of that kind, each part as it is unless `parts` says otherwise. Behind a CGNAT they describe the carrier's, but for what the customer's router is asked for. */
export function natSpec(kind: NatKind, parts: Partial<NatParts> = {}): NatSpec {
  switch (kind) {
    case 'full-cone':
    case 'restricted-cone':
    case 'port-restricted-cone':
      return { kind, parts: { ...DEFAULT_PARTS, filtering: CONES[kind] ?? DEFAULT_PARTS.filtering, ...parts } };
    case 'symmetric':
      return { kind, parts: { ...DEFAULT_PARTS, mapping: 'address-and-port-dependent', ...parts } };
    case 'firewall':
      return { kind, parts: { ...DEFAULT_PARTS, translate: false, ...parts } };
    case 'none':
      return { kind, parts: { ...DEFAULT_PARTS, translate: false, filtering: 'none', ...parts } };
    case 'blocked':
      return { kind, parts: { ...DEFAULT_PARTS, udpBlocked: true, ...parts } };
    case 'linux':
      return {
        kind,
        parts: {
          ...DEFAULT_PARTS,
          mapping: 'address-and-port-dependent',
          ports: { kind: 'preserving', fallback: 'random' },
          overload: true,
          poison: true,
          lifetimes: LINUX_LIFETIMES,
          ...parts,
        },
      };
    case 'cgnat': {
      const { portControl = {}, restartEveryMs, ...others } = parts;
      // RFC 6888 asks a carrier for endpoint-independent mapping and filtering; blocks keep its logs short (RFC 7422).
      return {
        kind,
        parts: { ...DEFAULT_PARTS, portControl, ...(restartEveryMs !== undefined && { restartEveryMs }) },
        carrier: {
          ...DEFAULT_PARTS,
          filtering: 'endpoint-independent',
          ports: { kind: 'block', size: 512 },
          ...others,
        },
      };
    }
  }
}

/** What a perfect observer would say of a NAT, from its parts. Pure. */
import type { Dependence } from '../nat/dependence.ts';
import type { Filtering } from '../nat/filtering.ts';
import type { Mapping } from '../nat/mapping.ts';
import type { NatParts } from './nat-parts.ts';
import type { NatSpec } from './nat-spec.ts';

/** What a perfect observer on the inside would report, in the contract's words. */
export interface Truth {
  readonly type:
    | 'open-internet'
    | 'udp-firewall'
    | 'full-cone'
    | 'restricted-cone'
    | 'port-restricted-cone'
    | 'symmetric'
    | 'udp-blocked';
  readonly mapping: Mapping;
  readonly filtering: Filtering;
  readonly hairpin: 'yes' | 'no' | 'unknown';
  readonly portAllocation: {
    readonly pattern: 'preserving' | 'sequential' | 'random' | 'block' | 'unknown';
    readonly step?: number;
    readonly size?: number;
  };
}

const ORDER: readonly Dependence[] = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent'];
const stricter = (a: Dependence, b: Dependence): Dependence => (ORDER.indexOf(a) > ORDER.indexOf(b) ? a : b);

export function truthOf({ parts, carrier }: NatSpec): Truth {
  const boxes = carrier ? [parts, carrier] : [parts];
  if (boxes.some((each) => each.udpBlocked)) {
    return {
      type: 'udp-blocked',
      mapping: 'unknown',
      filtering: 'unknown',
      hairpin: 'unknown',
      portAllocation: { pattern: 'unknown' },
    };
  }
  const filtering = boxes
    .map((each) => (each.filtering === 'none' ? 'endpoint-independent' : each.filtering))
    .reduce(stricter);
  const translating = boxes.filter((each) => each.translate);
  if (!translating.length) {
    // Without translation the other socket is reached directly, not by way of the NAT.
    return {
      type: filtering === 'endpoint-independent' ? 'open-internet' : 'udp-firewall',
      mapping: 'none',
      filtering,
      hairpin: 'unknown',
      portAllocation: { pattern: 'preserving' },
    };
  }
  const mapping = translating.map(visibleMapping).reduce(stricter);
  const type = mapping === 'endpoint-independent' ? coneOf(filtering) : 'symmetric';
  return { type, mapping, filtering, hairpin: hairpinOf(parts, carrier), portAllocation: allocationOf(translating) };
}

/**
 * Overloading with preserved ports hides the dependence: each flow keeps its port until two collide. Not where each flow draws one of
 * several public addresses.
 */
const visibleMapping = (parts: NatParts): Dependence =>
  parts.overload && parts.ports.kind === 'preserving' && !(parts.pool > 1 && parts.pooling === 'arbitrary')
    ? 'endpoint-independent'
    : parts.mapping;

const coneOf = (filtering: Dependence): Truth['type'] =>
  filtering === 'endpoint-independent'
    ? 'full-cone'
    : filtering === 'address-dependent'
      ? 'restricted-cone'
      : 'port-restricted-cone';

function hairpinOf(parts: NatParts, carrier: NatParts | undefined): Truth['hairpin'] {
  const turning = carrier ?? parts;
  // A filter on the way round is opened by sending, as any other.
  if (turning.hairpin === 'no') return 'no';
  if (!carrier) return 'yes';
  return parts.filtering === 'endpoint-independent' || parts.filtering === 'none' ? 'yes' : 'no';
}

function allocationOf(boxes: readonly NatParts[]): Truth['portAllocation'] {
  const ports = boxes.map((each) => each.ports).findLast((each) => each.kind !== 'preserving');
  if (!ports) return { pattern: 'preserving' };
  if (ports.kind === 'sequential') return { pattern: 'sequential', step: ports.step };
  return ports.kind === 'block' ? { pattern: 'block', size: ports.size } : { pattern: 'random' };
}

/** Observations in, the field's words out (RFC 4787 §4 and §5, RFC 3489 §5). Pure. */
import { type Endpoint, sameEndpoint } from '../net/address.ts';

export type Dependence = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent';
export type Mapping = Dependence | 'none' | 'unknown';
export type Filtering = Dependence | 'unknown';
export type NatType =
  | 'open-internet'
  | 'udp-firewall'
  | 'full-cone'
  | 'restricted-cone'
  | 'port-restricted-cone'
  | 'symmetric'
  | 'udp-blocked'
  | 'unknown';

/** What a server saw: `local` sent to `remote`, which saw `mapped`. */
export interface Observation {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly mapped: Endpoint;
}

export interface MappingVerdict {
  readonly mapping: Mapping;
  /** The mapping depends on the remote endpoint, even where it is not known on which part of it. */
  readonly dependent: boolean;
}

/**
 * Mapping behaviour from what several remote endpoints saw of ONE local endpoint. Independence needs two remote
 * addresses that agree; a difference is a fact at once, and remotes that share an address tell on what it depends.
 */
export function classifyMapping(observations: readonly Observation[]): MappingVerdict {
  const first = observations[0];
  if (!first) return { mapping: 'unknown', dependent: false };
  const same = observations.every((each) => sameEndpoint(each.mapped, first.mapped));
  if (same) {
    if (sameEndpoint(first.mapped, first.local)) return { mapping: 'none', dependent: false };
    const addresses = new Set(observations.map((each) => each.remote.address));
    return { mapping: addresses.size > 1 ? 'endpoint-independent' : 'unknown', dependent: false };
  }
  let comparedPorts = false;
  for (const a of observations) {
    for (const b of observations) {
      if (a.remote.address !== b.remote.address || a.remote.port === b.remote.port) continue;
      if (!sameEndpoint(a.mapped, b.mapped)) return { mapping: 'address-and-port-dependent', dependent: true };
      comparedPorts = true;
    }
  }
  return { mapping: comparedPorts ? 'address-dependent' : 'unknown', dependent: true };
}

/** Outcome of a filtering test: an answer from a changed source came through, provably did not, or nothing can be said. */
export type Passage = 'passed' | 'dropped' | 'unknown';

/** Filtering behaviour from the tests "another address and port" and "another port of the same address" (RFC 5780 §4.4). */
export function classifyFiltering(otherAddress: Passage, otherPort: Passage): Filtering {
  if (otherAddress === 'passed') return 'endpoint-independent';
  if (otherPort === 'dropped') return 'address-and-port-dependent';
  if (otherAddress === 'dropped' && otherPort === 'passed') return 'address-dependent';
  return 'unknown';
}

const CONES: Readonly<Record<Dependence, NatType>> = {
  'endpoint-independent': 'full-cone',
  'address-dependent': 'restricted-cone',
  'address-and-port-dependent': 'port-restricted-cone',
};

export function natType({ mapping, dependent }: MappingVerdict, filtering: Filtering): NatType {
  if (dependent) return 'symmetric';
  if (mapping === 'unknown' || filtering === 'unknown') return 'unknown';
  if (mapping === 'none') return filtering === 'endpoint-independent' ? 'open-internet' : 'udp-firewall';
  return CONES[filtering];
}

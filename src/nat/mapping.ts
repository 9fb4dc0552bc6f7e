/** Mapping behaviour (RFC 4787 §4.1): observations in, the field's word out. Pure. */
import { type Endpoint, sameButZone, sameEndpoint } from '../net/address.ts';
import type { Dependence } from './dependence.ts';

/** `none`: no translation. */
export type Mapping = Dependence | 'none' | 'unknown';

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
    if (sameButZone(first.mapped, first.local)) return { mapping: 'none', dependent: false };
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

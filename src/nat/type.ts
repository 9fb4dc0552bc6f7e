/** The types of RFC 3489 §5, from mapping and filtering. Pure. */
import type { Dependence } from './dependence.ts';
import type { Filtering } from './filtering.ts';
import type { MappingVerdict } from './mapping.ts';

export type NatType =
  | 'open-internet'
  | 'udp-firewall'
  | 'full-cone'
  | 'restricted-cone'
  | 'port-restricted-cone'
  | 'symmetric'
  | 'udp-blocked'
  | 'unknown';

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

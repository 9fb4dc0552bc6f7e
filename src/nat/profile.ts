/** What a side knows of its own NAT, as far as it matters for a hole. Pure. */
import type { PortAllocation } from './allocation.ts';
import type { Filtering } from './filtering.ts';
import type { Mapping } from './mapping.ts';

export interface Profile {
  readonly mapping: Mapping;
  readonly filtering: Filtering;
  /** Measured only where the mapping is symmetric. */
  readonly allocation: PortAllocation;
  /** False: the filter is still being measured. */
  readonly complete: boolean;
}

export const isSymmetric = ({ mapping }: Profile): boolean =>
  mapping === 'address-dependent' || mapping === 'address-and-port-dependent';

/** Lets in only who was sent to, port included; what is not known is taken for that. */
export const isPortFiltered = ({ filtering }: Profile): boolean =>
  filtering === 'address-and-port-dependent' || filtering === 'unknown';

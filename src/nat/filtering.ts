/** Filtering behaviour (RFC 4787 §5): what came through and what provably did not, in the field's word. Pure. */
import type { Dependence } from './dependence.ts';

export type Filtering = Dependence | 'unknown';

/** Outcome of a filtering test: an answer from a changed source came through, provably did not, or nothing can be said. */
export type Passage = 'passed' | 'dropped' | 'unknown';

/** Filtering behaviour from the tests "another address and port" and "another port of the same address" (RFC 5780 §4.4). */
export function classifyFiltering(otherAddress: Passage, otherPort: Passage): Filtering {
  if (otherAddress === 'passed') return 'endpoint-independent';
  if (otherPort === 'dropped') return 'address-and-port-dependent';
  if (otherAddress === 'dropped' && otherPort === 'passed') return 'address-dependent';
  return 'unknown';
}

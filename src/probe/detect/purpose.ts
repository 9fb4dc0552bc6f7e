/** What a series of requests is sent for. */

/** What a CHANGE-REQUEST asks to have changed (RFC 5780 §7.2). */
export interface Change {
  readonly ip: boolean;
  readonly port: boolean;
}

/** What a series is sent for. */
export type Purpose =
  /** From the one mapping socket; the first of them to each server asked, the others to its alternates. */
  | { readonly kind: 'mapping'; readonly number: 1 | 2 | 3 | 4 }
  /** A flow of the mapping socket once more: a server that says another thing now is no witness. */
  | { readonly kind: 'again' }
  /** An answer directed to the port that the server named. */
  | { readonly kind: 'claim' }
  | { readonly kind: 'allocation' }
  /** Plain, beside the test of the same socket. */
  | { readonly kind: 'baseline'; readonly change: Change }
  | { readonly kind: 'filtering'; readonly change: Change }
  /** The change asked for on an open path. */
  | { readonly kind: 'control'; readonly change: Change };

/** As the evidence names it. */
export function purposeName(purpose: Purpose): string {
  switch (purpose.kind) {
    case 'mapping':
      return `mapping-${purpose.number}`;
    case 'again':
      return 'mapping-again';
    case 'allocation':
    case 'claim':
      return purpose.kind;
    case 'baseline':
      return `filtering-${changeName(purpose.change)}-baseline`;
    case 'filtering':
    case 'control':
      return `${purpose.kind}-${changeName(purpose.change)}`;
  }
}

const changeName = ({ ip }: Change): string => (ip ? 'ip-port' : 'port');

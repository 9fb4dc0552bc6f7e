import { type Endpoint, formatEndpoint, sameEndpoint } from '../net/address.ts';

/** One row of a NAT forwarding table: what the NAT now holds for one flow. Endpoints as text. */
export interface ForwardingRow {
  readonly private: string;
  readonly public: string;
  readonly remote: string;
  /** Nobody has seen this public side towards this remote end: it follows from what was seen of others. Absent where it was measured. */
  readonly assumed?: true;
}

/** Collects rows in the order in which the flows were first seen, each flow once. */
export class ForwardingTable {
  readonly #rows: { local: Endpoint; mapped: Endpoint; remote: Endpoint; assumed: boolean }[] = [];

  /** What is measured takes the place of what was assumed of that flow. */
  add(local: Endpoint, mapped: Endpoint, remote: Endpoint, assumed = false): void {
    const known = this.#rows.find(
      (row) => sameEndpoint(row.local, local) && sameEndpoint(row.remote, remote) && sameEndpoint(row.mapped, mapped),
    );
    if (!known) this.#rows.push({ local, mapped, remote, assumed });
    else known.assumed &&= assumed;
  }

  rows(): ForwardingRow[] {
    return this.#rows.map(({ local, mapped, remote, assumed }) => ({
      private: formatEndpoint(local),
      public: formatEndpoint(mapped),
      remote: formatEndpoint(remote),
      ...(assumed && { assumed: true as const }),
    }));
  }
}

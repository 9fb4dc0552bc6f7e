import { type Endpoint, formatEndpoint, sameEndpoint } from '../net/address.ts';

/** One row of a NAT forwarding table: what the NAT now holds for one flow. Endpoints as text. */
export interface ForwardingRow {
  readonly private: string;
  readonly public: string;
  readonly remote: string;
}

/** Collects rows in the order in which the flows were first seen, each flow once. */
export class ForwardingTable {
  readonly #rows: { local: Endpoint; mapped: Endpoint; remote: Endpoint }[] = [];

  add(local: Endpoint, mapped: Endpoint, remote: Endpoint): void {
    const known = this.#rows.some(
      (row) => sameEndpoint(row.local, local) && sameEndpoint(row.remote, remote) && sameEndpoint(row.mapped, mapped),
    );
    if (!known) this.#rows.push({ local, mapped, remote });
  }

  rows(): ForwardingRow[] {
    return this.#rows.map(({ local, mapped, remote }) => ({
      private: formatEndpoint(local),
      public: formatEndpoint(mapped),
      remote: formatEndpoint(remote),
    }));
  }
}

/** Whom an allocation may talk to: asked when a permission is installed or a channel bound, and again for each packet where a relay of ours is the peer. */
import type { Endpoint } from '../net/address.ts';
import { PeerPolicy } from './peer-policy.ts';
import type { Reachable, RelayedAddress, ServerAllocation } from './server-allocation.ts';
import type { AllocationTable } from './server-table.ts';

/** RFC 8656 §21.1.4: services live below. */
const LEAST_PORT = 1024;

export interface ReachOptions {
  /** What is denied by default is open where this says so. */
  readonly peers?: PeerPolicy | undefined;
  /** Whether an address is one of this host's, or leads to it. */
  isOwn(address: string): boolean;
  /** Whether this server answers there. */
  serves(endpoint: Endpoint): boolean;
}

export class Reach {
  readonly #policy: PeerPolicy;
  readonly #options: ReachOptions;
  readonly #table: AllocationTable;

  constructor(options: ReachOptions, table: AllocationTable) {
    this.#policy = options.peers ?? new PeerPolicy();
    this.#options = options;
    this.#table = table;
  }

  /** Undefined where nobody may be reached at the address. */
  of({ meeting }: ServerAllocation, address: string): Reachable | undefined {
    const ours = this.#table.relaysAt(address);
    const own = ours || this.#options.isOwn(address);
    const others = meeting
      ? meeting.permits(address) && !own
      : own
        ? this.#policy.names(address)
        : this.#policy.allows(address);
    return ours || others ? { ours, others } : undefined;
  }

  /** Whether a port can be a peer's. */
  isPeer(peer: Endpoint): boolean {
    return peer.port >= LEAST_PORT && !this.#options.serves(peer);
  }

  /** The relay of ours at an endpoint that this allocation may reach: of its own meeting, or of anybody where it belongs to none. */
  relayAt(peer: Endpoint, { meeting }: ServerAllocation): RelayedAddress | undefined {
    const relay = this.#table.relayAt(peer);
    return relay?.allocation && relay.allocation.meeting?.name === meeting?.name ? relay : undefined;
  }
}

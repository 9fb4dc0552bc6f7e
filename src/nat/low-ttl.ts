/**
 * Hops of a packet that shall open our own NAT and die before the peer's: some routers answer what comes in before anything went out,
 * and that flow is then lost to them. A carrier's NAT may lie further away, so never all packets go so near.
 */
export const LOW_TTL = 2;

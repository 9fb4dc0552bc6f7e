/**
 * What `--echo` sends back, and what not. The source of a datagram is forged easily: one datagram in the name of another echo would go to and fro
 * between the two without end (CVE-2024-2169), and a service that answers everything would be asked in our name.
 */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import type { Random } from '../../net/env.ts';
import { SourceLimiter } from '../../net/rate-limit.ts';

/**
 * Services above the well-known ports that answer whatever comes, some with much more: SSDP, the database listeners of SQL Server, NAT-PMP and
 * PCP, WS-Discovery, CoAP, STUN and TURN, multicast DNS, SIP, memcached, BitTorrent's DHT. Below 1024, where echo, chargen, daytime, time, qotd,
 * DNS, NTP, SNMP and the rest are, no client sends from.
 */
const SERVICES: ReadonlySet<number> = new Set([
  1434, 1900, 3478, 3479, 3702, 5060, 5349, 5350, 5351, 5353, 5683, 6881, 11211,
]);
const FIRST_CLIENT_PORT = 1024;

/** Of one source: a test by hand, or by a program that waits for its answers. */
const LIMIT = { perSecond: 100, burst: 200 };

/** So often in a row a sender may send just what it was sent. Two echoes do nothing else, and for those one that stays out is the end. */
const MOST_RETURNS = 500;
/** Senders remembered for that. */
const MOST_SENDERS = 1_000;
/** By which a datagram is recognised, beside its length. */
const RECOGNISED_BYTES = 64;

interface Sender {
  last: string;
  returns: number;
}

export class EchoGuard {
  /** Datagrams that were not sent back. */
  refused = 0;
  readonly #limiter: SourceLimiter;
  /** In the order of their last datagram. */
  readonly #senders = new Map<string, Sender>();

  constructor(random: Random) {
    this.#limiter = new SourceLimiter(LIMIT, random);
  }

  /** Whether this datagram, which came at `now` (ms), goes back to its source. */
  allows(from: Endpoint, data: Uint8Array, now: number): boolean {
    const allowed =
      from.port >= FIRST_CLIENT_PORT &&
      !SERVICES.has(from.port) &&
      this.#limiter.allow(this.#limiter.keyOf(from.address), now) &&
      !this.#isLoop(from, data);
    if (!allowed) this.refused++;
    return allowed;
  }

  #isLoop(from: Endpoint, data: Uint8Array): boolean {
    const name = formatEndpoint(from);
    const last = `${data.length} ${Buffer.from(data.subarray(0, RECOGNISED_BYTES)).toString('latin1')}`;
    const known = this.#senders.get(name);
    const returns = known?.last === last ? known.returns + 1 : 0;
    this.#senders.delete(name);
    if (returns >= MOST_RETURNS) return true;
    this.#senders.set(name, { last, returns });
    const [oldest] = this.#senders.keys();
    if (this.#senders.size > MOST_SENDERS && oldest !== undefined) this.#senders.delete(oldest);
    return false;
  }
}

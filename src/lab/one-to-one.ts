/** A 1:1 NAT, as clouds put it before their hosts: it changes addresses alone, keeps no state and filters nothing. */
import type { Endpoint } from '../net/address.ts';
import type { NetNode, Segment } from './network.ts';
import type { Packet } from './packet.ts';

/** A private address and the public one that stands for it. */
export interface Translation {
  readonly inside: string;
  readonly outside: string;
}

export class OneToOneNat implements NetNode {
  readonly name: string;
  readonly #inside: Segment;
  readonly #outside: Segment;
  readonly #outer: ReadonlyMap<string, string>;
  readonly #inner: ReadonlyMap<string, string>;

  constructor(name: string, inside: Segment, outside: Segment, pairs: readonly Translation[]) {
    this.name = name;
    this.#inside = inside;
    this.#outside = outside;
    this.#outer = new Map(pairs.map((pair) => [pair.inside, pair.outside]));
    this.#inner = new Map(pairs.map((pair) => [pair.outside, pair.inside]));
    for (const pair of pairs) {
      outside.attach(pair.outside, this);
      inside.setGateway(pair.inside.replace(/\d+$/, '1'), this);
    }
  }

  /** What goes from inside to one of its public addresses comes back in, from a public address too. */
  receive(packet: Packet, from: Segment): void {
    const leaving = from === this.#inside;
    const src = leaving ? changed(packet.src, this.#outer) : packet.src;
    if (!src) return;
    const dst = changed(packet.dst, this.#inner);
    const { payload } = packet;
    const about = payload.protocol === 'icmp' ? payload.about : undefined;
    const told = about && {
      src: (leaving ? undefined : changed(about.src, this.#inner)) ?? about.src,
      dst: (leaving ? changed(about.dst, this.#outer) : undefined) ?? about.dst,
    };
    const next: Packet = {
      ...packet,
      src,
      dst: dst ?? packet.dst,
      ttl: packet.ttl - 1,
      payload: payload.protocol === 'icmp' && told ? { ...payload, about: told } : payload,
    };
    if (next.ttl > 0) (dst ? this.#inside : this.#outside).carry(next, this);
  }
}

function changed({ address, port }: Endpoint, by: ReadonlyMap<string, string>): Endpoint | undefined {
  const other = by.get(address);
  return other === undefined ? undefined : { address: other, port };
}

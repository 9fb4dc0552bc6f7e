/** nftables rule sets, each a NAT of one type. Interfaces: `wan` and `lan`. Facts on Linux: a masquerade without options keeps the port, so the mapping is endpoint-independent. */

export type NatKind =
  | 'full-cone'
  | 'restricted-cone'
  | 'port-restricted-cone'
  | 'symmetric'
  | 'firewall'
  | 'none'
  | 'blocked';

export interface NatOptions {
  readonly kind: NatKind;
  /** The router's public address. */
  readonly wan: string;
  /** The one client behind it. */
  readonly client: string;
  /** Inside hosts reach each other by their public side. Cones only. */
  readonly hairpin?: boolean | undefined;
  /** Lifetime of a mapping that has seen one direction, and both for a while, in seconds. */
  readonly timeout?: { readonly udp?: number; readonly stream?: number } | undefined;
  /** What the router does with uninvited datagrams to itself. `accept`: its own stack answers by ICMP, which leaves an entry that takes the port. */
  readonly input?: 'drop' | 'accept' | undefined;
}

/** What a cone admits to a mapped port beyond the answers that conntrack itself admits: a set of openings that outbound packets keep, and how to look one up. */
const OPENINGS = {
  'full-cone': { type: 'inet_service', add: 'udp sport', match: 'udp dport' },
  'restricted-cone': { type: 'ipv4_addr . inet_service', add: 'ip daddr . udp sport', match: 'ip saddr . udp dport' },
} as const;

export function ruleset(options: NatOptions): string {
  const { kind } = options;
  switch (kind) {
    case 'none':
      return '';
    case 'firewall':
      return forward('ct state established,related accept', 'iifname "lan" accept', 'drop');
    case 'blocked':
      return `${forward('meta l4proto udp drop')}\n${nat(options, 'masquerade')}`;
    case 'symmetric':
      // A port of its own for each connection: the kernel reuses a source's mapping only where no randomness is asked for.
      return nat(options, 'masquerade fully-random');
    case 'port-restricted-cone':
      return nat(options, 'masquerade');
    default:
      return nat(options, 'masquerade', OPENINGS[kind]);
  }
}

const forward = (...rules: string[]): string => `table ip filter {
  chain forward { type filter hook forward priority filter; policy accept;
    ${rules.join('\n    ')}
  }
}`;

function nat(
  { wan, client, hairpin, input, timeout }: NatOptions,
  source: string,
  openings?: (typeof OPENINGS)[keyof typeof OPENINGS],
): string {
  return `table ip nat {
  ${openings ? `set open { type ${openings.type}; flags dynamic,timeout; timeout ${timeout?.udp ?? 30}s; size 65535; }` : ''}
  chain pre { type nat hook prerouting priority dstnat; policy accept;
    ${openings ? `iifname "wan" ip daddr ${wan} ${openings.match} @open dnat to ${client}` : ''}
    ${hairpin ? `iifname "lan" ip daddr ${wan} meta l4proto udp dnat to ${client}` : ''}
  }
  chain post { type nat hook postrouting priority srcnat; policy accept;
    oifname "wan" ${source}
    ${hairpin ? `iifname "lan" oifname "lan" meta l4proto udp snat to ${wan}` : ''}
  }
  chain track { type filter hook forward priority filter; policy accept;
    ${openings ? `iifname "lan" oifname "wan" meta l4proto udp update @open { ${openings.add} }` : ''}
  }
  chain input { type filter hook input priority filter; policy accept;
    ct state established,related accept
    iifname "wan" meta l4proto udp ${input ?? 'drop'}
  }
}`;
}

/** A 1:1 NAT: each inside address is the outside one of the same place, both ways, whatever the port. */
export function oneToOne(inside: readonly string[], outside: readonly string[]): string {
  const map = (from: readonly string[], to: readonly string[]): string =>
    from.map((address, i) => `${address} : ${to[i]}`).join(', ');
  return `table ip nat {
  chain pre { type nat hook prerouting priority dstnat; policy accept;
    iifname "wan" dnat to ip daddr map { ${map(outside, inside)} }
  }
  chain post { type nat hook postrouting priority srcnat; policy accept;
    oifname "wan" snat to ip saddr map { ${map(inside, outside)} }
  }
}`;
}

/**
 * Everything that may be wrong in a simulated network, by name, as `lab --fault` takes it: the faults of the server S, and those of
 * the network around it.
 */
import { familyOf } from '../net/address.ts';
import { describeServerFaults, SERVER_FAULTS, type ServerFault } from './server-faults.ts';
import { DEFAULT_SERVER, type LabOptions, type SecondSite, SERVER_ADDRESSES_6, type ServerSpec } from './topology.ts';

interface NetworkFaultKind {
  readonly about: string;
  readonly in: (options: LabOptions) => LabOptions;
}

/** Two further servers, in other networks than the first. */
const MORE_SERVERS: readonly ServerSpec[] = [2, 3].map((number) => ({
  name: `stun${number}.example.net`,
  addresses: [`40.30.2${number}.10`, `40.30.2${number}.11`],
}));

/** The servers, one of them changed. */
const withServer = (options: LabOptions, change: (first: ServerSpec) => ServerSpec): LabOptions => {
  const [first = defaultServer(options), ...others] = options.servers ?? [];
  return { ...options, servers: [change(first), ...others] };
};

/** As {@link createLab} has it. */
const defaultServer = ({ ipv6 }: LabOptions): ServerSpec =>
  ipv6 ? { ...DEFAULT_SERVER, addresses: [...DEFAULT_SERVER.addresses, ...SERVER_ADDRESSES_6] } : DEFAULT_SERVER;

/** The second host, where there is one, changed. */
const second = ({ second: of }: LabOptions, change: Partial<SecondSite>): Pick<LabOptions, 'second'> => ({
  second: of && { ...of, ...change },
});

const NETWORK_FAULTS = {
  'more-servers': {
    about: 'no fault: two right servers beside S, stun2.example.net and stun3.example.net',
    in: (options) => ({ ...options, servers: [...(options.servers ?? [defaultServer(options)]), ...MORE_SERVERS] }),
  },
  'lan-server': {
    about: "a server inside A's own network too, stun.lan (192.168.1.20)",
    in: (options) => ({
      ...options,
      servers: [
        ...(options.servers ?? [defaultServer(options)]),
        { name: 'stun.lan', addresses: ['192.168.1.20'], on: 'lan' },
      ],
    }),
  },
  'dead-first-address': {
    about: 'the first address of S in DNS is dead',
    in: (options) => withServer(options, (first) => ({ ...first, deadAddresses: ['40.30.20.99'] })),
  },
  'dead-ipv6': {
    about: 'A has IPv6, and in DNS S has an IPv6 address that leads nowhere',
    in: (options) =>
      withServer({ ...options, ipv6: options.ipv6 || true }, (first) => ({
        ...first,
        addresses: first.addresses.filter((address) => familyOf(address) === 4),
        deadAddresses: ['2001:db8:40::99'],
      })),
  },
  'split-route': {
    about: 'a tunnel of A leads to the second address of S, and only there, by a NAT V of its own',
    in: (options) => ({ ...options, splitRoute: { to: ['40.30.20.11'] } }),
  },
  'refused-sends': {
    about: "A's own system refuses every other datagram (EPERM)",
    in: (options) => ({ ...options, refusedSends: { every: 2 } }),
  },
  'full-queue': {
    about: "A's own system refuses every third datagram (ENOBUFS)",
    in: (options) => ({ ...options, refusedSends: { every: 3, kind: 'other' } }),
  },
  'lost-ipv6': {
    about: 'A has an IPv6 address, and whatever goes by it vanishes',
    in: (options) => ({ ...options, ipv6: 'black-hole', ...second(options, { ipv6: 'firewall' }) }),
  },
  'lost-ipv4': {
    about: 'A has an IPv4 address, and whatever goes by it vanishes; IPv6 works',
    in: (options) => ({ ...options, ipv6: options.ipv6 || true, ipv4: 'black-hole' }),
  },
  'families-apart': {
    about: 'A has IPv6 alone, and C2 IPv4 alone',
    in: (options) => ({ ...options, ipv6: options.ipv6 || true, ipv4: 'none', ...second(options, { ipv6: 'none' }) }),
  },
  'ipv4-peer': {
    about: 'A has both families, and C2 IPv4 alone',
    in: (options) => ({ ...options, ipv6: options.ipv6 || true, ...second(options, { ipv6: 'none' }) }),
  },
  'no-dtls': {
    about: 'a firewall on the internet lets STUN pass, and no DTLS',
    in: (options) => ({ ...options, noDtls: true }),
  },
  nat64: {
    about: 'A has IPv6 alone; N is its NAT64 at 64:ff9b::/96, and its name server a DNS64',
    in: (options) => ({ ...options, nat64: true }),
  },
} as const satisfies Readonly<Record<string, NetworkFaultKind>>;

export type NetworkFault = keyof typeof NETWORK_FAULTS;
export type LabFault = ServerFault | NetworkFault;

const NETWORK_KINDS: Readonly<Record<string, NetworkFaultKind>> = NETWORK_FAULTS;

/** The names of all faults. */
export const LAB_FAULTS: readonly LabFault[] = [...SERVER_FAULTS, ...(Object.keys(NETWORK_FAULTS) as NetworkFault[])];

/** The network with these faults; those of servers are the first one's. */
export function withFaults(options: LabOptions, faults: readonly LabFault[]): LabOptions {
  const ofServer = faults.filter((each): each is ServerFault => !Object.hasOwn(NETWORK_FAULTS, each));
  const base = ofServer.length > 0 ? withServer(options, (first) => ({ ...first, faults: ofServer })) : options;
  return faults.reduce((left, fault) => NETWORK_KINDS[fault]?.in(left) ?? left, base);
}

/** A paragraph for each subject, for help. */
export const describeFaults = (): string[] => [
  ...describeServerFaults(),
  `Network: ${Object.entries(NETWORK_KINDS)
    .map(([name, { about }]) => `${name} (${about})`)
    .join(', ')}.`,
];

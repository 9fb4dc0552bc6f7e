/** Servers that name a public side which the client does not have, as met in the wild. */
import { addressBytes, anyAddress, type Endpoint, familyOf, formatAddress } from '../../net/address.ts';
import { type Attribute, attribute } from '../../stun/attributes.ts';
import { type Role, ROLES } from '../../stun/server.ts';
import { type AnswerFault, eachAnswer, type FaultKind } from './answer.ts';

/** Each answer names that in the place of what the server saw, in both attributes alike. */
const lying = (lie: (seen: Endpoint, asked: Role) => Endpoint): AnswerFault =>
  eachAnswer((attributes, { role }) => {
    const seen = attributes.find(({ name }) => isMapped(name))?.value as Endpoint | undefined;
    const said = seen && lie(seen, role);
    return attributes.map((each) => (said && isMapped(each.name) ? attribute(each.name, said) : each));
  });

const isMapped = (name: Attribute['name']): name is 'XOR-MAPPED-ADDRESS' | 'MAPPED-ADDRESS' =>
  name === 'XOR-MAPPED-ADDRESS' || name === 'MAPPED-ADDRESS';

const says = (lie: (seen: Endpoint) => Endpoint): Pick<FaultKind, 'make' | 'overTcp'> => ({
  make: () => lying(lie),
  overTcp: true,
});

const V4_MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

const withOtherPort = ({ address, port }: Endpoint, by: number): Endpoint => ({
  address,
  port: 1024 + ((port + by) % 60_000),
});

/** The same address as a dual-stack socket names it. */
function dualStack(seen: Endpoint): Endpoint {
  const bytes = addressBytes(seen.address);
  if (bytes?.length !== 4) return seen;
  return { address: formatAddress(Uint8Array.of(...V4_MAPPED, ...bytes)), port: seen.port };
}

export const LIES = {
  'lie-private': {
    about: 'says 10.0.0.7:31234, as a server in a container or behind a source NAT does',
    ...says(() => ({ address: '10.0.0.7', port: 31_234 })),
  },
  'lie-cgn': {
    about: "says 100.64.9.9, an address of a carrier's NAT",
    ...says(({ port }) => ({ address: '100.64.9.9', port })),
  },
  'lie-public': {
    about: "says 66.77.88.99, a public address that is not the client's",
    ...says(({ port }) => ({ address: '66.77.88.99', port })),
  },
  'lie-mapped': {
    about: 'says ::ffff:a.b.c.d, as a dual-stack socket sees an IPv4 client: true, but of the other family',
    ...says(dualStack),
  },
  'lie-zero': {
    about: 'says 0.0.0.0:0',
    ...says(({ address }) => ({ address: anyAddress(familyOf(address)), port: 0 })),
  },
  'lie-port': {
    about: 'says the right address with port 0',
    ...says(({ address }) => ({ address, port: 0 })),
  },
  'lie-family': {
    about: 'says an address of the other family than it was asked in',
    ...says(({ address, port }) => ({ address: familyOf(address) === 4 ? '2001:db8:66::99' : '66.77.88.99', port })),
  },
  'lie-port-changing': {
    about: 'says the right address, and another port in each answer',
    make: () => {
      let count = 0;
      return lying(({ address, port }) => ({ address, port: 1024 + ((port + 977 * ++count) % 60_000) }));
    },
    overTcp: true,
  },
  'lie-port-second': {
    about: 'its second address says the right address with another port',
    make: () => lying((seen, role) => (role.startsWith('A2') ? withOtherPort(seen, 977) : seen)),
    overTcp: true,
  },
  'lie-port-other-port': {
    about: 'its second port says the right address with another port',
    make: () => lying((seen, role) => (role.endsWith('P2') ? withOtherPort(seen, 977) : seen)),
    overTcp: true,
  },
  'lie-port-each': {
    about: 'says the right address, and on each of its own addresses and ports another port',
    make: () => lying((seen, role) => withOtherPort(seen, 977 * (1 + ROLES.indexOf(role)))),
    overTcp: true,
  },
  'lie-port-fixed': {
    about: 'says the right address with port 31234, whoever asks',
    ...says(({ address }) => ({ address, port: 31_234 })),
  },
  'lie-public-second': {
    about: "its second address says 66.77.88.99, a public address that is not the client's",
    make: () => lying((seen, role) => (role.startsWith('A2') ? { ...seen, address: '66.77.88.99' } : seen)),
    overTcp: true,
  },
} as const satisfies Readonly<Record<string, FaultKind>>;

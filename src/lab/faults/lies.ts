/** Servers that name a public side which the client does not have, as met in the wild. */
import { addressBytes, anyAddress, type Endpoint, familyOf, formatAddress } from '../../net/address.ts';
import { attribute } from '../../stun/attributes.ts';
import { eachAnswer, type FaultKind } from './answer.ts';

/** Each answer names that in the place of what the server saw. */
const says = (lie: (seen: Endpoint) => Endpoint): Pick<FaultKind, 'make' | 'overTcp'> => ({
  make: () =>
    eachAnswer((attributes) =>
      attributes.map((each) =>
        each.name === 'XOR-MAPPED-ADDRESS' || each.name === 'MAPPED-ADDRESS'
          ? attribute(each.name, lie(each.value))
          : each,
      ),
    ),
  overTcp: true,
});

const V4_MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

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
} as const satisfies Readonly<Record<string, FaultKind>>;

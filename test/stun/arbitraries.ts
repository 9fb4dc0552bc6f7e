/** Arbitrary attribute values and messages, by the limits that the RFCs set. */
import fc from 'fast-check';
import type { Endpoint } from '../../src/net/address.ts';
import { formatAddress } from '../../src/net/address.ts';
import type { Attribute, AttributeName, AttributeValue } from '../../src/stun/attributes.ts';
import { attribute, attributeName, ATTRIBUTES } from '../../src/stun/attributes.ts';
import type { Message, Seal } from '../../src/stun/message.ts';

const bytes = (min: number, max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: min, maxLength: max });
const port = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });

/** Half of the bytes zero, so that IPv6 texts get their "::" in every place. */
const sparse = (length: number) =>
  fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 })), { minLength: length, maxLength: length });

export const endpoint: fc.Arbitrary<Endpoint> = fc
  .tuple(fc.oneof(sparse(4), sparse(16)), port)
  .map(([address, number]) => ({ address: formatAddress(Uint8Array.from(address)), port: number }));

/** Well-formed text of up to 127 characters, plain and otherwise. */
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 127 }), fc.string({ maxLength: 127 }));
/** As it is read: without zeros at the end. */
const shown = text.map((value) => value.replace(/\0+$/, ''));
const error = fc.record({ code: fc.integer({ min: 300, max: 699 }), reason: shown });
const family = fc.constantFrom(4 as const, 6 as const);
const algorithm = fc.record({ algorithm: port, parameters: bytes(0, 9) });

const VALUES: { readonly [N in AttributeName]: fc.Arbitrary<AttributeValue<N>> } = {
  'MAPPED-ADDRESS': endpoint,
  'RESPONSE-ADDRESS': endpoint,
  'CHANGE-REQUEST': fc.record({ ip: fc.boolean(), port: fc.boolean() }),
  'SOURCE-ADDRESS': endpoint,
  'CHANGED-ADDRESS': endpoint,
  USERNAME: text,
  PASSWORD: text,
  'MESSAGE-INTEGRITY': bytes(20, 20),
  'ERROR-CODE': error,
  'UNKNOWN-ATTRIBUTES': fc.array(port, { maxLength: 8 }),
  'REFLECTED-FROM': endpoint,
  'CHANNEL-NUMBER': port,
  LIFETIME: uint32,
  'XOR-PEER-ADDRESS': endpoint,
  DATA: bytes(0, 64),
  REALM: text,
  NONCE: text,
  'XOR-RELAYED-ADDRESS': endpoint,
  'REQUESTED-ADDRESS-FAMILY': family,
  'EVEN-PORT': fc.boolean(),
  'REQUESTED-TRANSPORT': fc.integer({ min: 0, max: 255 }),
  'DONT-FRAGMENT': fc.constant(true as const),
  'MESSAGE-INTEGRITY-SHA256': fc.constantFrom(16, 20, 24, 28, 32).chain((length) => bytes(length, length)),
  'PASSWORD-ALGORITHM': algorithm,
  USERHASH: bytes(32, 32),
  'XOR-MAPPED-ADDRESS': endpoint,
  'RESERVATION-TOKEN': bytes(8, 8),
  PRIORITY: uint32,
  'USE-CANDIDATE': fc.constant(true as const),
  PADDING: bytes(0, 64),
  'RESPONSE-PORT': port,
  'ADDITIONAL-ADDRESS-FAMILY': family,
  'ADDRESS-ERROR-CODE': fc.tuple(error, family).map(([of, familyOf]) => ({ ...of, family: familyOf })),
  'PASSWORD-ALGORITHMS': fc.array(algorithm, { maxLength: 4 }),
  'ALTERNATE-DOMAIN': fc.domain(),
  ICMP: fc.record({
    type: fc.integer({ min: 0, max: 127 }),
    code: fc.integer({ min: 0, max: 511 }),
    data: bytes(4, 4),
  }),
  'OLD-XOR-MAPPED-ADDRESS': endpoint,
  SOFTWARE: shown,
  'ALTERNATE-SERVER': endpoint,
  'CACHE-TIMEOUT': uint32,
  FINGERPRINT: uint32,
  'ICE-CONTROLLED': fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  'ICE-CONTROLLING': fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  'RESPONSE-ORIGIN': endpoint,
  'OTHER-ADDRESS': endpoint,
};

/** What seals a message also changes which of the later attributes count. */
const SEALS: ReadonlySet<AttributeName> = new Set(['MESSAGE-INTEGRITY', 'MESSAGE-INTEGRITY-SHA256', 'FINGERPRINT']);
export const NAMES = Object.keys(ATTRIBUTES) as AttributeName[];

const valuesFor = <N extends AttributeName>(name: N): fc.Arbitrary<Attribute> =>
  VALUES[name].map((value) => attribute(name, value as AttributeValue<N>));

const knownAttribute: fc.Arbitrary<Attribute> = fc.oneof(...NAMES.filter((name) => !SEALS.has(name)).map(valuesFor));
export const attributeNamed = valuesFor;

const unknownAttribute: fc.Arbitrary<Attribute> = fc.record({
  name: fc.constant(undefined),
  type: fc.integer({ min: 0, max: 0xffff }).filter((type) => attributeName(type) === undefined),
  value: bytes(0, 40),
});

const classicId = bytes(16, 16).filter((id) => !(id[0] === 0x21 && id[1] === 0x12 && id[2] === 0xa4 && id[3] === 0x42));

export const message: fc.Arbitrary<Message> = fc.record({
  class: fc.constantFrom('request' as const, 'indication' as const, 'success' as const, 'error' as const),
  method: fc.integer({ min: 0, max: 0xfff }),
  transactionId: fc.oneof({ weight: 4, arbitrary: bytes(12, 12) }, { weight: 1, arbitrary: classicId }),
  attributes: fc.array(fc.oneof({ weight: 5, arbitrary: knownAttribute }, { weight: 1, arbitrary: unknownAttribute }), {
    maxLength: 8,
  }),
});

export const key = bytes(1, 64);

export const seal: fc.Arbitrary<Seal & { readonly key: Uint8Array }> = fc.record({
  key,
  sha1: fc.boolean(),
  sha256: fc.oneof(
    fc.boolean(),
    fc.constantFrom(16, 20, 24, 28, 32).map((truncate) => ({ truncate })),
  ),
  fingerprint: fc.boolean(),
});

/** Every attribute that we know: one line each. Types and codecs both come from this table. */
import type { Codec } from './codecs.ts';
import {
  address,
  addressFamily,
  bytes,
  flag,
  leadingBit,
  shownText,
  text,
  uint16,
  uint32,
  uint64,
  uint8,
  xorAddress,
} from './codecs.ts';
import {
  addressError,
  changeRequest,
  errorCode,
  icmp,
  passwordAlgorithm,
  passwordAlgorithms,
  typeList,
} from './structures.ts';

export type { PasswordAlgorithm } from './structures.ts';

/** Types by the IANA registry "STUN Attributes"; below 0x8000 comprehension is required. */
export const ATTRIBUTES = {
  'MAPPED-ADDRESS': { type: 0x0001, codec: address },
  'RESPONSE-ADDRESS': { type: 0x0002, codec: address }, //            RFC 3489
  'CHANGE-REQUEST': { type: 0x0003, codec: changeRequest }, //        RFC 5780
  'SOURCE-ADDRESS': { type: 0x0004, codec: address }, //              RFC 3489
  'CHANGED-ADDRESS': { type: 0x0005, codec: address }, //             RFC 3489
  USERNAME: { type: 0x0006, codec: text() }, //                       RFC 8489 sends at most 508 bytes; RFC 5389 allowed 512
  PASSWORD: { type: 0x0007, codec: text() }, //                       RFC 3489
  'MESSAGE-INTEGRITY': { type: 0x0008, codec: bytes(20, 20) },
  'ERROR-CODE': { type: 0x0009, codec: errorCode },
  'UNKNOWN-ATTRIBUTES': { type: 0x000a, codec: typeList },
  'REFLECTED-FROM': { type: 0x000b, codec: address }, //              RFC 3489
  'CHANNEL-NUMBER': { type: 0x000c, codec: uint16 }, //               RFC 8656
  LIFETIME: { type: 0x000d, codec: uint32 }, //                       RFC 8656, seconds
  'XOR-PEER-ADDRESS': { type: 0x0012, codec: xorAddress }, //         RFC 8656
  DATA: { type: 0x0013, codec: bytes() }, //                          RFC 8656
  REALM: { type: 0x0014, codec: text() },
  NONCE: { type: 0x0015, codec: text() },
  'XOR-RELAYED-ADDRESS': { type: 0x0016, codec: xorAddress }, //      RFC 8656
  'REQUESTED-ADDRESS-FAMILY': { type: 0x0017, codec: addressFamily }, // RFC 8656
  'EVEN-PORT': { type: 0x0018, codec: leadingBit }, //                RFC 8656
  'REQUESTED-TRANSPORT': { type: 0x0019, codec: uint8 }, //           RFC 8656, IP protocol number
  'DONT-FRAGMENT': { type: 0x001a, codec: flag }, //                  RFC 8656
  'MESSAGE-INTEGRITY-SHA256': { type: 0x001c, codec: bytes(16, 32, 4) },
  'PASSWORD-ALGORITHM': { type: 0x001d, codec: passwordAlgorithm },
  USERHASH: { type: 0x001e, codec: bytes(32, 32) },
  'XOR-MAPPED-ADDRESS': { type: 0x0020, codec: xorAddress },
  'RESERVATION-TOKEN': { type: 0x0022, codec: bytes(8, 8) }, //       RFC 8656
  PRIORITY: { type: 0x0024, codec: uint32 }, //                       RFC 8445
  'USE-CANDIDATE': { type: 0x0025, codec: flag }, //                  RFC 8445
  PADDING: { type: 0x0026, codec: bytes() }, //                       RFC 5780
  'RESPONSE-PORT': { type: 0x0027, codec: uint16 }, //                RFC 5780
  'ADDITIONAL-ADDRESS-FAMILY': { type: 0x8000, codec: addressFamily }, // RFC 8656
  'ADDRESS-ERROR-CODE': { type: 0x8001, codec: addressError }, //     RFC 8656
  'PASSWORD-ALGORITHMS': { type: 0x8002, codec: passwordAlgorithms },
  'ALTERNATE-DOMAIN': { type: 0x8003, codec: text(255) },
  ICMP: { type: 0x8004, codec: icmp }, //                             RFC 8656
  'OLD-XOR-MAPPED-ADDRESS': { type: 0x8020, codec: xorAddress }, //   drafts after RFC 3489; old servers still send it
  SOFTWARE: { type: 0x8022, codec: shownText },
  'ALTERNATE-SERVER': { type: 0x8023, codec: address },
  'CACHE-TIMEOUT': { type: 0x8027, codec: uint32 }, //                RFC 5780, seconds
  FINGERPRINT: { type: 0x8028, codec: uint32 },
  'ICE-CONTROLLED': { type: 0x8029, codec: uint64 }, //               RFC 8445
  'ICE-CONTROLLING': { type: 0x802a, codec: uint64 }, //              RFC 8445
  'RESPONSE-ORIGIN': { type: 0x802b, codec: address }, //             RFC 5780
  'OTHER-ADDRESS': { type: 0x802c, codec: address }, //               RFC 5780
} as const satisfies Record<string, { readonly type: number; readonly codec: Codec<unknown> }>;

/** Names of the attributes in IANA's registry that are known here. */
export type AttributeName = keyof typeof ATTRIBUTES;

/** What an attribute of that name carries: an Endpoint, a string, a number … as its codec says. */
export type AttributeValue<N extends AttributeName> =
  (typeof ATTRIBUTES)[N]['codec'] extends Codec<infer T> ? T : never;

export type KnownAttribute = {
  [N in AttributeName]: { readonly name: N; readonly value: AttributeValue<N> };
}[AttributeName];

/** A type outside the table, or a comprehension-optional attribute whose value breaks its format: kept as bytes, otherwise ignored. */
export interface UnknownAttribute {
  readonly name: undefined;
  readonly type: number;
  readonly value: Uint8Array;
}

/**
 * An attribute of a message (RFC 8489 §14): known by name with a typed value, or unknown, by its type with its bytes.
 */
export type Attribute = KnownAttribute | UnknownAttribute;

/** An attribute by name; the type of its value follows from that. The value is checked when the message is encoded. */
export const attribute = <N extends AttributeName>(name: N, value: AttributeValue<N>): KnownAttribute =>
  ({ name, value }) as KnownAttribute;

/** RFC 8489 §14: whether a receiver that does not know this type must refuse the message. */
export const isComprehensionRequired = (type: number): boolean => type < 0x8000;

export const attributeType = (of: Attribute): number => (of.name === undefined ? of.type : ATTRIBUTES[of.name].type);

const NAMES: ReadonlyMap<number, AttributeName> = new Map(
  (Object.keys(ATTRIBUTES) as AttributeName[]).map((name) => [ATTRIBUTES[name].type, name]),
);

/** Name of a type in the table. */
export const attributeName = (type: number): AttributeName | undefined => NAMES.get(type);

/** The codec of a name, its value type forgotten: for code that walks whole messages. */
export const codecOf = (name: AttributeName): Codec<unknown> => ATTRIBUTES[name].codec;

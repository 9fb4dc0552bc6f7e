/** Servers whose answers break the format and are useful all the same, or speak the format of 2003. */
import { type Attribute, attribute } from '../../stun/attributes.ts';
import { decode, encode } from '../../stun/message.ts';
import { type AnswerFault, chain, changeOf, eachAnswer, eachDatagram, type FaultKind } from './answer.ts';

const HEADER = 20;
/** CHANGED-ADDRESS, eight bytes: family 0, port 3478, no address. */
const FAMILY_0 = Uint8Array.of(0x00, 0x05, 0x00, 0x08, 0x00, 0x00, 0x0d, 0x96, 0x00, 0x00, 0x00, 0x00);
const EMPTY_MAPPED = Uint8Array.of(0x00, 0x01, 0x00, 0x00);
/** SOFTWARE "lab-7": five bytes, and no padding after them. */
const UNPADDED = Uint8Array.of(0x80, 0x22, 0x00, 0x05, ...new TextEncoder().encode('lab-7'));
const ZEROS = new Uint8Array(8);

/** Puts bytes before the first attribute of a success answer. No seal would hold over them. */
const insert = (bytes: Uint8Array, without: readonly Attribute['name'][] = []): AnswerFault =>
  eachDatagram((data) => {
    const answer = decode(data);
    if (answer.class !== 'success') return data;
    const attributes = answer.attributes.filter(({ name }) => name !== 'FINGERPRINT' && !without.includes(name));
    const plain = encode({ ...answer, attributes });
    const grown = Uint8Array.of(...plain.subarray(0, HEADER), ...bytes, ...plain.subarray(HEADER));
    new DataView(grown.buffer).setUint16(2, grown.length - HEADER);
    return grown;
  });

/** RFC 3489 §11.2. */
const inOldNames = eachAnswer((attributes) =>
  attributes.flatMap((each) => {
    switch (each.name) {
      case 'MAPPED-ADDRESS':
      case 'ERROR-CODE':
        return [each];
      case 'RESPONSE-ORIGIN':
        return [attribute('SOURCE-ADDRESS', each.value)];
      case 'OTHER-ADDRESS':
        return [attribute('CHANGED-ADDRESS', each.value)];
      default:
        return [];
    }
  }),
);

export const FORMAT_FAULTS = {
  'changed-address-family-0': {
    about: 'a CHANGED-ADDRESS of family 0 beside a right XOR-MAPPED-ADDRESS',
    make: () => insert(FAMILY_0),
  },
  'empty-mapped-address': {
    about: 'a MAPPED-ADDRESS of no bytes beside a right XOR-MAPPED-ADDRESS',
    make: () => insert(EMPTY_MAPPED, ['MAPPED-ADDRESS']),
  },
  unpadded: {
    about: 'attributes that are not padded to four bytes',
    make: () => insert(UNPADDED),
  },
  'trailing-zeros': {
    about: 'zero bytes after the end of the message',
    make: () => eachDatagram((data) => Uint8Array.of(...data, ...ZEROS)),
  },
  'change-request-only': {
    about: 'as some of RFC 3489: answers only requests with a CHANGE-REQUEST, in the attributes of 2003',
    make: () => chain(inOldNames, (answers, request) => (changeOf(request) === undefined ? [] : answers)),
  },
} as const satisfies Readonly<Record<string, FaultKind>>;

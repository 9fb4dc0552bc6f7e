/** Servers whose answers hold the wrong things. */
import { eachAnswer, eachDatagram, type FaultKind, refuse } from './answer.ts';

export const CONTENT_FAULTS = {
  error: {
    about: '500 to everything',
    make: () => (answers, request) => refuse(answers, request, 500, 'Server Error'),
  },
  'wrong-id': {
    about: 'answers under another transaction ID',
    make: () => eachDatagram((data) => data.with(8, (data[8] ?? 0) ^ 0xff)),
  },
  garbage: {
    about: 'answers with what is no STUN',
    make: () => eachDatagram(() => Uint8Array.from({ length: 40 }, (_, i) => (i * 37 + 11) & 0xff)),
  },
  'mapped-only': {
    about: 'MAPPED-ADDRESS and nothing else, as in RFC 3489',
    make: () =>
      eachAnswer((attributes) => attributes.filter(({ name }) => name === 'MAPPED-ADDRESS' || name === 'ERROR-CODE')),
  },
  'no-mapped-address': {
    about: 'a success answer that says nothing',
    make: () =>
      eachAnswer((attributes) =>
        attributes.filter(({ name }) => name !== 'MAPPED-ADDRESS' && name !== 'XOR-MAPPED-ADDRESS'),
      ),
  },
  'unknown-attribute': {
    about: 'a comprehension-required attribute that nobody knows',
    make: () =>
      eachAnswer((attributes) => [...attributes, { name: undefined, type: 0x7ffe, value: new Uint8Array(4) }]),
  },
} as const satisfies Readonly<Record<string, FaultKind>>;

/** Servers that answer from elsewhere, too often, too late, or not at all. */
import { type Endpoint, familyOf, sameEndpoint } from '../../net/address.ts';
import { attribute } from '../../stun/attributes.ts';
import { encodeBinding } from '../../stun/binding.ts';
import { changedRole } from '../../stun/server.ts';
import { type AnswerFault, type FaultKind, onChange } from './answer.ts';

export const MANNER_FAULTS = {
  'wrong-source': {
    about: 'every answer comes from another port',
    make: () => (answers) => answers.map((each) => ({ ...each, viaRole: changedRole(each.viaRole, false, true) })),
  },
  'wrong-address': {
    about: "every answer comes from the server's other address, as from a host with several",
    make: () => (answers) => answers.map((each) => ({ ...each, viaRole: changedRole(each.viaRole, true, false) })),
  },
  duplicate: {
    about: 'every answer comes twice',
    make: () => (answers) => answers.flatMap((each) => [each, each]),
  },
  stray: {
    about: 'a datagram of another protocol goes before each answer',
    make: () => (answers) =>
      answers.flatMap((each) => [{ ...each, data: new TextEncoder().encode('who goes there?') }, each]),
  },
  'late-change': {
    about: 'answers from a changed source come a second late',
    make: () => onChange((answers) => answers.map((each) => ({ ...each, delayMs: 1000 }))),
  },
  slow: {
    about: 'every answer comes 700 ms late',
    make: () => (answers) => answers.map((each) => ({ ...each, delayMs: 700 })),
  },
  'very-slow': {
    about: 'every answer comes 1.9 s late',
    make: () => (answers) => answers.map((each) => ({ ...each, delayMs: 1900 })),
  },
  'one-in-three': {
    about: 'answers every third request only',
    make: () => {
      let count = 0;
      return (answers) => (count++ % 3 === 2 ? answers : []);
    },
  },
  'others-answers': {
    about: "an answer to another's request, with another public side, goes before each",
    make:
      () =>
      (answers, { from }) =>
        answers.flatMap((each) => [{ ...each, data: toAnother(from) }, each]),
  },
  'rate-limited': {
    about: 'two answers a second to each source',
    make: () => rateLimited(),
  },
  'low-ttl': {
    about: 'its datagrams leave with a time to live of 1, and die on the way',
    make: () => (answers) => answers.map((each) => ({ ...each, ttl: 1 })),
  },
  'udp-silent': {
    about: 'answers over TCP only',
    make: () => () => [],
  },
  silent: {
    about: 'no answer, over TCP neither',
    make: () => () => [],
  },
} as const satisfies Readonly<Record<string, FaultKind>>;

/** A success answer with a transaction ID that nobody here has. */
const toAnother = ({ address }: Endpoint): Uint8Array =>
  encodeBinding('success', new Uint8Array(12).fill(0x5a), [
    attribute('XOR-MAPPED-ADDRESS', { address: familyOf(address) === 4 ? '66.77.88.99' : '2001:db8:66::99', port: 1 }),
  ]);

/** Two answers at once to a source, then two a second. */
function rateLimited(): AnswerFault {
  let recent: { readonly from: Endpoint; readonly at: number }[] = [];
  return (answers, { from, now }) => {
    recent = recent.filter(({ at }) => at > now - 1000);
    if (recent.filter((each) => sameEndpoint(each.from, from)).length >= 2) return [];
    recent.push({ from, at: now });
    return answers;
  };
}

/** Servers that answer from elsewhere, too often, too late, or not at all. */
import { type Endpoint, sameEndpoint } from '../../net/address.ts';
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

/** Servers that answer only whom they know, or send everybody to another one. */
import { familyOf } from '../../net/address.ts';
import { type Attribute, attribute } from '../../stun/attributes.ts';
import { longTermKey } from '../../stun/credentials.ts';
import { checkIntegrity } from '../../stun/integrity.ts';
import { decode, encode, get, tryDecode } from '../../stun/message.ts';
import { changedRole } from '../../stun/server.ts';
import { type AnswerFault, type FaultKind, refuse } from './answer.ts';

/** Whom `wants-login` answers. */
export const LOGIN = { username: 'alice', password: 'secret', realm: 'lab' } as const;
const NONCE = 'once';
const KEY = longTermKey(LOGIN.username, LOGIN.realm, LOGIN.password, 'MD5');

/** RFC 8489 §9.2.4, with one nonce for all. */
const wantsLogin: AnswerFault = (answers, request) => {
  const asked = tryDecode(request.data);
  const known =
    asked && get(asked, 'USERNAME') === LOGIN.username && get(asked, 'NONCE') === NONCE
      ? checkIntegrity(asked, KEY) === 'valid'
      : false;
  if (!known)
    return refuse(answers, request, 401, 'Unauthorized', [attribute('REALM', LOGIN.realm), attribute('NONCE', NONCE)]);
  return answers.map((each) => ({ ...each, data: encode(decode(each.data), { key: KEY, sha1: true }) }));
};

const redirect = (answers: Parameters<AnswerFault>[0], request: Parameters<AnswerFault>[1], to: Attribute) =>
  refuse(answers, request, 300, 'Try Alternate', [to]);

export const REFERRAL_FAULTS = {
  'wants-login': {
    about: `answers only with long-term credentials: ${LOGIN.username}, ${LOGIN.password}`,
    make: () => wantsLogin,
    overTcp: true,
  },
  redirects: {
    about: 'its first address sends everybody to its second (300, ALTERNATE-SERVER)',
    make: (endpoints) => (answers, request) => {
      const other = endpoints[changedRole(request.role, true, false)];
      return other && request.role.startsWith('A1')
        ? redirect(answers, request, attribute('ALTERNATE-SERVER', other))
        : answers;
    },
    overTcp: true,
  },
  'redirects-round': {
    about: 'each of its addresses sends everybody to the other (300, ALTERNATE-SERVER)',
    make: (endpoints) => (answers, request) => {
      const other = endpoints[changedRole(request.role, true, false)];
      return other ? redirect(answers, request, attribute('ALTERNATE-SERVER', other)) : answers;
    },
    overTcp: true,
  },
  'redirects-astray': {
    about: 'sends everybody to a server that is dead (300, ALTERNATE-SERVER)',
    make: () => (answers, request) => {
      const address = familyOf(request.from.address) === 6 ? '2001:db8:40::99' : '40.30.20.99';
      return redirect(answers, request, attribute('ALTERNATE-SERVER', { address, port: 3478 }));
    },
    overTcp: true,
  },
} as const satisfies Readonly<Record<string, FaultKind>>;

/** Servers that do RFC 5780 wrongly: the alternate address that they name, and what they make of CHANGE-REQUEST. */
import type { Endpoints } from '../../stun/roles.ts';
import type { Endpoint } from '../../net/address.ts';
import { type Attribute, attribute } from '../../stun/attributes.ts';
import { decode, get, looksLikeStun } from '../../stun/message.ts';
import { changedRole, type Role } from '../../stun/server.ts';
import { type AnswerFault, chain, eachAnswer, type FaultKind, none, onChange, refuse, without } from './answer.ts';

/** Where the liars' OTHER-ADDRESS points. */
const DEAD_ADDRESS = '40.30.20.99';
const PRIVATE_ADDRESS = '10.0.0.11';

const claims = (name: Attribute['name']): boolean => name === 'OTHER-ADDRESS' || name === 'CHANGED-ADDRESS';

/** Names an alternate on that address, with the port that it would have. */
const claim = (endpoints: Endpoints, address: (role: Role) => string): AnswerFault =>
  eachAnswer((attributes, { role }) => {
    const port = endpoints[changedRole(role, false, true)]?.port ?? 3479;
    const endpoint: Endpoint = { address: address(role), port };
    return attributes.map((each) =>
      each.name === 'OTHER-ADDRESS' || each.name === 'CHANGED-ADDRESS' ? attribute(each.name, endpoint) : each,
    );
  });

/** The address cannot be changed; the port can. */
const noOtherAddress = onChange((answers, _, change) => (change.ip ? [] : answers));

export const ALTERNATE_FAULTS = {
  'no-other-address': {
    about: 'plain STUN: one address, CHANGE-REQUEST gets 420',
    make: () => none,
  },
  'other-address-missing': {
    about: 'honours CHANGE-REQUEST, but never says OTHER-ADDRESS',
    make: () => eachAnswer((attributes) => attributes.filter(({ name }) => !claims(name))),
  },
  'other-address-same-ip': {
    about: "OTHER-ADDRESS has the server's own address; only the port ever changes",
    make: (endpoints) =>
      chain(
        onChange((answers, { role }, change) =>
          change.ip ? answers.map((each) => ({ ...each, viaRole: changedRole(role, false, true) })) : answers,
        ),
        claim(endpoints, (role) => endpoints[role]?.address ?? DEAD_ADDRESS),
      ),
  },
  'other-address-dead': {
    about: 'nobody is at OTHER-ADDRESS',
    make: (endpoints) =>
      chain(
        noOtherAddress,
        claim(endpoints, () => DEAD_ADDRESS),
      ),
  },
  'other-address-private': {
    about: "OTHER-ADDRESS is the server's view from behind its own NAT",
    make: (endpoints) =>
      chain(
        noOtherAddress,
        claim(endpoints, () => PRIVATE_ADDRESS),
      ),
  },
  'change-ignored': {
    about: 'answers CHANGE-REQUEST from where it was asked',
    make: () => onChange((answers, { role }) => answers.map((each) => ({ ...each, viaRole: role }))),
  },
  'change-port-only': {
    about: 'changes the port, never the address',
    make: () =>
      onChange((answers, { role }, change) =>
        answers.map((each) => ({ ...each, viaRole: changedRole(role, false, change.port) })),
      ),
  },
  'change-dropped': {
    about: 'gives no answer to CHANGE-REQUEST',
    make: () => onChange(() => []),
  },
  'change-420': {
    about: 'refuses CHANGE-REQUEST as unknown',
    make: () =>
      onChange((answers, request) =>
        refuse(answers, request, 420, 'Unknown Attribute', [attribute('UNKNOWN-ATTRIBUTES', [0x0003])]),
      ),
  },
  'change-400': {
    about: 'refuses CHANGE-REQUEST as bad',
    make: () => onChange((answers, request) => refuse(answers, request, 400, 'Bad Request')),
  },
  'response-port-420': {
    about: 'refuses RESPONSE-PORT as unknown',
    make: () => (answers, request) =>
      looksLikeStun(request.data) && get(decode(request.data), 'RESPONSE-PORT') !== undefined
        ? refuse(answers, request, 420, 'Unknown Attribute', [attribute('UNKNOWN-ATTRIBUTES', [0x0027])])
        : answers,
  },
  'no-response-port': {
    about: 'takes RESPONSE-PORT and ignores it',
    hears: (data) => without(data, 'RESPONSE-PORT'),
    make: () => none,
  },
} as const satisfies Readonly<Record<string, FaultKind>>;

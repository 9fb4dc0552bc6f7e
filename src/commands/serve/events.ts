/** What a running server has to say. */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import type { Listening } from '../../stun/listener.ts';
import { type Role, ROLES } from '../../stun/roles.ts';
import type { Counters } from '../../stun/server-state.ts';
import type { PartnerNews } from './partners.ts';
import type { Serving } from './servers.ts';

export interface Tallies extends Counters {
  readonly connections: number;
  /** Of hosts that run connect: packets, and rooms where two met. */
  readonly registers: number;
  readonly meetings: number;
}

interface Socket {
  readonly transport: 'udp' | 'tcp';
  readonly address: string;
  /** Over TCP null. */
  readonly role: Role | null;
  /** As the outside knows it, where that is otherwise. */
  readonly advertised?: string;
}

export type ServeEvent =
  | ({ readonly event: 'listening' } & Socket)
  /** Its address is no more one of this host. */
  | ({ readonly event: 'closed' } & Socket)
  | {
      readonly event: 'request';
      readonly from: string;
      readonly role: Role;
      readonly transport: 'udp' | 'tcp';
      readonly answeredFrom: Role | null;
    }
  | ({ readonly event: 'partner' } & PartnerNews)
  | ({ readonly event: 'counters' } & Tallies)
  | { readonly event: 'stopped' };

export const tally = ({ state, rendezvous }: Pick<Serving, 'state' | 'rendezvous'>): Tallies => ({
  ...state.counters,
  connections: state.connections,
  registers: rendezvous.counters.received,
  meetings: rendezvous.counters.paired,
});

/** Every socket of a server. */
export function socketsOf({ endpoints, advertised, tcp }: Listening): Socket[] {
  const socket = (transport: Socket['transport'], endpoint: Endpoint, role: Role | undefined): Socket => {
    const address = formatEndpoint(endpoint);
    const told = role && advertised[role];
    const known = told ? formatEndpoint(told) : address;
    const tellsRole = transport === 'udp' && role ? role : null;
    return { transport, address, role: tellsRole, ...(known !== address && { advertised: known }) };
  };
  const roles = ROLES.filter((role) => endpoints[role]);
  const roleOf = (endpoint: Endpoint): Role | undefined =>
    roles.find((role) => sameEndpoint(endpoints[role] as Endpoint, endpoint));
  return [
    ...roles.map((role) => socket('udp', endpoints[role] as Endpoint, role)),
    ...tcp.map((endpoint) => socket('tcp', endpoint, roleOf(endpoint))),
  ];
}

const inWords = ({
  received,
  answered,
  refused,
  limited,
  malformed,
  ignored,
  failed,
  connections,
  registers,
  meetings,
}: Tallies): string =>
  `received ${received}, answered ${answered}, refused ${refused}, over the rate limit ${limited}, malformed ${malformed}, other ${ignored}, failed ${failed}, TCP connections ${connections}, rendezvous packets ${registers}, meetings ${meetings}`;

const ROLE_WORDS: Readonly<Record<Role, string>> = {
  A1P1: '',
  A1P2: ' (A1P2, alternate port)',
  A2P1: ' (A2P1, alternate address)',
  A2P2: ' (A2P2, both alternate)',
};

const PARTNER_WORDS: Readonly<Record<PartnerNews['state'], string>> = {
  up: 'there',
  slow: 'too far away',
  away: 'not there',
};

export function line(event: ServeEvent): string | undefined {
  switch (event.event) {
    case 'listening':
      return `listening on ${event.transport} ${event.address}${event.advertised === undefined ? '' : `, outside ${event.advertised}`}${event.role === null ? '' : ROLE_WORDS[event.role]}`;
    case 'closed':
      return `no longer on ${event.transport} ${event.address}`;
    case 'request':
      return `${event.transport} ${event.from} asked ${event.role}: ${event.answeredFrom === null ? 'no answer' : `answered from ${event.answeredFrom}`}`;
    case 'partner':
      return `partner ${event.host} is ${PARTNER_WORDS[event.state]}${event.rttMs === null ? '' : ` (${event.rttMs} ms)`}: ${event.other === null ? 'no other address is told' : `other address ${event.other}`}`;
    case 'counters':
      return inWords(event);
    case 'stopped':
      return undefined;
  }
}

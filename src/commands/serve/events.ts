/** What a running server has to say. */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import type { Listening } from '../../stun/listener.ts';
import { type Role, ROLES } from '../../stun/roles.ts';
import type { PartnerNews } from './partners.ts';
import type { TurnNotice } from '../../turn/service.ts';
import { visible } from '../../render/words.ts';
import { inWords, type Tallies } from './tallies.ts';

/** Whose relayed address it is. */
interface Relaying {
  readonly user: string;
  readonly client: string;
  readonly transport: 'udp' | 'tcp' | 'tls';
  readonly relayed: readonly string[];
}

interface Socket {
  readonly transport: 'udp' | 'tcp' | 'tls';
  readonly address: string;
  /** Over TCP null. */
  readonly role: Role | null;
  /** As the outside knows it, where that is otherwise. */
  readonly advertised?: string;
}

export type ServeEvent =
  /** `closed`: its address is no more one of this host. */
  | ({ readonly event: 'listening' | 'closed' } & Socket)
  | {
      readonly event: 'request';
      readonly from: string;
      readonly role: Role;
      readonly transport: 'udp' | 'tcp';
      readonly answeredFrom: Role | null;
    }
  | ({ readonly event: 'partner' } & PartnerNews)
  | ({ readonly event: 'counters' } & Tallies)
  | ({ readonly event: 'allocated' } & Relaying)
  | ({ readonly event: 'released'; readonly packets: number; readonly bytes: number } & Relaying)
  | ({ readonly event: 'permitted'; readonly peers: readonly string[] } & Relaying)
  /** Where those who watch may look. */
  | { readonly event: 'metrics' | 'web'; readonly address: string }
  /** It was told to end: these meetings, and these relays where it relays, may, for so long. */
  | {
      readonly event: 'draining';
      readonly meetings: number;
      readonly relays?: number | undefined;
      readonly seconds: number;
    }
  /** So many processes answer, this one included. */
  | { readonly event: 'workers'; readonly processes: number }
  /** The files were read again. */
  | { readonly event: 'reloaded' }
  | { readonly event: 'stopped' };

/** What the relay tells, as an event. */
export function relayEvent(notice: TurnNotice): ServeEvent {
  const {
    user,
    client,
    line: { transport },
    relays,
    packets,
    bytes,
  } = notice.allocation;
  const relaying = {
    user,
    client: formatEndpoint(client),
    transport,
    relayed: relays.map(({ shown }) => formatEndpoint(shown)),
  };
  switch (notice.kind) {
    case 'allocated':
      return { event: 'allocated', ...relaying };
    case 'released':
      return { event: 'released', ...relaying, packets, bytes };
    case 'permitted':
      return { event: 'permitted', ...relaying, peers: notice.peers.map(formatEndpoint) };
  }
}

/** Every socket of a server. */
export function socketsOf({ endpoints, advertised, tcp, tls }: Listening): Socket[] {
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
    ...tls.map((endpoint) => socket('tls', endpoint, undefined)),
  ];
}

const ROLE_WORDS: Readonly<Record<Role, string>> = {
  A1P1: '',
  A1P2: ' (A1P2, alternate port)',
  A2P1: ' (A2P1, alternate address)',
  A2P2: ' (A2P2, both alternate)',
};

const OBSTACLES: Readonly<Record<NonNullable<PartnerNews['why']>, string>> = {
  'other-ports': 'for it serves other ports than this host (--port, --alternate-port)',
  'same-address': 'for it has the same public address as this host',
  'private-address': 'for its public address is unknown (--advertise)',
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
      return `partner ${event.host} is ${PARTNER_WORDS[event.state]}${event.state === 'away' && event.forged > 0 ? ', or has another secret' : ''}${event.rttMs === null ? '' : ` (${event.rttMs} ms)`}: ${event.other === null ? `no other address is told${event.why === null ? '' : `, ${OBSTACLES[event.why]}`}` : `other address ${event.other}`}`;
    case 'counters':
      return inWords(event);
    case 'allocated':
      return `${event.transport} ${event.client} relays by ${event.relayed.join(' and ')} for ${visible(event.user)}`;
    case 'released':
      return `${event.transport} ${event.client} no longer relays by ${event.relayed.join(' and ')}: ${event.packets} datagrams, ${event.bytes} bytes`;
    case 'permitted':
      return `${event.transport} ${event.client} lets in ${event.peers.join(', ')}`;
    case 'metrics':
      return `metrics on http://${event.address}/metrics`;
    case 'web':
      return `page for nat-tool webrtc --server on ${event.address}`;
    case 'draining':
      return `ending: ${drainingInWords(event)}`;
    case 'workers':
      return `${event.processes} processes answer`;
    case 'reloaded':
      return 'users and certificate read again';
    case 'stopped':
      return undefined;
  }
}

function drainingInWords({ meetings, relays, seconds }: Extract<ServeEvent, { event: 'draining' }>): string {
  const some = (count: number, one: string, more: string): string[] =>
    count === 0 ? [] : [`${count} ${count === 1 ? one : more}`];
  const all = [...some(meetings, 'meeting', 'meetings'), ...some(relays ?? 0, 'relay', 'relays')];
  if (all.length === 0) return relays === undefined ? 'no meeting is in progress' : 'no meeting and no relay is in use';
  return `${all.join(' and ')} in progress, ${seconds} s at most`;
}

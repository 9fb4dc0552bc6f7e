/** What a running server has to say. */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import type { Listening } from '../../stun/listener.ts';
import type { Role } from '../../stun/server.ts';
import type { Counters } from '../../stun/server-state.ts';
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
  | ({ readonly event: 'counters' } & Tallies)
  | { readonly event: 'stopped' };

export const tally = ({ state, rendezvous }: Pick<Serving, 'state' | 'rendezvous'>): Tallies => ({
  ...state.counters,
  connections: state.connections,
  registers: rendezvous.counters.received,
  meetings: rendezvous.counters.paired,
});

/** Every socket of a server. */
export const socketsOf = ({ endpoints, tcp }: Listening): Socket[] => [
  ...(Object.entries(endpoints) as [Role, Endpoint][]).map(([role, endpoint]) => ({
    transport: 'udp' as const,
    address: formatEndpoint(endpoint),
    role,
  })),
  ...tcp.map((endpoint) => ({ transport: 'tcp' as const, address: formatEndpoint(endpoint), role: null })),
];

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

export function line(event: ServeEvent): string | undefined {
  switch (event.event) {
    case 'listening':
      return `listening on ${event.transport} ${event.address}${event.role === null ? '' : ROLE_WORDS[event.role]}`;
    case 'closed':
      return `no longer on ${event.transport} ${event.address}`;
    case 'request':
      return `${event.transport} ${event.from} asked ${event.role}: ${event.answeredFrom === null ? 'no answer' : `answered from ${event.answeredFrom}`}`;
    case 'counters':
      return inWords(event);
    case 'stopped':
      return undefined;
  }
}

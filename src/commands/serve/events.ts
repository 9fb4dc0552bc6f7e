/** What a running server has to say. */
import type { RendezvousService } from '../../rendezvous/service.ts';
import type { Listening } from '../../stun/listener.ts';
import { type Counters, type Role, noCounts } from '../../stun/server.ts';

export interface Tallies extends Counters {
  readonly connections: number;
  /** Of hosts that run connect: packets, and rooms where two met. */
  readonly registers: number;
  readonly meetings: number;
}

export type ServeEvent =
  | {
      readonly event: 'listening';
      readonly transport: 'udp' | 'tcp';
      readonly address: string;
      readonly role: Role | null;
    }
  | {
      readonly event: 'request';
      readonly from: string;
      readonly role: Role;
      readonly transport: 'udp' | 'tcp';
      readonly answeredFrom: Role | null;
    }
  | ({ readonly event: 'counters' } & Tallies)
  | { readonly event: 'stopped' };

export function tally(running: readonly Listening[], rendezvous: readonly RendezvousService[]): Tallies {
  const sum = { ...noCounts(), connections: 0, registers: 0, meetings: 0 };
  for (const { counters, connections } of running) {
    for (const name of Object.keys(noCounts()) as (keyof Counters)[]) sum[name] += counters[name];
    sum.connections += connections;
  }
  for (const { counters } of rendezvous) {
    sum.registers += counters.received;
    sum.meetings += counters.paired;
  }
  return sum;
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

export function line(event: ServeEvent): string | undefined {
  switch (event.event) {
    case 'listening':
      return `listening on ${event.transport} ${event.address}${event.role === null ? '' : ROLE_WORDS[event.role]}`;
    case 'request':
      return `${event.transport} ${event.from} asked ${event.role}: ${event.answeredFrom === null ? 'no answer' : `answered from ${event.answeredFrom}`}`;
    case 'counters':
      return inWords(event);
    case 'stopped':
      return undefined;
  }
}

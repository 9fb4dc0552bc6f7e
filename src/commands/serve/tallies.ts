/** What a running server has counted, and how each count is told: as words in its log, by a name to Prometheus. */
import { addCounters, type Counters } from '../../stun/server-state.ts';
import type { RelayCounters } from '../../turn/server-data.ts';
import type { TurnCounters } from '../../turn/server.ts';
import { counter, counters, gauge, type Sample } from './metrics.ts';
import type { Serving } from './servers.ts';
import type { Workers } from './workers.ts';

export interface Tallies extends Counters {
  readonly connections: number;
  /** Of hosts that run connect: packets, and rooms where two met. */
  readonly registers: number;
  readonly meetings: number;
  /** Where it relays: addresses that are relayed now, and datagrams. */
  readonly relay?: RelayTallies;
}

interface RelayTallies extends TurnCounters, RelayCounters {
  readonly allocations: number;
}

/** Of this process, and of those that answer beside it. */
export const tally = (
  { state, rendezvous, relay }: Pick<Serving, 'state' | 'rendezvous' | 'relay'>,
  workers?: Pick<Workers, 'counters'>,
): Tallies => ({
  ...(workers ? addCounters(state.counters, workers.counters) : state.counters),
  connections: state.connections,
  registers: rendezvous.counters.received,
  meetings: rendezvous.counters.paired,
  ...(relay && { relay: { allocations: relay.size, ...relay.counters } }),
});

type Count = Exclude<keyof Tallies, 'relay'>;

/** One counter of Prometheus: with a label, a value for each word of it. */
interface Told {
  readonly name: string;
  readonly help: string;
  readonly label?: string;
  readonly counts: readonly { readonly of: Count; readonly words: string; readonly word?: string }[];
}

const TOLD: readonly Told[] = [
  {
    name: 'requests',
    help: 'Datagrams, and messages over TCP, that reached the STUN server.',
    counts: [{ of: 'received', words: 'received' }],
  },
  {
    name: 'answers',
    help: 'Answers of the STUN server.',
    label: 'kind',
    counts: [
      { of: 'answered', words: 'answered', word: 'success' },
      { of: 'refused', words: 'refused', word: 'error' },
    ],
  },
  {
    name: 'drops',
    help: 'What the STUN server did not answer.',
    label: 'reason',
    counts: [
      { of: 'limited', words: 'over the rate limit' },
      { of: 'malformed', words: 'malformed' },
      { of: 'ignored', words: 'other', word: 'other' },
      { of: 'failed', words: 'failed' },
    ],
  },
  {
    name: 'tcp_connections',
    help: 'TCP connections that were accepted.',
    counts: [{ of: 'connections', words: 'TCP connections' }],
  },
  {
    name: 'rendezvous_packets',
    help: 'Packets of hosts that run connect.',
    counts: [{ of: 'registers', words: 'rendezvous packets' }],
  },
  { name: 'meetings', help: 'Rooms in which two hosts met.', counts: [{ of: 'meetings', words: 'meetings' }] },
];

export const inWords = (tallies: Tallies): string => {
  const { relay } = tallies;
  return [
    ...TOLD.flatMap(({ counts }) => counts.map(({ of, words }) => `${words} ${tallies[of]}`)),
    ...(relay
      ? [`relayed addresses ${relay.allocations}`, `datagrams ${relay.relayed}`, `bytes ${relay.relayedBytes}`]
      : []),
  ].join(', ');
};

export const tallySamples = (tallies: Tallies): Sample[] =>
  TOLD.map(({ name, help, label, counts }) => ({
    name: `${name}_total`,
    type: 'counter',
    help,
    values: counts.map(({ of, word = of }) => ({
      ...(label !== undefined && { labels: { [label]: word } }),
      value: tallies[of],
    })),
  }));

export const relaySamples = (relay: RelayTallies): Sample[] => [
  gauge('allocations', 'Relayed addresses now.', relay.allocations),
  counter('relayed_datagrams', 'Datagrams that were relayed, both ways.', relay.relayed),
  counter('relayed_bytes', 'Bytes that were relayed, both ways.', relay.relayedBytes),
  counters('relay_drops', 'Datagrams that were not relayed.', 'reason', {
    quota: relay.overQuota,
    other: relay.dropped,
  }),
  counters('turn_requests', 'TURN requests by what became of them.', 'outcome', {
    answered: relay.answered,
    challenged: relay.challenged,
    refused: relay.refused,
    limited: relay.limited,
    malformed: relay.malformed,
  }),
];

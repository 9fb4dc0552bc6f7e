import { describe, expect, it } from 'vitest';
import { metricsText } from '../../../src/commands/serve/metrics.ts';
import { inWords, relaySamples, type Tallies, tallySamples } from '../../../src/commands/serve/tallies.ts';

const relay = {
  allocations: 11,
  relayed: 12,
  relayedBytes: 13,
  overQuota: 14,
  dropped: 15,
  received: 16,
  answered: 17,
  challenged: 18,
  refused: 19,
  limited: 20,
  malformed: 21,
};
const tallies: Tallies = {
  received: 1,
  answered: 2,
  refused: 3,
  limited: 4,
  malformed: 5,
  ignored: 6,
  failed: 7,
  connections: 8,
  registers: 9,
  meetings: 10,
};

const values = (text: string): string[] => text.split('\n').filter((each) => each !== '' && !each.startsWith('#'));

describe('what a server has counted', () => {
  it('is told in words, each count once', () => {
    const words =
      'received 1, answered 2, refused 3, over the rate limit 4, malformed 5, other 6, failed 7, TCP connections 8, rendezvous packets 9, meetings 10';
    expect(inWords(tallies)).toBe(words);
    expect(inWords({ ...tallies, relay })).toBe(`${words}, relayed addresses 11, datagrams 12, bytes 13`);
  });

  it('is told to Prometheus by these names', () => {
    expect(values(metricsText([...tallySamples(tallies), ...relaySamples(relay)]))).toEqual([
      'nat_tool_requests_total 1',
      'nat_tool_answers_total{kind="success"} 2',
      'nat_tool_answers_total{kind="error"} 3',
      'nat_tool_drops_total{reason="limited"} 4',
      'nat_tool_drops_total{reason="malformed"} 5',
      'nat_tool_drops_total{reason="other"} 6',
      'nat_tool_drops_total{reason="failed"} 7',
      'nat_tool_tcp_connections_total 8',
      'nat_tool_rendezvous_packets_total 9',
      'nat_tool_meetings_total 10',
      'nat_tool_allocations 11',
      'nat_tool_relayed_datagrams_total 12',
      'nat_tool_relayed_bytes_total 13',
      'nat_tool_relay_drops_total{reason="quota"} 14',
      'nat_tool_relay_drops_total{reason="other"} 15',
      'nat_tool_turn_requests_total{outcome="answered"} 17',
      'nat_tool_turn_requests_total{outcome="challenged"} 18',
      'nat_tool_turn_requests_total{outcome="refused"} 19',
      'nat_tool_turn_requests_total{outcome="limited"} 20',
      'nat_tool_turn_requests_total{outcome="malformed"} 21',
    ]);
  });
});

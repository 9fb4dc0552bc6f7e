import { describe, expect, it } from 'vitest';
import type { Description } from '../../../src/connect/signalling/description.ts';
import type { Profiler } from '../../../src/connect/traversal/measure.ts';
import { Governor } from '../../../src/connect/traversal/governor.ts';
import { HardWays, type Opposite } from '../../../src/connect/traversal/hard-ways.ts';
import type { Socket, Sockets } from '../../../src/connect/traversal/sockets.ts';
import { MOST_PER_SECOND } from '../../../src/connect/traversal/strategy.ts';
import type { IceEvent } from '../../../src/ice/agent.ts';
import type { Profile } from '../../../src/nat/profile.ts';
import { seededRandom } from '../../../src/lab/random.ts';
import { createLab } from '../../../src/lab/topology.ts';
import { type Endpoint, formatEndpoint } from '../../../src/net/address.ts';
import { sleep } from '../../../src/net/wait.ts';

const PEER: Endpoint = { address: '22.23.24.25', port: 24604 };
const SELF: Endpoint = { address: '12.13.14.15', port: 24604 };
const VICTIM = '99.99.99.99';

const profile = (mapping: Profile['mapping']): Profile => ({
  mapping,
  filtering: 'address-and-port-dependent',
  allocation: mapping === 'endpoint-independent' ? { pattern: 'unknown' } : { pattern: 'sequential', step: 1 },
  complete: true,
});
const EMPTY: Description = { hosts: [], reflexive: [], late: undefined, profile: undefined, aim: undefined };

/** A cone that guesses the ports of a symmetric peer: where does it send for this aim? */
function probes(observed: Endpoint | undefined, reflexive: readonly Endpoint[], aimed: string): Promise<string[]> {
  return createLab().run(async ({ clock }) => {
    const sent: string[] = [];
    const agent = {
      feed: (event: IceEvent) => event.kind === 'speculate' && void sent.push(formatEndpoint(event.to)),
      stop: () => {},
    };
    const hard = new HardWays({
      clock,
      random: seededRandom(1, 'hard'),
      governor: new Governor(clock, MOST_PER_SECOND),
      sockets: {} as Sockets,
      main: { id: 1, local: SELF } as Socket,
      profiler: {} as Profiler,
      mine: () => ({ ...EMPTY, hosts: [SELF], profile: profile('endpoint-independent') }),
      announce: () => {},
      clocks: undefined,
      note: () => {},
      broken: (error) => {
        throw error;
      },
    });
    const description = { ...EMPTY, reflexive, profile: profile('address-and-port-dependent') };
    const peer = {
      agent: agent as Opposite['agent'],
      first: 'a' as const,
      observed,
      description: description as Description,
    };
    hard.peer(peer, 40);
    const judgement = hard.decide();
    if (judgement?.kind !== 'guess') throw new Error('no guess');
    hard.start(judgement);
    await sleep(clock, 10);
    peer.description = { ...description, aim: { round: 1, address: aimed, from: 5000, step: 1, count: 2 } };
    hard.peer(peer, 40);
    await sleep(clock, 300);
    hard.end();
    await sleep(clock, 100);
    return [...new Set(sent)];
  });
}

describe('guesses', () => {
  const ports = [`${PEER.address}:5000`, `${PEER.address}:5001`];

  it('go where the peer aims, at the address where the server sees it', async () => {
    expect(await probes(PEER, [PEER], PEER.address)).toEqual(ports);
    expect(await probes(undefined, [PEER], PEER.address)).toEqual(ports);
  });

  it('go nowhere else, whatever it says of itself: it cannot have us send to others', async () => {
    expect(await probes(PEER, [PEER], VICTIM)).toEqual([]);
    // Nor the server alone.
    expect(await probes(PEER, [], PEER.address)).toEqual([]);
    expect(await probes({ address: VICTIM, port: 1 }, [PEER], VICTIM)).toEqual([]);
    expect(await probes(PEER, [{ address: VICTIM, port: 1 }], VICTIM)).toEqual([]);
    expect(await probes(undefined, [PEER], VICTIM)).toEqual([]);
  });
});

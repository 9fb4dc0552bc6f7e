import { describe, expect, it } from 'vitest';
import { Opener, Sealer } from '../../src/connect/channel/envelope.ts';
import { deriveSecret } from '../../src/connect/channel/keys.ts';
import { Peer, type PeerOptions } from '../../src/connect/peer.ts';
import type { Description } from '../../src/connect/signalling/description.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { createLab } from '../../src/lab/topology.ts';
import type { Env } from '../../src/net/env.ts';

const [MINE, THEIRS] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];
const secret = deriveSecret('k7qf2-m9x4t-03bsd-v8hwd');
const AGREED = new Uint8Array(32).fill(7);
const EMPTY: Description = { hosts: [], reflexive: [], late: undefined, profile: undefined, aim: undefined };
const reflexive = { address: '22.23.24.25', port: 7 };

const peerOf = (env: Env, over: Partial<PeerOptions> = {}, member = MINE): Peer =>
  new Peer(
    {
      clock: env.clock,
      random: seededRandom(1, 'peer'),
      secret,
      agreed: AGREED,
      member,
      send: () => {},
      isRelay: () => false,
      direct: false,
      note: () => {},
      contradicted: () => {},
      found: () => {},
      transmit: () => true,
      word: () => 0,
      told: () => {},
      heard: () => {},
      bye: () => {},
      ...over,
    },
    THEIRS,
    EMPTY,
    undefined,
  );

describe('the peer', () => {
  it('is sent data sealed with the key from us to it, and heard with the key from it to us', async () => {
    await createLab().run(async (env) => {
      const sent: Uint8Array[] = [];
      const peer = peerOf(env, { transmit: (packet) => sent.push(packet) > 0 });
      peer.channel.send(Uint8Array.of(1));
      expect(new Opener(secret.dataKey(MINE, THEIRS, AGREED)).open(sent[0] as Uint8Array)?.body).toEqual(
        Uint8Array.of(1),
      );
      const got: number[] = [];
      peer.channel.onData((data) => got.push(...data));
      peer.channel.receive(new Sealer(secret.dataKey(MINE, THEIRS, AGREED)).seal(0, Uint8Array.of(2)), 0);
      peer.channel.receive(new Sealer(secret.dataKey(THEIRS, MINE, AGREED)).seal(0, Uint8Array.of(3)), 0);
      expect(got).toEqual([3]);
      peer.stop();
    });
  });

  it('has the first part where its name is the greater one: exactly one of two has it', async () => {
    await createLab().run(async (env) => {
      const [lesser, greater] = [peerOf(env), peerOf(env, {}, new Uint8Array(16).fill(3))];
      expect([lesser.first, lesser.ice.role]).toEqual(['b', 'controlled']);
      expect([greater.first, greater.ice.role]).toEqual(['a', 'controlling']);
      for (const each of [lesser, greater]) each.stop();
    });
  });

  it('is where it says it is, and the server may know the port better', async () => {
    await createLab().run(async (env) => {
      const doubts: string[] = [];
      const peer = peerOf(env, { contradicted: ({ address }) => doubts.push(address) });
      const observed = { address: reflexive.address, port: 8 };
      const elsewhere = { address: '66.66.66.66', port: 9 };
      const beside = { address: '2001:db8:2::15', port: 10 };
      peer.update(EMPTY, observed);
      // Until it says so itself, that is no more than a candidate.
      expect([peer.observed, peer.where(4)]).toEqual([observed, undefined]);
      peer.update({ ...EMPTY, reflexive: [reflexive], beside }, undefined);
      expect([peer.where(4), peer.where(6), doubts]).toEqual([observed, beside, []]);
      peer.update({ ...EMPTY, reflexive: [reflexive] }, elsewhere);
      // They contradict each other: nothing is aimed at either of them.
      expect([peer.where(4), doubts]).toEqual([undefined, ['66.66.66.66']]);
      peer.stop();
    });
  });
});

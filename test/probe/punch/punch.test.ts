import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import type { UdpSocket } from '../../../src/net/env.ts';
import { LocalPort } from '../../../src/probe/punch/local-port.ts';
import { sleep } from '../../../src/net/wait.ts';
import { punchAnswer, punchIndication, punchRequest, readPunch } from '../../../src/probe/punch/packet.ts';
import { punch, type PunchOptions } from '../../../src/probe/punch/punch.ts';

const REMOTE: Endpoint = { address: '51.0.0.1', port: 7000 };
const ID = new Uint8Array(12);

interface Scene {
  /** The remote end; another port of its host; another host. */
  readonly remote: UdpSocket;
  readonly neighbour: UdpSocket;
  readonly stranger: UdpSocket;
}

/** Punches towards REMOTE through a NAT that lets everybody in; `heard` sees each datagram that arrives there. */
async function punched(
  heard: (scene: Scene, data: Uint8Array, from: Endpoint) => void,
  options?: Partial<PunchOptions>,
) {
  const lab = createLab({ nat: 'full-cone' });
  const host = lab.addHost('R', [REMOTE.address]);
  const other = lab.addHost('M', ['66.0.0.1']);
  return lab.run(async (env, signal) => {
    const scene: Scene = {
      remote: await host.udp.open({ family: 4, ...REMOTE }),
      neighbour: await host.udp.open({ family: 4, address: REMOTE.address, port: 7001 }),
      stranger: await other.udp.open({ family: 4, address: '66.0.0.1', port: REMOTE.port }),
    };
    scene.remote.listen({ datagram: ({ data, from }) => heard(scene, data, from) });
    const port = await LocalPort.open(env, { family: 4 }, signal);
    const result = await punch(env, port, { remote: REMOTE, intervalMs: 100, waitMs: 1000, ...options }, signal);
    port.close();
    // What is on its way yet arrives.
    await sleep(env.clock, 100);
    for (const socket of Object.values(scene) as UdpSocket[]) socket.close();
    return result;
  });
}

const answer = (by: keyof Scene) => (scene: Scene, data: Uint8Array, from: Endpoint) => {
  const packet = readPunch(data);
  if (packet?.kind === 'request') void scene[by].send(punchAnswer(packet.message, from, 'listen'), from);
};

describe('punching', () => {
  it('finds the way open when the remote end answers', async () => {
    const { peer, received, failure } = await punched(answer('remote'));
    expect(peer).toMatchObject({ address: REMOTE, speaker: 'listen' });
    expect(peer?.seenAs?.address).not.toBe(undefined);
    expect(received).toBe(1);
    expect(failure).toBeUndefined();
  });

  it.each(['neighbour', 'stranger'] as const)('believes no answer that comes from a %s', async (by) => {
    const { peer, heard, received, sent } = await punched(answer(by));
    expect({ peer, heard, received }).toEqual({ peer: undefined, heard: false, received: 0 });
    expect(sent).toBe(10);
  });

  it('hears a probe of the remote address, from whatever port, and sends there', async () => {
    const told: string[] = [];
    const { heard } = await punched((scene, _, from) => {
      scene.neighbour.listen({ datagram: ({ data }) => told.push(readPunch(data)?.kind ?? 'answer') });
      void scene.neighbour.send(punchRequest(ID), from);
    });
    expect(heard).toBe(true);
    expect(told).toContain('answer');
    expect(told).toContain('request');
  });

  it('hears nothing of another address: no probe, no word that it was answered', async () => {
    const replies: Uint8Array[] = [];
    const { heard, confirmed, received } = await punched((scene, _, from) => {
      scene.stranger.listen({ datagram: ({ data }) => replies.push(data) });
      void scene.stranger.send(punchRequest(ID), from);
      void scene.stranger.send(punchIndication(ID), from);
    });
    expect({ heard, confirmed, received }).toEqual({ heard: false, confirmed: false, received: 0 });
    expect(replies).toEqual([]);
  });

  it('takes whatever comes back for the answer to a payload of one’s own, from that address alone', async () => {
    const payload = new TextEncoder().encode('hello');
    const reply = (by: keyof Scene) => (scene: Scene, data: Uint8Array, from: Endpoint) =>
      void scene[by].send(data, from);
    expect((await punched(reply('remote'), { payload })).peer).toMatchObject({ address: REMOTE, speaker: 'echo' });
    const other = (scene: Scene, _: Uint8Array, from: Endpoint) => void scene.remote.send(Uint8Array.of(1), from);
    expect((await punched(other, { payload })).peer).toMatchObject({ address: REMOTE, speaker: 'other' });
    expect((await punched(reply('stranger'), { payload })).peer).toBeUndefined();
  });

  it('calls an echo server that, and takes its own probe for nobody’s punch', async () => {
    const heard: string[] = [];
    const result = await punched((scene, data, from) => {
      heard.push(readPunch(data)?.kind ?? 'other');
      void scene.remote.send(data, from);
    });
    expect(result).toMatchObject({
      peer: { address: REMOTE, rttMs: 40, seenAs: undefined, speaker: 'echo' },
      heard: false,
    });
    // Nothing of what came back is answered.
    expect(heard).toEqual(['request']);
  });

  it('the first packet dies on the way, but not where nobody is waited for, or as many were asked for', async () => {
    const arrivedAt = async (options: Partial<PunchOptions>) => {
      let arrived = 0;
      const { sent } = await punched(() => arrived++, options);
      return { sent, arrived };
    };
    expect(await arrivedAt({ waitMs: 350 })).toEqual({ sent: 4, arrived: 3 });
    expect(await arrivedAt({ waitMs: 0 })).toEqual({ sent: 1, arrived: 1 });
    expect(await arrivedAt({ waitMs: 350, count: 2 })).toEqual({ sent: 2, arrived: 2 });
    expect(await arrivedAt({ waitMs: 350, ttl: 64 })).toEqual({ sent: 4, arrived: 4 });
  });

  it('sends and goes where it need not wait, with a time to live that dies on the way', async () => {
    let arrived = 0;
    const { sent, peer } = await punched(() => arrived++, { waitMs: 0, count: 3, ttl: 2 });
    expect({ sent, peer, arrived }).toEqual({ sent: 3, peer: undefined, arrived: 0 });
  });
});

import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { scope, TimeoutError } from '../../../src/net/wait.ts';
import { punchFrom, type PublicSideWatch, watchPublicSide } from '../../../src/probe/punch/hole-keeping.ts';
import { punchAnswer, readPunch } from '../../../src/probe/punch/packet.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { StunMux } from '../../../src/stun/mux.ts';
import { SERVER, scriptedServer, success, type Script } from '../scripted-server.ts';

/** What is heard of the public side in ten seconds, asked each second. */
async function watched(script: Script) {
  const lab = createLab({ nat: 'full-cone' });
  scriptedServer(lab, script);
  const said: string[] = [];
  await lab.run(async (env, signal) => {
    const socket = await env.udp.open({ family: 4 });
    const bounds = scope(env.clock, signal, 10_000);
    const vantage = { remote: SERVER, mux: new StunMux(socket), local: { ...socket.local, address: '192.168.1.3' } };
    const options: PublicSideWatch = {
      everyMs: 1000,
      adapts: false,
      ground: {},
      heard: ({ mapped }) => said.push(mapped.address),
      failed: (why) => said.push(why),
    };
    await expect(watchPublicSide(env, [vantage], options, bounds.signal)).rejects.toBeInstanceOf(TimeoutError);
    bounds.end();
    socket.close();
  });
  return said;
}

describe('the public side of a listener', () => {
  it('is asked for again and again', async () => {
    expect(await watched(success)).toEqual(Array(10).fill('12.13.14.15'));
  });

  it('may be refused, or not told', async () => {
    const error = attribute('ERROR-CODE', { code: 500, reason: 'no' });
    expect(new Set(await watched(({ transactionId }) => encodeBinding('error', transactionId, [error])))).toEqual(
      new Set(['51.0.0.1:3478 answered with error 500 (no)']),
    );
    const lie = attribute('XOR-MAPPED-ADDRESS', { address: '10.0.0.7', port: 1 });
    expect(new Set(await watched(({ transactionId }) => encodeBinding('success', transactionId, [lie])))).toEqual(
      new Set(['what 51.0.0.1:3478 says does not count: the answer 10.0.0.7 is not a public address']),
    );
    expect(new Set(await watched(() => undefined))).toEqual(new Set(['no answer from 51.0.0.1:3478']));
  });
});

describe('a hole kept for a remote end', () => {
  it('is opened by an answer of that end, and then kept with indications', async () => {
    const lab = createLab({ nat: 'full-cone' });
    const kinds: (string | undefined)[] = [];
    const from: Endpoint[] = [];
    let rttMs: number | undefined;
    const own = new Set<string>();
    const [remote, other] = [lab.addHost('R', [SERVER.address]), lab.addHost('M', ['66.0.0.1'])];
    await lab.run(async (env, signal) => {
      const ends = [
        await remote.udp.open({ family: 4, ...SERVER }),
        await other.udp.open({ family: 4, address: '66.0.0.1', port: 1 }),
      ] as const;
      ends[0].listen({
        datagram: ({ data, from: source }) => {
          const packet = readPunch(data);
          kinds.push(packet?.kind);
          from.push(source);
          // A stranger knows the ID too; it opens nothing.
          if (packet?.kind === 'request')
            void ends[kinds.length < 3 ? 1 : 0].send(punchAnswer(packet.message, source, 'listen'), source);
        },
      });
      const socket = await env.udp.open({ family: 4 });
      const bounds = scope(env.clock, signal, 5_000);
      await punchFrom(env, new StunMux(socket), SERVER, 1000, (ms) => (rttMs = ms), own, bounds.signal).catch(() => {});
      bounds.end();
      for (const each of [socket, ...ends]) each.close();
    });
    expect(kinds.slice(0, 3)).toEqual(['request', 'request', 'request']);
    expect(kinds.length).toBeGreaterThan(4);
    expect(new Set(kinds.slice(3))).toEqual(new Set(['indication']));
    expect(rttMs).toBeGreaterThan(0);
    // The first dies on the way.
    expect(own.size).toBe(4);
  });
});

import { describe, expect, it } from 'vitest';
import { RendezvousSignalling } from '../../../src/connect/signalling/rendezvous.ts';
import { createLab, type Lab } from '../../../src/lab/topology.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { type Env, NetError } from '../../../src/net/env.ts';
import { sleep } from '../../../src/net/wait.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { decode } from '../../../src/stun/message.ts';
import { StunMux } from '../../../src/stun/mux.ts';

const ROOM = new Uint8Array(16).fill(9);

/** A member on a host; what it is told. */
async function member(lab: Lab, env: Env, name: number, sendFails = false) {
  const server = lab.servers[0] as Endpoint;
  const { clock, random } = env;
  const socket = await env.udp.open({ family: 4 });
  const mux = new StunMux(socket);
  const log: unknown[] = [];
  let refused: ((error: NetError) => void) | undefined;
  const signalling = new RendezvousSignalling({
    send: (data, to, failed) => {
      if (sendFails) failed?.(new NetError('denied', 'no'));
      else void mux.send(data, to);
    },
    server,
    room: ROOM,
    member: new Uint8Array(16).fill(name),
    clock,
    random,
    proven: false,
    observed: ({ mapped }) => {
      log.push(['observed', mapped.address]);
      return true;
    },
    relay: () => {},
    blocked: () => {},
    udpPasses: () => false,
    watchRefusal: (tell) => {
      log.push('watching');
      refused = tell;
      return () => log.push('certain');
    },
  });
  signalling.subscribe({
    peer: (news) => log.push(['peer', news.member[0], news.payload[0], news.observed?.address]),
    status: (status) => log.push(status),
    unsendable: ({ kind }) => log.push(['unsendable', kind]),
  });
  mux.onOther = (datagram, message) => {
    if (message && !signalling.accept(datagram, message)) log.push('not ours');
  };
  const end = async (): Promise<void> => {
    signalling.close();
    await sleep(clock, 100);
    socket.close();
  };
  return { signalling, log, end, refuse: () => refused?.(new NetError('refused', 'closed')) };
}

const labOf = (state: 'up' | 'dead' = 'up'): Lab =>
  createLab({
    second: { nat: 'full-cone' },
    servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10', '40.30.20.11'], state }],
  });

describe('signalling by a rendezvous server', () => {
  it('tells each of the other, where it is seen, and that it left', async () => {
    const lab = labOf();
    await lab.run(async (env) => {
      const a = await member(lab, env, 1);
      a.signalling.publish(Uint8Array.of(11));
      await sleep(env.clock, 200);
      const b = await member(lab, lab.host('C2'), 2);
      b.signalling.publish(Uint8Array.of(22));
      await sleep(env.clock, 200);
      a.signalling.publish(Uint8Array.of(12));
      await sleep(env.clock, 200);
      await b.end();
      await a.end();
      const unique = (log: unknown[]) =>
        [...new Set(log.map((each) => JSON.stringify(each)))].map((each) => JSON.parse(each));
      expect(unique(a.log)).toEqual([
        'watching',
        'certain',
        ['observed', '12.13.14.15'],
        'waiting',
        'paired',
        ['peer', 2, 22, '22.23.24.25'],
        'peer-left',
      ]);
      expect(unique(b.log)).toEqual([
        'watching',
        'certain',
        ['observed', '22.23.24.25'],
        'paired',
        ['peer', 1, 11, '12.13.14.15'],
        ['peer', 1, 12, '12.13.14.15'],
      ]);
    });
  });

  it('watches for a closed port from its first word on, and ends by that', async () => {
    const lab = labOf('dead');
    await lab.run(async (env) => {
      const a = await member(lab, env, 1);
      a.signalling.publish(Uint8Array.of(11));
      await sleep(env.clock, 400);
      expect(a.log).toEqual(['watching']);
      a.refuse();
      expect(a.log).toEqual(['watching', 'refused']);
      await a.end();
      expect(a.log).toEqual(['watching', 'refused', 'certain']);
    });
  });

  it('says that nothing can be sent, and takes nothing that is not its own', async () => {
    const lab = labOf();
    await lab.run(async (env) => {
      const a = await member(lab, env, 1, true);
      a.signalling.publish(Uint8Array.of(11));
      expect(a.log).toEqual([['unsendable', 'denied'], 'watching']);
      const data = encodeBinding('success', new Uint8Array(12));
      const from = { address: '40.30.20.10', port: 3478 };
      expect(a.signalling.accept({ data, from, at: 0 }, decode(data))).toBe(false);
      await a.end();
    });
  });
});

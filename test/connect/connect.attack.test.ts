/** Honest pairs meet at a server that somebody tries to fill. */
import { describe, expect, it } from 'vitest';
import { connect } from '../../src/connect/connect.ts';
import { generateCode } from '../../src/connect/code.ts';
import { deriveSecret } from '../../src/connect/channel/keys.ts';
import { createLab } from '../../src/lab/topology.ts';
import type { Env } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';
import { decodeState, encodeState, RENDEZVOUS_TYPE } from '../../src/rendezvous/protocol.ts';
import { encodeBinding } from '../../src/stun/binding.ts';
import { tryDecode } from '../../src/stun/message.ts';
import { runPair } from '../matrix/pairs.ts';
import { packet, register } from '../rendezvous/wire.ts';

const SERVER = { address: '40.30.20.10', port: 3478 };
const SOURCES = Array.from({ length: 50 }, (_, i) => `66.0.${i}.1`);
const MEBIT = 1_000_000 / 8;

/** Opens rooms from fifty addresses, and shows for each that it hears the answer, until told to stop. Registers of `bytes` of attribute. */
async function attack(env: Env, perSecond: number, bytes: number, signal: AbortSignal): Promise<void> {
  const sockets = await Promise.all(SOURCES.map((address) => env.udp.open({ family: 4, address })));
  let opened = 0;
  const send = (socket: (typeof sockets)[number], room: Uint8Array, cookie: Uint8Array = new Uint8Array(8)): void => {
    const whole = packet(register({ room, cookie }));
    const data = whole.slice(0, 24 + bytes);
    new DataView(data.buffer).setUint16(2, data.length - 20);
    new DataView(data.buffer).setUint16(22, bytes);
    void socket.send(data, SERVER).catch(() => {});
  };
  const rooms = sockets.map(() => env.random.bytes(16));
  for (const [i, socket] of sockets.entries())
    socket.listen({
      datagram: ({ data }) => {
        const message = tryDecode(data);
        const state = message && decodeState(message);
        if (state?.status === 'waiting' && opened++ % 2 === 0) send(socket, rooms[i] as Uint8Array, state.cookie);
      },
    });
  for (let n = 0; !signal.aborted; n++) {
    const i = n % sockets.length;
    rooms[i] = env.random.bytes(16);
    send(sockets[i] as (typeof sockets)[number], rooms[i]);
    await sleep(env.clock, 1000 / perSecond, signal).catch(() => {});
  }
  for (const socket of sockets) socket.close();
}

describe('connect at a server under attack from fifty sources with 1.8 Mbit/s', () => {
  it.each([
    ['registers as they are', 1100],
    ['the shortest that carry a room', 48],
  ])('meets 20 times of 20, against %s', async (_, bytes) => {
    const lab = createLab({ nat: 'port-restricted-cone', second: { nat: 'port-restricted-cone' } });
    const host = lab.addHost('X', SOURCES);
    const found = await lab.run(async (env, signal) => {
      const stop = new AbortController();
      // Half of what is sent is the second register of a room; 28 bytes are the headers of IP and UDP.
      const attacker = attack(host, (1.8 * MEBIT) / (bytes + 24 + 28) / 2, bytes, stop.signal);
      await sleep(env.clock, 16_000, signal);
      const paths: string[] = [];
      for (let i = 0; i < 20; i++) {
        const options = { server: SERVER, secret: deriveSecret(generateCode(env.random)), waitMs: 20_000, signal };
        const sides = await Promise.all([connect(env, options), connect(lab.host('C2'), options)]);
        for (const side of sides) {
          paths.push(side.kind === 'connected' ? side.connection.path.kind : side.kind);
          if (side.kind === 'connected') side.connection.close();
        }
      }
      stop.abort();
      await attacker;
      return paths;
    });
    expect(found).toEqual(Array.from({ length: 40 }, () => 'direct'));
  });
});

const VICTIM = { address: '66.66.66.66', port: 666 };

/** Whatever the server tells of the other host, it says that it sees it at the victim's address. */
function lied(data: Uint8Array): Uint8Array {
  const message = tryDecode(data);
  const state = message && decodeState(message);
  if (!message || !state?.peer) return data;
  const told = encodeState({ ...state, peer: { ...state.peer, observed: VICTIM } });
  return encodeBinding(
    message.class === 'indication' ? 'indication' : 'success',
    message.transactionId,
    message.attributes.map((each) => (each.name === undefined && each.type === RENDEZVOUS_TYPE ? told : each)),
  );
}

describe('a server that says of each host that it is where somebody else is', () => {
  it.each([
    ['port-restricted-cone', 'port-restricted-cone', 'direct'],
    ['symmetric,ports=random', 'restricted-cone', 'direct'],
    ['symmetric,ports=random', 'port-restricted-cone', 'no-path'],
    ['symmetric,ports=random', 'symmetric,ports=random', 'hopeless'],
  ])('aims no more at that one than the checks of one candidate: %s and %s', async (nat, nat2, path) => {
    let aimed = 0;
    const wrap = (env: Env): Env => ({
      ...env,
      udp: {
        open: async (options, signal) => {
          const socket = await env.udp.open(options, signal);
          return {
            ...socket,
            local: socket.local,
            close: () => socket.close(),
            send: (data, to, more) => {
              if (to?.address === VICTIM.address) aimed++;
              return socket.send(data, to, more);
            },
            listen: (listener) =>
              socket.listen({
                ...listener,
                datagram: (datagram) => listener.datagram({ ...datagram, data: lied(datagram.data) }),
              }),
          };
        },
      },
    });
    const { a, b } = await runPair({ nat, nat2, seed: 1, laterMs: 1_000, wrap });
    expect([a.path, b.path]).toContain(path);
    // Seven each, as often as any candidate is checked that a peer names.
    expect(aimed).toBeLessThanOrEqual(14);
    const doubts = [a, b].flatMap(({ timeline }) => timeline.filter(({ event }) => event === 'doubted'));
    expect(doubts).toContainEqual(expect.objectContaining({ doubt: 'contradicted', says: '66.66.66.66:666' }));
  });
});

import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import { LocalPort } from '../../../src/probe/punch/local-port.ts';

const REMOTE = { address: '51.0.0.1', port: 7000 };
const PORT = 40_000;

describe('a local port', () => {
  it('of nobody else is held by one socket for all ends, and shows the routed address', () =>
    createLab().run(async (env, signal) => {
      const port = await LocalPort.open(env, { family: 4 }, signal);
      expect(port.shared).toBe(false);
      const [one, two] = [
        await port.towards(REMOTE, signal),
        await port.towards({ address: '51.0.0.2', port: 1 }, signal),
      ];
      expect(one.mux).toBe(two.mux);
      expect(one.local).toEqual({ address: '192.168.1.3', port: port.port });
      one.release();
      await two.mux.socket.send(Uint8Array.of(1), REMOTE);
      port.close();
    }));

  it('that another program shares is used by a socket for each end, freed at once', () =>
    createLab().run(async (env, signal) => {
      const other = await env.udp.open({ family: 4, port: PORT, reuse: true });
      const port = await LocalPort.open(env, { family: 4, port: PORT }, signal);
      expect([port.shared, port.port]).toEqual([true, PORT]);
      const way = await port.towards(REMOTE, signal);
      expect(way.local).toEqual({ address: '192.168.1.3', port: PORT });
      way.release();
      port.close();
      other.close();
    }));

  it('that another program keeps for itself is not to be had', () =>
    createLab().run(async (env, signal) => {
      const other = await env.udp.open({ family: 4, port: PORT });
      await expect(LocalPort.open(env, { family: 4, port: PORT }, signal)).rejects.toMatchObject({
        kind: 'in-use',
        message: /does not share/,
      });
      other.close();
    }));
});

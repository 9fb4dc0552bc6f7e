import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/topology.ts';
import { routedAddress, routedEndpoint, withAddress } from '../../src/net/route.ts';

const REMOTE = { address: '40.30.20.10', port: 3478 };

describe('the address that leads to a remote end', () => {
  it('is that of the interface of the route, or the one asked for, and nothing is sent', async () => {
    const lab = createLab({ trace: true });
    await lab.run(async (env) => {
      const [own] = env.interfaces().filter(({ internal, family }) => !internal && family === 4);
      expect(await routedAddress(env.udp, REMOTE)).toBe(own?.address);
      expect(await routedAddress(env.udp, REMOTE, own?.address)).toBe(own?.address);
      expect(await routedAddress(env.udp, { address: '127.0.0.1', port: 9 })).toBe('127.0.0.1');
    });
    expect(lab.trace).toEqual([]);
  });

  it('is none where there is no route', async () => {
    await createLab().run(async (env) => {
      await expect(routedAddress(env.udp, { address: '2001:db8::1', port: 9 })).rejects.toMatchObject({
        kind: 'unreachable',
      });
    });
  });

  it('stands in for the wildcard alone', async () => {
    expect(withAddress({ address: '0.0.0.0', port: 7 }, '10.0.0.1')).toEqual({ address: '10.0.0.1', port: 7 });
    expect(withAddress({ address: '::', port: 7 }, 'fc00::1')).toEqual({ address: 'fc00::1', port: 7 });
    expect(withAddress({ address: '10.0.0.2', port: 7 }, '10.0.0.1')).toEqual({ address: '10.0.0.2', port: 7 });
    await createLab().run(async (env) => {
      const routed = await routedAddress(env.udp, REMOTE);
      expect(await routedEndpoint(env.udp, { address: '0.0.0.0', port: 7 }, REMOTE)).toEqual({
        address: routed,
        port: 7,
      });
      // What is bound is not looked up, so that no route is needed.
      const bound = { address: '127.0.0.1', port: 7 };
      expect(await routedEndpoint(env.udp, bound, { address: '2001:db8::1', port: 9 })).toEqual(bound);
    });
  });
});

/** Nothing is left in the router, at whatever moment the opening of a port is interrupted. */
import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/topology.ts';
import type { Env } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';
import { openMapping } from '../../src/portmap/mapper.ts';
import { askOffer } from '../../src/portmap/offer.ts';

/** The same object, which tells after each call of these methods. */
const watched = <T extends object>(target: T, names: readonly string[], told: () => void): T =>
  new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const result: unknown = value.apply(target, args);
        if (names.includes(String(name))) told();
        return result;
      };
    },
  });

/** An Env that tells of each datagram, and each piece of a stream, that leaves. */
const outgoing = (env: Env, told: () => void): Env => ({
  ...env,
  udp: { open: async (...args) => watched(await env.udp.open(...args), ['send'], told) },
  tcp: watched(
    { ...env.tcp, connect: async (...args) => watched(await env.tcp.connect(...args), ['write'], told) },
    [],
    told,
  ),
});

/** What the router holds when the n-th piece that left was followed by an interruption; undefined once there are fewer. */
async function leftAfter(nat: string, n: number, act: (env: Env, signal: AbortSignal) => Promise<unknown>) {
  const lab = createLab({ nat });
  return lab.run(async (env) => {
    const stop = new AbortController();
    let count = 0;
    await act(
      outgoing(env, () => ++count === n && stop.abort(new Error('interrupted'))),
      stop.signal,
    ).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    if (!stop.signal.aborted) return undefined;
    await sleep(env.clock, 100);
    return lab.nat().forwards.all(env.clock.now());
  });
}

const openAndClose = async (env: Env, signal: AbortSignal): Promise<void> => {
  const { mapping } = await openMapping(env, { transport: 'udp', internalPort: 12_001 }, signal);
  await mapping?.remove();
};

describe('interrupted at any moment', () => {
  it.each(['pcp', 'nat-pmp', 'upnp', 'upnp=permanent', 'pcp,nat-pmp,upnp'])('%s keeps no port', async (by) => {
    let moments = 0;
    for (let n = 1; ; n++) {
      const left = await leftAfter(`linux,${by}`, n, openAndClose);
      if (!left) break;
      expect([n, left]).toEqual([n, []]);
      moments++;
    }
    expect(moments).toBeGreaterThan(3);
  });

  it('the question what a router offers leaves no port of its trial', async () => {
    for (let n = 1; n < 100; n++) {
      const left = await leftAfter('linux,pcp', n, (env, signal) => askOffer(env, {}, signal));
      if (!left) break;
      expect([n, left]).toEqual([n, []]);
    }
  });
});

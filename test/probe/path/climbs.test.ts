import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import { NetError, type UdpListener, type UdpSocket } from '../../../src/net/env.ts';
import { ownerHop } from '../../../src/probe/path/climbs.ts';

const MAPPED = '12.13.14.15';
const SERVER = '40.30.20.10';

/** The owner that is found where a datagram of this time to live to there is refused, or not. */
function owner(isRefused: (to: string, ttl: number) => boolean): Promise<number | undefined> {
  return createLab().run(({ clock, random }, signal) => {
    const open = async (remote?: { readonly address: string; readonly port: number }): Promise<UdpSocket> => {
      let listener: UdpListener | undefined;
      return {
        local: { address: '192.168.1.3', port: 42_301 },
        async send(_data, _to, options) {
          if (isRefused(remote?.address ?? '', options?.ttl ?? 64))
            clock.after(5, () => listener?.error?.(new NetError('refused', 'refused')));
        },
        listen: (each) => void (listener = each),
        close: () => {},
      };
    };
    return ownerHop(MAPPED, SERVER, { clock, random, open, rttMs: 20, signal });
  });
}

describe('the box that the mapped address belongs to', () => {
  it.each([1, 2, 3, 16])('is the first that refuses: %i', async (hop) => {
    expect(await owner((to, ttl) => to === MAPPED && ttl >= hop)).toBe(hop);
  });

  it('is not known where nothing is refused', async () => {
    expect(await owner(() => false)).toBeUndefined();
  });

  it.each([1, 2])('is not a firewall at %i that refuses whomever such datagrams are for', async (hop) => {
    expect(await owner((_to, ttl) => ttl >= hop)).toBeUndefined();
  });

  it('is another than the server, which refuses them too', async () => {
    expect(await owner((to, ttl) => ttl >= (to === MAPPED ? 3 : 9))).toBe(3);
  });

  it('is not guessed from a single refusal, as routers send only so many', async () => {
    let left = 1;
    let sent = 0;
    expect(await owner((to, ttl) => to === MAPPED && ttl >= 1 && ++sent >= 4 && left-- > 0)).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/topology.ts';
import { sleep } from '../../src/net/wait.ts';
import { askOffer, type RouterOffer } from '../../src/portmap/offer.ts';

/** The offer, and how long it took. */
async function offered(nat: string, options: Parameters<typeof createLab>[0] = {}) {
  const lab = createLab({ nat, ...options });
  const offer = await lab.run(async (env, signal): Promise<RouterOffer & { tookMs: number }> => {
    const start = env.clock.now();
    const found = await askOffer(env, {}, signal);
    return { ...found, tookMs: env.clock.now() - start };
  });
  return { lab, offer };
}

const answers = ({ pcp, natPmp, upnp }: RouterOffer) => [pcp.answer, natPmp.answer, upnp.answer];

describe('what a router offers', () => {
  it('is nothing where nobody answers, known within 1.2 s', async () => {
    const { offer } = await offered('port-restricted-cone');
    expect(answers(offer)).toEqual(['no', 'no', 'no']);
    expect(offer.router).toEqual({ address: '192.168.1.1', local: '192.168.1.3', interface: 'eth0' });
    expect(offer.external).toBeUndefined();
    expect(offer.tookMs).toBeLessThanOrEqual(1_200);
  });

  it('is nothing where there is no router', async () => {
    const { offer } = await offered('none');
    expect(answers(offer)).toEqual(['no', 'no', 'no']);
    expect(offer).toMatchObject({ router: undefined, tookMs: 0 });
  });

  it.each([
    ['linux,pcp,nat-pmp,upnp', ['yes', 'yes', 'yes']],
    ['linux,pcp', ['yes', 'no', 'no']],
    ['linux,nat-pmp', ['no', 'yes', 'no']],
    ['linux,upnp', ['no', 'no', 'yes']],
    ['symmetric,pcp=refuse,nat-pmp=refuse', ['refused', 'refused', 'no']],
  ])('%s: %j', async (nat, expected) => {
    const { lab, offer } = await offered(nat);
    expect(answers(offer)).toEqual(expected);
    expect(offer.external).toBe(expected.includes('yes') ? '12.13.14.15' : undefined);
    expect(offer.secondNat).toBe(false);
    // PCP tells the outside address only with a mapping: that one is gone again.
    expect(lab.nat().forwards.all(lab.world.now)).toEqual([]);
  });

  it('is waited for where it was announced, however slowly the router tells it', async () => {
    const lab = createLab({ nat: 'linux,pcp,nat-pmp,upnp' });
    const offer = await lab.run((env, signal) => {
      const connect: typeof env.tcp.connect = async (...args) => {
        await sleep(env.clock, 200);
        return env.tcp.connect(...args);
      };
      return askOffer({ ...env, tcp: { ...env.tcp, connect } }, {}, signal);
    });
    expect(answers(offer)).toEqual(['yes', 'yes', 'yes']);
  });

  it.each(['cgnat,pcp', 'cgnat,nat-pmp', 'cgnat,upnp', 'cgnat,pcp,nat-pmp,upnp'])(
    '%s: a second NAT, as miniupnpd tells it',
    async (nat) => {
      const { offer } = await offered(nat);
      expect(answers(offer)).toEqual(['pcp', 'nat-pmp', 'upnp'].map((each) => (nat.includes(each) ? 'refused' : 'no')));
      // PCP alone names the address.
      expect(offer.external).toBe(nat.includes('pcp,') || nat.endsWith(',pcp') ? '100.64.1.7' : undefined);
      expect(offer.secondNat).toBe(nat.includes(',pcp'));
    },
  );

  it('is seen through where the router does not mind another NAT before it', async () => {
    const { offer } = await offered('cgnat,upnp=naive');
    expect(offer).toMatchObject({ external: '100.64.1.7', secondNat: true });
  });

  it('is asked for the IPv6 router too', async () => {
    const lab = createLab({ nat: 'linux,pcp', ipv6: true });
    const offer = await lab.run((env, signal) => askOffer(env, { family: 6 }, signal));
    expect(answers(offer)).toEqual(['yes', 'no', 'no']);
    expect(offer.external).toBe('2001:db8:1::3');
  });

  it('ends at once when nobody waits any more', async () => {
    const lab = createLab();
    await expect(lab.run((env, signal) => askOffer(env, {}, signal), { abortAtMs: 10 })).rejects.toThrow();
    expect(lab.world.now).toBe(10);
  });
});

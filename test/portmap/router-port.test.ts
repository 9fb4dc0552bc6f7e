import { describe, expect, it } from 'vitest';
import { createLab, type Lab } from '../../src/lab/topology.ts';
import { sleep } from '../../src/net/wait.ts';
import { slow } from './slow.ts';
import { type PortNews, RouterPort } from '../../src/portmap/router-port.ts';

const PORT = { transport: 'udp', internalPort: 12_001 } as const;
const publicPorts = (lab: Lab): number[] =>
  lab
    .nat()
    .forwards.all(lab.world.now)
    .map((each) => each.public.port);

describe('a port beside something else', () => {
  it('is one at a time: the one before is gone first', async () => {
    const lab = createLab({ nat: 'symmetric,pcp' });
    const news: string[] = [];
    await lab.run(async (env) => {
      const port = new RouterPort(env, ({ kind }) => news.push(kind));
      const release = port.open(PORT);
      await sleep(env.clock, 1_000);
      expect(publicPorts(lab)).toEqual([12_001]);
      port.open({ ...PORT, internalPort: 12_002 });
      await sleep(env.clock, 1_000);
      expect(publicPorts(lab)).toEqual([12_002]);
      // It is not that one's any more.
      release();
      await sleep(env.clock, 1_000);
      expect(publicPorts(lab)).toEqual([12_002]);
      await port.close();
    });
    expect([news, publicPorts(lab)]).toEqual([['open', 'open'], []]);
  });

  it.each(['pcp', 'nat-pmp', 'upnp', 'pcp,nat-pmp,upnp'])(
    'by %s is not left behind, whenever it is closed',
    async (words) => {
      for (let ms = 0; ms < 400; ms += 7) {
        const lab = createLab({ nat: `symmetric,${words}`, seed: ms });
        await lab.run(async (env) => {
          const port = new RouterPort(slow(env, 60));
          port.open(PORT);
          await sleep(env.clock, ms);
          await port.close();
        });
        expect([ms, publicPorts(lab)]).toEqual([ms, []]);
      }
    },
  );

  it('says why there is none', async () => {
    const heard = (nat: string): Promise<PortNews[]> =>
      createLab({ nat }).run(async (env) => {
        const all: PortNews[] = [];
        const port = new RouterPort(env);
        port.open(PORT, (news) => all.push(news));
        await sleep(env.clock, 2_000);
        await port.close();
        return all;
      });
    expect(await heard('symmetric')).toMatchObject([{ kind: 'none', why: { refusals: [] } }]);
    expect(await heard('symmetric,pcp=refuse')).toMatchObject([
      { kind: 'none', why: { refusals: [{ kind: 'not-authorized', protocol: 'pcp' }] } },
    ]);
  });
});

/** `serve` behind a 1:1 NAT of the simulated network: what its clients learn from it. */
import { describe, expect, it } from 'vitest';
import { Lab } from '../../../src/lab/topology.ts';
import { interruptible, play, run, tell } from '../worlds.ts';

const INSIDE = ['10.0.0.5', '10.0.0.6'];
const OUTSIDE = ['40.30.20.60', '40.30.20.61'];
const PAIR = OUTSIDE.flatMap((outside, i) => ['--advertise', `${outside}=${INSIDE[i]}`]);

async function served(
  words: readonly string[],
  addresses: number,
  client: (on: (host: string) => ReturnType<Lab['host']>) => Promise<unknown>,
  nat = 'port-restricted-cone',
) {
  const lab = new Lab({ nat, second: { nat: 'port-restricted-cone' } });
  lab.addHost('T', INSIDE.slice(0, addresses), { outside: OUTSIDE });
  lab.addNeighbour('U', 'T', '10.0.0.9');
  const { signal, interrupt } = interruptible();
  return play(lab, async (on, later) => {
    const server = tell(on('T'), ['serve', ...words], { signal });
    await later(5000);
    const answer = await client(on);
    interrupt();
    return { server: await server, answer };
  });
}

const detected = async (env: ReturnType<Lab['host']>, words: readonly string[] = [OUTSIDE[0] as string]) => {
  const { report } = await tell(env, ['detect', ...words]);
  const { type, mapping, filtering, server } = report.data as Record<string, unknown>;
  return { type, mapping, filtering, server };
};

describe('serve behind a 1:1 NAT', () => {
  it.each(['full-cone', 'restricted-cone', 'port-restricted-cone', 'symmetric'])(
    'with two addresses tells a %s NAT what it is',
    async (nat) => {
      const { answer, server } = await served(PAIR, 2, (on) => detected(on('A')), nat);
      expect(answer).toMatchObject({
        type: nat,
        server: { address: `${OUTSIDE[0]}:3478`, alternate: `${OUTSIDE[1]}:3479` },
      });
      expect(server.events[0]).toMatchObject({ address: '10.0.0.5:3478', advertised: '40.30.20.60:3478' });
      expect(server.report.data).toMatchObject({ rfc5780: true });
    },
  );

  it('with one address tells mapping and filtering by port', async () => {
    for (const [nat, mapping, filtering] of [
      ['port-restricted-cone', 'unknown', 'address-and-port-dependent'],
      ['symmetric', 'address-and-port-dependent', 'address-and-port-dependent'],
    ] as const) {
      const { answer } = await served(['--advertise', OUTSIDE[0] as string], 1, (on) => detected(on('A')), nat);
      expect(answer).toMatchObject({ mapping, filtering, server: { alternate: null } });
    }
  });

  it('tells a neighbour the private addresses', async () => {
    const { answer } = await served(PAIR, 2, (on) => detected(on('U'), ['--local', '10.0.0.5']));
    expect(answer).toMatchObject({
      type: 'open-internet',
      server: { address: '10.0.0.5:3478', alternate: '10.0.0.6:3479' },
    });
  });

  it('never tells a private address where nobody advertises', async () => {
    const { answer } = await served(['-s', '10.0.0.5', '-s', '10.0.0.6'], 2, async (on) => {
      const { report } = await tell(on('A'), ['stun', OUTSIDE[0] as string]);
      return [report.data, await detected(on('A'))];
    });
    expect(JSON.stringify(answer)).not.toContain('10.0.0.');
    expect(answer).toMatchObject([{ results: [{ other: null }] }, { server: { alternate: null } }]);
  });

  it('finds the public addresses by itself where a STUN server tells', async () => {
    const words = ['-s', '10.0.0.5', '-s', '10.0.0.6', '--stun', 'stun.example.net'];
    const { answer } = await served(words, 2, (on) => detected(on('A')));
    expect(answer).toMatchObject({ type: 'port-restricted-cone', server: { alternate: `${OUTSIDE[1]}:3479` } });
  });

  it('says so where the NAT is not one to one, and advertises nothing', async () => {
    const lab = new Lab({ nat: 'symmetric' });
    const { signal, interrupt } = interruptible();
    const { stderr, events } = await play(lab, async (on, later) => {
      const server = tell(on('A'), ['serve', '-4', '--stun', 'stun.example.net'], { signal });
      await later(5000);
      interrupt();
      return server;
    });
    expect(stderr).toMatch(/port 3478 of 192\.168\.1\.3 as 12\.13\.14\.15:\d+: this NAT is not one to one/);
    expect(JSON.stringify(events)).not.toContain('advertised');
  });

  it.each([1, 2])('is where two hosts connect, with %d addresses', async (addresses) => {
    const words = addresses === 1 ? ['--advertise', OUTSIDE[0] as string] : PAIR;
    for (const nat of ['port-restricted-cone', 'symmetric,ports=sequential']) {
      const { answer } = await served(
        words,
        addresses,
        async (on) => {
          const code = (await run(['connect', '--generate'], { env: on('A') })).stdout.trim();
          const side = (host: string) => tell(on(host), ['connect', code, '--check', '--server', OUTSIDE[0] as string]);
          const both = await Promise.all([side('A'), side('C2')]);
          return both.map(({ report }) => (report.data as { path: string }).path);
        },
        nat,
      );
      const path = nat === 'port-restricted-cone' ? 'direct' : 'predicted';
      expect(answer).toEqual([path, path]);
    }
  });
});

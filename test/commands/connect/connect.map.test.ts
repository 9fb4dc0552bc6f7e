import { expect, it } from 'vitest';
import { run } from '../../cli/harness.ts';

const HOPELESS = 'symmetric,ports=random';

async function connect(nat: string, ...argv: string[]) {
  const { stdout } = await run(['lab', 'connect', '--nat', nat, '--nat2', HOPELESS, '--check', ...argv, '--json']);
  const [first = ''] = stdout.split(/\n(?=\{\n)/);
  const { data, findings } = JSON.parse(first);
  return { data, kinds: findings.map(({ kind }: { kind: string }) => kind) };
}

it('tells the path, and the port that the router opened', async () => {
  const { data, kinds } = await connect(`${HOPELESS},upnp`, '--map');
  expect(data).toMatchObject({
    path: 'mapped',
    public: '12.13.14.15:42301',
    mapped: { protocol: 'upnp', private: '192.168.1.3:42301', public: '12.13.14.15:42301', lifetimeS: 7200 },
  });
  expect(kinds).toEqual([]);
  const words = await run(['lab', 'connect', '--nat', `${HOPELESS},upnp`, '--nat2', HOPELESS, '--map', '--check']);
  expect(words.stderr).toContain('through a port opened in the router');
});

it.each([
  [HOPELESS, 'no-port-control'],
  [`${HOPELESS},pcp=refuse`, 'port-refused'],
  ['cgnat,mapping=apd,ports=random,upnp=naive', 'second-nat'],
])('says why the router of %s does not help', async (nat, kind) => {
  const { data, kinds } = await connect(nat, '--map');
  expect(data.path).toBeNull();
  expect(kinds).toContain(kind);
});

it('says of a router that lies that nothing came in', async () => {
  const { stderr } = await run([
    'lab',
    'connect',
    '--nat',
    `${HOPELESS},pcp=lie`,
    '--nat2',
    HOPELESS,
    '--map',
    '--check',
  ]);
  expect(stderr).toContain('nothing came in by it');
});

it('asks no router without --map, and does not go with --sdp', async () => {
  const { data } = await connect(`${HOPELESS},pcp`);
  expect([data.path, data.mapped]).toEqual([null, null]);
  expect(data.timeline.filter(({ event }: { event: string }) => event === 'router')).toEqual([]);
  const { stderr, status } = await run(['connect', '--map', '--manual', '--sdp', '--server', '192.0.2.1']);
  expect([status, stderr]).toEqual([2, expect.stringContaining('--map')]);
});

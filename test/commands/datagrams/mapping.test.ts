import { describe, expect, it } from 'vitest';
import { run } from '../../cli/harness.ts';

async function reportOf(nat: string, ...argv: string[]) {
  const { stdout } = await run(['lab', '--nat', nat, ...argv, '--json']);
  const text = stdout.startsWith('{\n') ? stdout : (stdout.trim().split('\n').at(-1) ?? '');
  const { data, findings } = JSON.parse(text);
  return { mapped: data.mapped, kinds: findings.map(({ kind }: { kind: string }) => kind) };
}

const LISTEN = ['listen', '-p', '12001', '--map', '-w', '3'];
const PUNCH = ['punch', '-p', '12001', '--map', '-w', '3', '50.60.70.80', '12003'];

describe.each([
  ['listen', LISTEN],
  ['punch', PUNCH],
] as const)('%s --map', (_, argv) => {
  it.each(['pcp', 'nat-pmp', 'upnp'])('has the router open the port by %s', async (protocol) => {
    const { mapped } = await reportOf(`linux,${protocol}`, ...argv);
    expect(mapped).toEqual({
      protocol,
      private: '192.168.1.3:12001',
      public: '12.13.14.15:12001',
      lifetimeS: 7200,
    });
  });

  it('says why it does not', async () => {
    expect(await reportOf('linux', ...argv)).toMatchObject({
      mapped: null,
      kinds: expect.arrayContaining(['no-port-control']),
    });
    const refused = await reportOf('linux,pcp=refuse', ...argv);
    expect(refused.kinds).toContain('port-refused');
  });
});

it('lets in whoever comes to a listening port', async () => {
  const script = [
    'A$ nat-tool listen -q -p 12001 --map -c 1 &',
    'wait 2',
    'B$ echo hello | nat-tool send -q -p 4000 12.13.14.15 12001',
  ];
  const { stdout } = await run(['lab', '--nat', 'symmetric,ports=random,pcp', '--script', '-'], {
    stdin: `${script.join('\n')}\n`,
  });
  expect(stdout).toContain('hello');
  expect(stdout).toContain('50.60.70.80:4000');
});

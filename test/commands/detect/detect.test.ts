import { describe, expect, it } from 'vitest';
import { createLab, type LabOptions } from '../../../src/lab/topology.ts';
import type { RunResult } from '../../cli/harness.ts';
import { run, tell } from '../worlds.ts';

const S = ['stun.example.net'];

/** `detect` on A, which may hold a port. */
const detect = (options: LabOptions, words: readonly string[], held?: number): Promise<RunResult> => {
  const lab = createLab(options);
  if (held !== undefined) lab.serve('A', (env) => env.udp.open({ family: 4, port: held }));
  return lab.run((env) => run(['detect', '--no-color', ...words], { env, columns: 80 }));
};

describe('both families in one run', () => {
  const told = (options: LabOptions, ...words: string[]) =>
    createLab(options).run((env) => tell(env, ['detect', ...S, ...words]));

  it('tells IPv6 beside IPv4', async () => {
    const { report } = await told({ ipv6: 'firewall' });
    expect(report.data).toMatchObject({
      type: 'port-restricted-cone',
      ipv6: { type: 'udp-firewall', public: expect.stringContaining('[2001:db8:') },
    });
    const { stdout } = await detect({ ipv6: 'nat66' }, S);
    expect(stdout).toMatch(/^IPv6 {7}port-restricted cone NAT, \[2001:db8:/m);
  });

  it.each([
    [{}, []],
    [{ ipv6: 'firewall' as const }, ['-4']],
    [{ ipv6: 'firewall' as const }, ['-s', '192.168.1.3']],
  ])('leaves it out where there is none, or one was asked for: %j %j', async (options, words) => {
    expect((await told(options, ...words)).report.data).toMatchObject({ type: 'port-restricted-cone', ipv6: null });
  });

  it('does not wait long for one that is dead', async () => {
    const servers = [{ name: 's.example.net', addresses: ['40.30.20.10', '40.30.20.11'] }];
    const silent = createLab({
      ipv6: 'firewall',
      servers,
      names: { 'stun.example.net': ['40.30.20.10', '2001:db8:99::1'] },
    });
    const { report } = await silent.run((env) => tell(env, ['detect', ...S]));
    expect(report.data).toMatchObject({ type: 'port-restricted-cone', ipv6: null });
    expect(report.durationMs).toBeLessThan(2500);
  });
});

describe('the report of detect', () => {
  it('names long IPv6 addresses of servers in a legend, so that the evidence fits 80 columns', async () => {
    const addresses = ['2001:db8:aaaa:bbbb:cccc:dddd:eeee:1', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:2'];
    const servers = [{ name: 'stun.example.net', addresses: ['40.30.20.10', '40.30.20.11', ...addresses] }];
    const { stdout } = await detect({ ipv6: 'firewall', servers }, ['-v', '-6', ...S]);
    expect(stdout).toContain(`S1  ${addresses[0]}\nS2  ${addresses[1]}`);
    expect(stdout).toMatch(/^\| mapping-2 +\| +\d+ \| S2:3479/m);
    const evidence = stdout.slice(stdout.indexOf('Evidence'));
    expect(Math.max(...evidence.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
  });

  it('says that there is no IPv6 here, where a server is to be reached by that alone', async () => {
    const { report } = await createLab({}).run((env) => tell(env, ['detect', '-6', '2001:db8:40::10']));
    expect(report.findings.map(({ kind }) => kind)).toContain('no-ipv6');
    expect(report.data).toMatchObject({ type: 'unknown' });
  });

  it.each([
    ['port-restricted-cone', 'nat-tool connect: makes a path to another host nat-tool pair A.json B.json: '],
    ['symmetric,ports=sequential', 'predicts these ports'],
    ['symmetric,ports=random', 'meets random ports by many probes'],
  ])('behind %s says what next', async (nat, words) => {
    const { stdout } = await detect({ nat }, S);
    expect(stdout.replace(/\s+/g, ' ')).toContain(words);
    expect(stdout).toMatch(/^Type {7}\S.* NAT$/m);
  });

  it('shows how long each server took', async () => {
    const { stdout } = await detect({}, [...S, '40.30.20.11', '50.60.70.80:9']);
    expect(stdout).toMatch(/^Server +\S.*\(RTT 40\.0 ms\)\nAlso asked +40\.30\.20\.11:3478 \(RTT 40\.0 ms\)/m);
  });

  it('fits 80 columns with -v, and has one row for the samples', async () => {
    const { stdout } = await detect({}, [...S, '-v']);
    expect(stdout.match(/^\| allocation/gm)).toHaveLength(1);
    expect(stdout).toMatch(/^\| allocation ×\d+ +\| +\d+ \| 40\.30\.20\.10:3478 +\| +\d+\/\d+ \| +40\.0 \| answered/m);
    expect(stdout.split('\n').filter(({ length }) => length > 80)).toEqual([]);
  });

  it('says so when the type is not the one that --expect wants', async () => {
    const { status, stdout, stderr } = await detect({ nat: 'symmetric' }, [...S, '--short', '--expect', 'cone,p2p']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: 'symmetric\n' });
    expect(stderr).toContain('Not as expected: the type is symmetric, and --expect wants cone, p2p.');
    expect((await detect({}, [...S, '--short', '--expect', 'cone'])).stderr).toBe('');
  });
});

it.each(['detect', 'stun', 'public-ip', 'listen'])('%s -p on a port that is taken is misuse', async (command) => {
  const lab = createLab({ addressServices: true });
  lab.serve('A', (env) => env.udp.open({ family: 4, port: 12001 }));
  const { status, stdout, stderr } = await lab.run((env) =>
    run([command, '-p', '12001'], { env, environment: { NAT_TOOL_SERVER: 'stun.example.net' } }),
  );
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain('UDP port 12001 is in use by another program');
});

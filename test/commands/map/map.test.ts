import { describe, expect, it } from 'vitest';
import { listData } from '../../../src/commands/map/report.ts';
import { run } from '../../cli/harness.ts';

/** A command line in the simulated network: its last line of JSON, the events before, and the status. */
async function mapped(nat: string, ...argv: string[]) {
  const { stdout, status } = await run(['lab', '--nat', nat, 'map', '--json', ...argv]);
  const lines = stdout.startsWith('{\n') ? [stdout] : stdout.trim().split('\n');
  const [report, ...events] = lines.map((line) => JSON.parse(line)).reverse();
  return { report, data: report.data, events: events.reverse().map(({ event }) => event), status };
}

const kinds = (report: { findings: { kind: string }[] }) => report.findings.map(({ kind }) => kind);

describe('map', () => {
  it.each(['pcp', 'nat-pmp', 'upnp'])('opens the port by %s, proves it, and removes it', async (protocol) => {
    const { report, data, events, status } = await mapped(
      `symmetric,ports=random,${protocol}`,
      '-p',
      '12001',
      '--for',
      '2',
    );
    expect(data).toMatchObject({
      protocol,
      transport: 'udp',
      private: '192.168.1.3:12001',
      public: '12.13.14.15:12001',
      lifetimeS: 7200,
      open: 'yes',
      triedFrom: '40.30.20.11:3479',
      removed: true,
    });
    expect([report.schema, report.outcome, kinds(report), status]).toEqual(['nat-tool/map@1', 'complete', [], 0]);
    expect(events).toEqual(['mapped', 'tried', 'removed']);
  });

  it('renews and restores what it holds', async () => {
    const { events } = await mapped('linux,nat-pmp,restart=500', '-p', '12001', '--for', '700', '--lease', '600');
    expect(events).toEqual(['mapped', 'tried', 'renewed', 'restored', 'removed']);
  });

  it.each([
    ['linux', ['no-port-control']],
    ['none', ['no-router']],
    ['linux,pcp=refuse', ['port-refused']],
    ['cgnat,pcp', ['port-refused', 'second-nat']],
    ['cgnat,nat-pmp', ['port-refused', 'second-nat']],
    ['cgnat,upnp', ['port-refused', 'second-nat']],
  ])('says why %s does not open it', async (nat, expected) => {
    const { report, data, status } = await mapped(nat, '-p', '12001', '--for', '2');
    expect(data).toMatchObject({ protocol: null, public: null, open: 'no' });
    expect([kinds(report), status]).toEqual([expected, 1]);
  });

  it.each(['pcp=lie', 'upnp=lie', 'nat-pmp=lie'])('does not believe %s', async (lie) => {
    const { report, data, status } = await mapped(`linux,${lie}`, '-p', '12001', '--for', '2');
    expect([data.open, kinds(report), status]).toEqual(['no', ['mapped-but-closed'], 1]);
  });

  it('says that a router which minds no other NAT before it opens nothing', async () => {
    const { report, data, status } = await mapped('cgnat,upnp=naive', '-p', '12001', '--for', '2');
    expect([data.public, data.open, kinds(report), status]).toEqual(['100.64.1.7:12001', 'no', ['second-nat'], 1]);
  });

  it('does not pretend to have tried a TCP port', async () => {
    const { report, data, status } = await mapped('linux,pcp', '-p', '8080', '--tcp', '--for', '2');
    expect([data.transport, data.open, kinds(report), status]).toEqual(['tcp', 'unknown', ['mapping-untried'], 0]);
  });

  it('tells of leases for good', async () => {
    const { report, data } = await mapped('linux,upnp=permanent', '-p', '12001', '--for', '2');
    expect([data.lifetimeS, data.removed, kinds(report)]).toEqual([0, true, ['mapping-permanent']]);
  });

  it('asks by the one protocol it is told', async () => {
    const { data } = await mapped('linux,pcp,nat-pmp,upnp', '-p', '12001', '--via', 'upnp', '--for', '2');
    expect(data.protocol).toBe('upnp');
  });

  it('is proven by a server that tells IPv4 in IPv6, and not disputed by one that tells nothing', async () => {
    const proven = await run([
      'lab',
      '--nat',
      'linux,pcp',
      '--fault',
      'lie-mapped',
      'map',
      '--short',
      '-p',
      '12001',
      '--for',
      '2',
    ]);
    expect(proven.stderr).toContain('open to everybody');
    const zero = await run([
      'lab',
      '--nat',
      'linux,pcp',
      '--fault',
      'lie-zero',
      'map',
      '--short',
      '-p',
      '12001',
      '--for',
      '2',
    ]);
    expect(zero.stderr).not.toContain('leaves by another way');
  });

  it('wishes for the port outside that it is told', async () => {
    const { data } = await mapped('linux,pcp', '-p', '12001', '--external', '443', '--for', '2');
    expect([data.private, data.public]).toEqual(['192.168.1.3:12001', '12.13.14.15:443']);
  });

  it('prints the public side at once with --short', async () => {
    const { stdout } = await run(['lab', '--nat', 'linux,pcp', 'map', '--short', '-q', '-p', '12001', '--for', '2']);
    expect(stdout).toBe('12.13.14.15:12001\n');
  });

  it('lists and removes what is there', async () => {
    const script = (...lines: string[]) =>
      run(['lab', '--nat', 'linux,upnp', '--script', '-'], { stdin: `${lines.join('\n')}\n` });
    const { stdout } = await script(
      'A$ nat-tool map --list --json',
      'A$ nat-tool map -p 12001 -q &',
      'wait 5',
      'A$ nat-tool map --list --plain',
      'A$ nat-tool map --list --short',
      'A$ nat-tool map -p 12001 --remove',
      'A$ nat-tool map --list',
      'A$ nat-tool map -p 12001 --remove',
      'A$ nat-tool map -p 12001 --remove --short',
    );
    expect(stdout).toContain('"mappings": []');
    expect(stdout).toMatch(/private.*192\.168\.1\.3:12001/);
    expect(stdout).toContain('No mapping of UDP port 12001 is left.');
    expect(stdout).toContain('The router holds no mapping.');
    expect(stdout).toMatch(/^1$/m);
    expect(stdout).toContain('UDP port 12001: the router holds no mapping of it.');
    expect(stdout).toMatch(/^none$/m);
  });

  it('lists no address where the router tells none', () => {
    const entry = {
      transport: 'udp',
      externalPort: 7,
      internal: { address: '192.168.1.3', port: 8 },
      description: '',
      lifetimeS: 0,
    } as const;
    const data = listData({ address: '192.168.1.1', local: '192.168.1.3', interface: 'eth0' }, undefined, [entry]);
    expect(data.mappings).toEqual([expect.objectContaining({ public: null, externalPort: 7 })]);
  });

  it.each([[['-p', '12001']], [['--list']], [['-p', '12001', '--remove']]])('-w bounds it: %j', async (words) => {
    const { report } = await mapped('port-restricted-cone', '-w', '0.2', ...words);
    expect([kinds(report), report.durationMs]).toEqual([['out-of-time'], 200]);
  });

  it.each([
    [[], 'needs the port'],
    [['-p', '0'], 'a port from 1 to 65535'],
    [['-p', '1', '--via', 'igd'], 'pcp'],
    [['-p', '1', '--list', '--remove'], 'exclude each other'],
  ])('misuse %j is named', async (argv, words) => {
    const { stderr, status } = await run(['map', ...argv]);
    expect(stderr).toContain(words);
    expect(status).toBe(2);
  });
});

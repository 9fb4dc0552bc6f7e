import { describe, expect, it } from 'vitest';
import { parseServerList } from '../../../src/commands/stun/server-list.ts';
import type { ServerFault } from '../../../src/lab/server-faults.ts';
import { Lab, type LabOptions } from '../../../src/lab/topology.ts';
import { run, type RunOptions } from '../../cli/harness.ts';

async function stun(words: readonly string[], lab: LabOptions = {}, options: RunOptions = {}, abortAtMs?: number) {
  return new Lab({ ...lab, patienceMs: 60_000 }).run(
    (env, signal) => run(['stun', ...words], { ...options, env, signal }),
    abortAtMs === undefined ? {} : { abortAtMs },
  );
}

describe('nat-tool stun', () => {
  it('prints the public side alone with --short', async () => {
    expect(await stun(['--short', 'stun.example.net'])).toMatchObject({ status: 0, stdout: '12.13.14.15:24604\n' });
  });

  it('reports JSON with the promised names', async () => {
    const { stdout } = await stun(['--json', 'stun.example.net']);
    const report = JSON.parse(stdout) as {
      schema: string;
      outcome: string;
      data: { results: Record<string, unknown>[] };
    };
    expect(report).toMatchObject({ schema: 'nat-tool/stun@1', outcome: 'complete' });
    expect(report.data.results[0]).toMatchObject({
      server: 'stun.example.net',
      mapped: '12.13.14.15:24604',
      rttMs: 40,
      sent: 1,
      received: 1,
      error: null,
    });
    expect(Object.keys(report.data.results[0] ?? {})).toEqual(
      expect.arrayContaining([
        'server',
        'address',
        'mapped',
        'rttMs',
        'sent',
        'received',
        'software',
        'other',
        'error',
      ]),
    );
  });

  it('exits 1 without an answer and says why', async () => {
    const { status, stdout, stderr } = await stun(['--short', '40.30.20.10'], { offline: true });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/no route/);
  });

  it('shows every attribute with -v', async () => {
    const { stdout } = await stun(['-v', 'stun.example.net']);
    for (const name of ['XOR-MAPPED-ADDRESS', 'MAPPED-ADDRESS', 'RESPONSE-ORIGIN', 'OTHER-ADDRESS'])
      expect(stdout).toContain(name);
  });

  it('reads servers from a file, and keeps their order', async () => {
    const files = { 'list.txt': '# ours\nstun.example.net\n\nnowhere.example.net # gone\n40.30.20.11 3479\n' };
    const { stdout, status } = await stun(['--servers', 'list.txt', '--json'], {}, { files });
    const { data } = JSON.parse(stdout) as { data: { results: { server: string; error: string | null }[] } };
    expect(data.results.map(({ server, error }) => [server, error])).toEqual([
      ['stun.example.net', null],
      ['nowhere.example.net', 'not-found'],
      ['40.30.20.11:3479', null],
    ]);
    expect(status).toBe(0);
  });

  it('reads servers from standard input', async () => {
    expect((await stun(['--servers', '-', '--short'], {}, { stdin: '40.30.20.10\n' })).stdout).toBe(
      '12.13.14.15:24604\n',
    );
  });

  it.each([
    [['--servers', 'empty.txt'], /no server in empty\.txt/],
    [['--servers', 'bad.txt'], /bad\.txt, line 2: expected .*got 'host:99999'/],
    [['--servers', 'absent.txt'], /absent\.txt/],
    [['turn:x'], /expected a STUN server/],
    [['--cafile', 'empty.txt', 'stuns:x'], /--cafile: there is no certificate in empty\.txt/],
    [['--cafile', 'absent.txt', 'stuns:x'], /absent\.txt/],
    [['--vet', '--tcp', 'x'], /--vet/],
    [['-c', '0', 'x'], /--count/],
    [['-c', '100000', '-i', '0.0001', 'x'], /--interval: expected seconds, at least 0\.01 /],
    [['-c', '20', '-i', '0.05'], /--interval: public servers .* 0\.2 s, not every 0\.05 s/],
  ])('refuses %j', async (words, message) => {
    const { status, stderr } = await stun(
      words,
      {},
      { files: { 'empty.txt': '# nothing\n', 'bad.txt': 'a\nhost:99999\n' } },
    );
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('wants both halves of the credentials', async () => {
    const { status, stderr } = await stun(['stun.example.net'], {}, { environment: { NAT_TOOL_USERNAME: 'u' } });
    expect(status).toBe(2);
    expect(stderr).toMatch(/NAT_TOOL_PASSWORD/);
  });

  it('exits by the verdict of --vet', async () => {
    const servers = [
      { name: 'stun.example.net', addresses: ['40.30.20.10', '40.30.20.11'], faults: ['change-ignored' as const] },
    ];
    expect((await stun(['--vet', 'stun.example.net'])).status).toBe(0);
    expect((await stun(['--vet', 'stun.example.net'], { servers })).status).toBe(1);
    const old = [
      { name: 'stun.example.net', addresses: ['40.30.20.10', '40.30.20.11'], faults: ['no-response-port' as const] },
    ];
    expect((await stun(['--vet', 'stun.example.net'], { nat: 'symmetric' })).status).toBe(0);
    expect((await stun(['--vet', 'stun.example.net'], { nat: 'symmetric', servers: old })).status).toBe(3);
  });

  it('says what was learnt when interrupted', async () => {
    const { status, stdout } = await stun(['--json', '40.30.20.10', '40.30.20.77'], {}, {}, 500);
    expect(status).toBe(130);
    const report = JSON.parse(stdout) as {
      outcome: string;
      data: { results: unknown[] };
      findings: { kind: string }[];
    };
    expect(report).toMatchObject({ outcome: 'partial', data: { results: [{ mapped: '12.13.14.15:24604' }] } });
    expect(report.findings.map(({ kind }) => kind)).toContain('interrupted');
  });

  it('asks the built-in servers when none is named, and shows the first answer', async () => {
    const servers = [{ name: 'stun.cloudflare.com', addresses: ['40.30.20.10'] }];
    expect((await stun(['--short'], { servers })).stdout).toBe('12.13.14.15:24604\n');
  });
});

describe('what stun remarks', () => {
  const faulty = (...faults: ServerFault[]) => [
    { name: 'stun.example.net', addresses: ['40.30.20.10', '40.30.20.11'], faults },
    ...['stun2', 'stun3'].map((name, i) => ({ name: `${name}.example.net`, addresses: [`40.30.2${i + 1}.10`] })),
  ];
  const kinds = async (words: readonly string[], lab: LabOptions) => {
    const { stdout } = await stun(['--json', ...words], lab);
    return (JSON.parse(stdout) as { findings: { kind: string }[] }).findings.map(({ kind }) => kind);
  };
  const all = ['stun.example.net', 'stun2.example.net', 'stun3.example.net'];

  it.each<[ServerFault, string[]]>([
    ['lie-private', ['answer-doubted']],
    ['lie-cgn', ['answer-doubted']],
    ['lie-zero', ['answer-doubted']],
    ['lie-family', ['answer-doubted']],
    ['lie-mapped', []],
    ['unpadded', ['answer-malformed']],
    ['redirects', ['redirected']],
    ['redirects-astray', ['redirected-astray']],
    ['redirects-round', ['redirected-astray']],
    ['wants-login', ['server-error']],
    ['change-request-only', []],
  ])('of one server: %s', async (fault, expected) => {
    expect(await kinds(['stun.example.net'], { servers: faulty(fault) })).toEqual(expected);
  });

  it.each<[ServerFault[], string[]]>([
    [[], []],
    [['lie-public'], ['answers-differ']],
    [['lie-private'], ['answer-doubted']],
  ])('of several that should agree: %j', async (faults, expected) => {
    expect(await kinds(all, { servers: faulty(...faults) })).toEqual(expected);
  });

  it('of two that do not agree, that nothing tells which is right', async () => {
    expect(await kinds(all.slice(0, 2), { servers: faulty('lie-public') })).toEqual(['servers-disagree']);
  });

  it('of names without an address of the family, which it has of the other', async () => {
    const { stderr } = await stun(['-6', 'stun.example.net'], { ipv6: true, servers: faulty() });
    expect(stderr).toContain('stun.example.net has no IPv6 address, only IPv4.');
    expect(await kinds(['-6', 'stun.example.net'], { ipv6: true, servers: faulty() })).toEqual(['family-missing']);
    expect(await kinds(['-6', 'nowhere.example.net'], { ipv6: true })).toEqual(['unresolvable']);
  });

  it('of a server that has IPv6 alone, where there is none', async () => {
    const servers = [{ name: 'six.example.net', addresses: ['2001:db8:40::10'] }];
    const names = { 'six.example.net': ['2001:db8:40::10'] };
    expect(await kinds(['six.example.net'], { servers, names })).toEqual(['no-ipv6']);
    expect(await kinds(['six.example.net'], { servers, names, ipv6: true })).toEqual([]);
    expect(await kinds(['40.30.20.10'], { offline: true })).toEqual(['network-unreachable']);
  });

  it('of a server inside the network, nothing', async () => {
    const servers = [{ name: 'stun.lan', addresses: ['192.168.1.20'], on: 'lan' as const }];
    expect(await kinds(['stun.lan'], { servers })).toEqual([]);
  });

  it('prefers a credible answer where one is wanted', async () => {
    const lab = { servers: faulty('lie-private') };
    expect((await stun(['--short', ...all], lab)).stdout).toBe('12.13.14.15:24605\n');
    expect((await stun(['--short', 'stun.example.net'], lab)).stdout).toBe('');
  });

  it('names the variables where a server wants a user name, and what is wrong with them', async () => {
    const lab = { servers: faulty('wants-login') };
    expect((await stun(['stun.example.net'], lab)).stderr).toMatch(/NAT_TOOL_USERNAME\s+and\s+NAT_TOOL_PASSWORD/);
    const environment = { NAT_TOOL_USERNAME: 'alice', NAT_TOOL_PASSWORD: 'secret' };
    expect((await stun(['--vet', 'stun.example.net'], lab, { environment })).status).toBe(0);
    const wrong = await stun(['stun.example.net'], lab, { environment: { ...environment, NAT_TOOL_PASSWORD: 'x' } });
    expect(wrong.stderr.replace(/\s+/g, ' ')).toContain('does not take the user name and password');
    const bad = await stun(['stun.example.net'], lab, {
      environment: { ...environment, NAT_TOOL_PASSWORD: 'a\u0007' },
    });
    expect(bad).toMatchObject({ status: 2, stderr: expect.stringMatching(/NAT_TOOL_PASSWORD: U\+0007/) });
  });
});

describe('stun -c', () => {
  const lossy = { servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10'] }], loss: 0.3, seed: 3 };

  it('prints a line an answer, as it comes, and the sum', async () => {
    const { stdout } = await stun(['-c', '5', 'stun.example.net'], lossy);
    const lines = stdout.split('\n').filter((line) => / seq=\d+ time=40\.0 ms$/.test(line));
    expect(stdout).toMatch(/^RTT ms +min 40\.0, avg 40\.0, max 40\.0, stddev 0\.00$/m);
    expect(stdout).toContain(`${5 - lines.length} of 5 lost`);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThan(5);
  });

  it.each([
    [{ ...lossy, loss: 0.9, seed: 1 }, 3],
    [{ servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10'], faults: ['silent' as const] }] }, 3],
  ])('sums up when little or nothing came, too', async (lab, count) => {
    const { stdout } = await stun(['-c', String(count), 'stun.example.net'], lab);
    expect(stdout).toMatch(/^Loss +\d of 3 lost \(\d+ %\)$/m);
  });

  it.each(['--json', '--plain', '--short'])('prints one document with %s', async (form) => {
    expect((await stun([form, '-c', '3', 'stun.example.net'])).stdout).not.toContain('seq=');
  });

  it('draws a histogram on a terminal with -v', async () => {
    const lab = { jitterMs: 30, seed: 2 };
    const words = ['-v', '-c', '20', '-i', '0.2', 'stun.example.net'];
    const shown = (await stun(words, lab, { columns: 80 })).stdout;
    expect(shown).toContain('Round trips');
    expect(shown).toMatch(/#{40}/);
    expect((await stun(words, lab)).stdout).not.toContain('Round trips');
  });
});

describe('how often stun asks', () => {
  it("does not bound a single exchange, nor servers of one's own", async () => {
    const servers = [{ name: 'stun.cloudflare.com', addresses: ['40.30.20.10'] }];
    expect((await stun(['--short', '-i', '0.05'], { servers })).status).toBe(0);
    expect((await stun(['--short', '-c', '3', '-i', '0.01', 'stun.example.net'])).status).toBe(0);
    expect(
      (await stun(['--short', '-c', '3', '-i', '0.05'], {}, { environment: { NAT_TOOL_SERVER: 'stun.example.net' } }))
        .status,
    ).toBe(0);
    expect((await stun(['--short', '-c', '3', '-i', '0.2'], { servers })).status).toBe(0);
  });
});

describe('parseServerList', () => {
  it('names file and line of a mistake', () => {
    expect(() => parseServerList('a b c', 'f')).toThrow(/f, line 1: expected one server/);
  });

  it('lets no SOFTWARE and no reason begin a line of its own, and leaves the zeros of old servers out', async () => {
    const software = 'old\nPublic side  6.6.6.6:6\0\0\0';
    const server = { name: 'stun.example.net', addresses: ['40.30.20.10'], software };
    const asked = await stun(['--tcp', 'stun.example.net'], { servers: [server] });
    expect(asked.stdout).toContain('Software      old\\u000aPublic side  6.6.6.6:6\n');
    expect(asked.stdout.match(/^Public side/gm)).toHaveLength(1);
    const { stdout } = await stun(['--tcp', '--json', 'stun.example.net'], {
      servers: [{ ...server, software: 'old\0' }],
    });
    expect(JSON.parse(stdout).data.results[0].software).toBe('old');
  });

  it.each([
    ['300,000 servers', 'stun.example.net\n'.repeat(300_000), /line 10001: more than 10000 servers/],
    ['a list of 17 MiB', '# remark\n'.repeat(2_000_000), /too large: more than 16 MiB/],
  ])('refuses %s', async (_, list, message) => {
    const { status, stderr } = await stun(['--servers', 'list'], {}, { files: { list } });
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});

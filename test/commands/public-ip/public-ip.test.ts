import { describe, expect, it } from 'vitest';
import { createLab, type Lab, type LabOptions } from '../../../src/lab/topology.ts';
import { interruptible, play, run, tell, webServer, whoAmI } from '../worlds.ts';

const OK = 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n$IP\n';
const STUN = ['--stun', 'stun.example.net'];
const DNS = ['--dns', 'myip.example.net@41.0.0.1'];
const WEB = ['--url', 'http://42.0.0.1/'];

function world(options: LabOptions = {}): Lab {
  const lab = createLab({ rttMs: 40, patienceMs: 60_000, ...options });
  lab.addHost('D', ['41.0.0.1', '41.0.0.2']);
  lab.serve('D', (env) => whoAmI(env, '41.0.0.1'));
  lab.serve('D', (env) => whoAmI(env, '41.0.0.2', '66.66.66.66'));
  lab.addHost('W', ['42.0.0.1']);
  lab.serve('W', (env) => webServer(env, '42.0.0.1', 80, OK));
  lab.serve('W', (env) => webServer(env, '42.0.0.1', 81));
  lab.serve('W', (env) => webServer(env, '42.0.0.1', 443, OK));
  lab.system('W').tcp.certificates.add('ip.example.net');
  lab.zone.hosts.set('ip.example.net', ['42.0.0.1']);
  return lab;
}

describe('public-ip', () => {
  it('asks by every method, compares, and shows the row of the table', async () => {
    const lab = world();
    const { status, report } = await play(lab, (on) =>
      tell(on('A'), [
        'public-ip',
        ...STUN,
        ...DNS,
        '--dns',
        'txt:o-o.example.net@41.0.0.1',
        ...WEB,
        '--url',
        'https://ip.example.net/',
      ]),
    );
    expect(status).toBe(0);
    expect(report).toMatchObject({ schema: 'nat-tool/public-ip@1', outcome: 'complete', findings: [] });
    expect(report.data).toMatchObject({
      address: '12.13.14.15',
      port: 24604,
      agree: true,
      answers: [
        { method: 'stun', source: 'stun.example.net', address: '12.13.14.15', port: 24604, rttMs: 40 },
        { method: 'dns', source: 'myip.example.net@41.0.0.1', address: '12.13.14.15', port: null, rttMs: 40 },
        { method: 'dns', source: 'o-o.example.net@41.0.0.1', address: '12.13.14.15', port: null, rttMs: 40 },
        { method: 'https', source: 'http://42.0.0.1/', address: '12.13.14.15', port: null, rttMs: 40 },
        { method: 'https', source: 'https://ip.example.net/', address: '12.13.14.15', port: null, rttMs: 40 },
      ],
    });
    expect(report.data['table']).toEqual([
      { private: '192.168.1.3:42301', public: '12.13.14.15:24604', remote: '40.30.20.10:3478' },
    ]);
    expect(report.data['table']).toEqual(lab.table().filter((row) => row.remote === '40.30.20.10:3478'));
  });

  it.each([
    ['STUN', STUN, 40],
    ['DNS', DNS, 40],
    // A handshake, then the question.
    ['a web page', WEB, 80],
    ['the fastest of all', [...WEB, ...DNS, ...STUN], 40],
    [
      'STUN, with everything else down',
      [
        ...STUN,
        '--dns',
        'x@43.0.0.1',
        '--url',
        'http://42.0.0.1:81/',
        '--url',
        'http://43.0.0.1/',
        '--url',
        'http://42.0.0.1:9/',
      ],
      // Nobody confirms it: five round trips are waited for that.
      40 + 200,
    ],
    [
      'a web page by TLS, whatever the others do',
      ['--url', 'https://ip.example.net/', '--stun', '43.0.0.1', '--dns', 'x@42.0.0.1'],
      80,
    ],
  ])('--short takes no longer than %s', async (_, servers, ms) => {
    const lab = world();
    const result = await play(lab, (on) => run(['public-ip', '--short', ...servers], { env: on('A') }));
    expect(result).toEqual({ status: 0, stdout: '12.13.14.15\n', stderr: '' });
    expect(lab.world.now).toBe(ms);
  });

  it('prints the address alone when piped, the table on a terminal', async () => {
    const piped = await play(world(), (on) => run(['public-ip', ...STUN], { env: on('A') }));
    expect(piped).toEqual({ status: 0, stdout: '12.13.14.15\n', stderr: '' });
    const shown = await play(world(), (on) =>
      run(['public-ip', '--no-color', ...STUN, ...WEB], { env: on('A'), columns: 100 }),
    );
    expect(shown.stdout).toContain('Public address  12.13.14.15');
    expect(shown.stdout).toMatch(/192\.168\.1\.3:42301 \| 12\.13\.14\.15:24604 \| 40\.30\.20\.10:3478/);
    expect(shown.stdout).toContain('http://42.0.0.1/');
  });

  it('a dead method delays the comparison by little, and is reported', async () => {
    const lab = world();
    const { report } = await play(lab, (on) =>
      tell(on('A'), ['public-ip', '-w', '30', ...STUN, '--dns', 'x@43.0.0.1', '--url', 'http://42.0.0.1:9/']),
    );
    expect(report.data).toMatchObject({ address: '12.13.14.15', agree: true });
    expect(lab.world.now).toBeLessThan(1000);
    expect(report.findings.map(({ text }) => text)).toEqual([
      expect.stringContaining('http://42.0.0.1:9/: nothing listens on that port'),
    ]);
  });

  it('a name server that lies is found', async () => {
    const { status, report } = await play(world(), (on) =>
      tell(on('A'), ['public-ip', ...STUN, '--dns', 'x@41.0.0.2']),
    );
    expect(status).toBe(0);
    expect(report.data).toMatchObject({ address: '12.13.14.15', agree: false });
    expect(report.findings.map(({ kind }) => kind)).toEqual(['public-addresses-differ']);
  });

  it('nobody answers: exit 1, with every reason', async () => {
    const { status, report } = await play(world(), (on) =>
      tell(on('A'), [
        'public-ip',
        '-w',
        '1',
        '--stun',
        '43.0.0.1',
        '--dns',
        'x@42.0.0.1',
        '--stun',
        'nobody.example.net',
      ]),
    );
    expect(status).toBe(1);
    expect(report).toMatchObject({ outcome: 'failed', data: { address: null, port: null, answers: [], agree: false } });
    expect(report.findings.map(({ text }) => text).join('\n')).toMatch(
      /nobody\.example\.net: the name does not resolve[\s\S]*43\.0\.0\.1: no answer|43\.0\.0\.1: no answer[\s\S]*does not resolve/,
    );
  });

  it('no network: exit 1 at once', async () => {
    const lab = world({ offline: true });
    const { status, report } = await play(lab, (on) => tell(on('A'), ['public-ip']));
    expect(status).toBe(1);
    expect(lab.world.now).toBe(0);
    expect(report.findings.map(({ kind }) => kind)).toEqual(['no-network']);
  });

  it('with no server named it asks built-in ones, one after the other within a method', async () => {
    const lab = world({ names: { 'stun.l.google.com': ['40.30.20.10'] } });
    lab.addHost('G', ['216.239.32.10']);
    lab.serve('G', (env) => whoAmI(env, '216.239.32.10'));
    const { report } = await play(lab, (on) => tell(on('A'), ['public-ip', '--via', 'dns']));
    expect(report.data['answers']).toEqual([
      { method: 'dns', source: 'o-o.myaddr.l.google.com@216.239.32.10', address: '12.13.14.15', port: null, rttMs: 40 },
    ]);
    // OpenDNS was silent for the 300 ms after which the next is asked.
    expect(report.durationMs).toBe(340);
  });

  describe('families', () => {
    it('IPv4 is the answer where there is one, and IPv6 is told beside it', async () => {
      const { report } = await play(world({ ipv6: true }), (on) => tell(on('A'), ['public-ip', ...STUN]));
      expect(report.data).toMatchObject({
        address: '12.13.14.15',
        ipv4: '12.13.14.15',
        ipv6: '2001:db8:1::3',
        agree: true,
      });
    });

    it('-6 asks by IPv6 alone, -4 by IPv4 alone', async () => {
      const six = await play(world({ ipv6: true }), (on) => tell(on('A'), ['public-ip', '-6', ...STUN]));
      expect(six.report.data).toMatchObject({ address: '2001:db8:1::3', ipv4: null, ipv6: '2001:db8:1::3' });
      const four = await play(world({ ipv6: true }), (on) => tell(on('A'), ['public-ip', '-4', ...STUN]));
      expect(four.report.data).toMatchObject({ address: '12.13.14.15', ipv6: null });
      expect((await play(world(), (on) => tell(on('A'), ['public-ip', '-6', ...STUN]))).status).toBe(1);
    });

    it('a local address chooses its family', async () => {
      const { report } = await play(world({ ipv6: true }), (on) =>
        tell(on('A'), ['public-ip', '-s', '2001:db8:1::3', ...STUN]),
      );
      expect(report.data).toMatchObject({ address: '2001:db8:1::3', ipv4: null });
    });
  });

  describe('--watch', () => {
    it('prints a line when the address changes, and stops at Ctrl-C', async () => {
      const lab = world();
      const { signal, interrupt } = interruptible();
      const result = await play(lab, async (on, later) => {
        const watching = tell(on('A'), ['public-ip', '--watch', '60', ...STUN], { signal });
        await later(150_000);
        interrupt();
        return watching;
      });
      expect(result.status).toBe(130);
      expect(result.events).toEqual([
        { event: 'address', at: '2024-01-01T00:00:00.040Z', address: '12.13.14.15', previous: null },
      ]);
      expect(result.report).toMatchObject({ outcome: 'partial', data: { address: '12.13.14.15' } });
      const plain = interruptible();
      const lines = await play(world(), async (on, later) => {
        const watching = run(['public-ip', '--watch=1', ...STUN], { env: on('A'), signal: plain.signal });
        await later(5000);
        plain.interrupt();
        return watching;
      });
      expect(lines.stdout).toBe('12.13.14.15\n');
    });
  });

  it('Ctrl-C half way: what is known is printed', async () => {
    const { signal, interrupt } = interruptible();
    const { status, report } = await play(world(), async (on, later) => {
      const asking = tell(on('A'), ['public-ip', ...STUN, '--url', 'http://42.0.0.1:81/'], { signal });
      await later(100);
      interrupt();
      return asking;
    });
    expect(status).toBe(130);
    expect(report).toMatchObject({ outcome: 'partial', data: { address: '12.13.14.15' } });
    expect(report.findings.map(({ kind }) => kind)).toEqual(['interrupted']);
  });

  it.each([
    [['--dns', 'nothing'], '--dns: expected NAME@SERVER'],
    [['--url', 'ftp://x/'], '--url: expected a URL that begins with https: or http:'],
    [['--url', 'x'], '--url: expected a URL'],
    [['--via', 'smoke'], '--via: expected stun, dns, https'],
    [['--stun', 'stuns:x.example.net'], 'stuns: is STUN over TLS'],
    [['--via', 'dns', '--stun', 'x'], '--via leaves out stun'],
    [['--watch', '0'], '--watch: expected seconds'],
    [['--watch=0.0001'], '--watch: expected seconds, at least 1 '],
  ])('misuse %j', async (words, message) => {
    const { status, stdout, stderr } = await run(['public-ip', ...words]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(message);
  });
});

describe('answers that are no public address', () => {
  const says = (body: string, status = '200 OK'): Lab => {
    const lab = world();
    lab.addHost('L', ['42.0.0.9']);
    lab.serve('L', (env) => webServer(env, '42.0.0.9', 80, `HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n${body}`));
    lab.serve('L', (env) => webServer(env, '42.0.0.9', 443, `HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n${body}`));
    lab.system('L').tcp.certificates.add('lie.example.net');
    lab.zone.hosts.set('lie.example.net', ['42.0.0.9']);
    return lab;
  };

  it.each([
    '192.168.1.1',
    '10.1.2.3',
    '100.64.9.9',
    '0.0.0.0',
    '127.0.0.1',
    '169.254.1.1',
    '224.0.0.1',
    '255.255.255.255',
    '::ffff:192.168.1.1',
    '::1%; rm -rf $HOME',
    'fe80::1%eth0',
    '12.13.14.15%\u001b[2J',
    'ip=::1%x\u001b[2J',
    '2001:db8::7',
  ])('%j is none', async (body) => {
    for (const url of ['http://42.0.0.9/', 'https://lie.example.net/']) {
      const { status, report } = await play(says(body), (on) => tell(on('A'), ['public-ip', '-4', '--url', url]));
      expect({ status, address: report.data['address'], answers: report.data['answers'] }).toEqual({
        status: 1,
        address: null,
        answers: [],
      });
      expect(JSON.stringify(report)).not.toContain('rm -rf');
    }
  });

  it('::ffff:a.b.c.d is a.b.c.d', async () => {
    const { report } = await play(says('::ffff:12.13.14.15\n'), (on) =>
      tell(on('A'), ['public-ip', '-4', '--url', 'https://lie.example.net/', ...STUN]),
    );
    expect(report.data).toMatchObject({ address: '12.13.14.15', agree: true });
  });

  it.each([
    ['200 OK', '<html>Welcome! Sign in'],
    ['302 Found', ''],
    ['511 Network Authentication Required', ''],
    ['200 OK', '192.168.1.1'],
  ])('a captive portal is named as one: %s %j', async (status, body) => {
    const { report } = await play(says(body, status), (on) =>
      tell(on('A'), ['public-ip', '--url', 'http://42.0.0.9/']),
    );
    expect(report.findings.map(({ kind }) => kind)).toContain('captive-portal');
  });

  it('a server that leads to another page of its own is no portal', async () => {
    const lab = createLab({ rttMs: 40, patienceMs: 60_000 });
    lab.addHost('L', ['42.0.0.9']);
    lab.serve('L', (env) =>
      webServer(
        env,
        '42.0.0.9',
        80,
        'HTTP/1.1 301 Moved\r\nLocation: https://42.0.0.9/ip\r\nConnection: close\r\n\r\n',
      ),
    );
    const { report } = await play(lab, (on) => tell(on('A'), ['public-ip', '--url', 'http://42.0.0.9/']));
    expect(report.findings.map(({ kind }) => kind)).toEqual(['sources-failed']);
  });

  it('a hijacked name server is not believed because the others are slow', async () => {
    const lab = world({
      servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10', '40.30.20.11'], faults: ['slow'] }],
    });
    const { report } = await play(lab, (on) => tell(on('A'), ['public-ip', '--dns', 'x@41.0.0.2', ...STUN]));
    expect(report.data).toMatchObject({ address: '12.13.14.15', agree: false });
  });

  it('what a captive portal says is never published', async () => {
    const lab = says('192.168.1.1');
    const { signal, interrupt } = interruptible();
    const shells: string[] = [];
    const result = await play(lab, async (on, later) => {
      const running = run(['public-ip', '--watch', '1', '--exec', 'publish', '--url', 'http://42.0.0.9/'], {
        env: on('A'),
        signal,
        shell: async (line) => {
          shells.push(line);
          return 0;
        },
      });
      await later(3500);
      interrupt();
      return running;
    });
    expect(shells).toEqual([]);
    expect(result.stdout).toBe('');
  });
});

describe('a name server that answers in the place of another', () => {
  const FORGED = ['--dns', 'x@41.0.0.2'];

  it.each([
    ['STUN', STUN],
    ['HTTPS', ['--url', 'https://ip.example.net/']],
    ['both', [...STUN, '--url', 'https://ip.example.net/']],
  ])('is outvoted by %s, in every form', async (_, others) => {
    for (const form of [['--short'], []] as const) {
      const lab = world();
      const { stdout, status } = await play(lab, (on) =>
        run(['public-ip', ...form, ...FORGED, ...others], { env: on('A') }),
      );
      expect({ stdout, status }).toEqual({ status: 0, stdout: '12.13.14.15\n' });
    }
    const { report } = await play(world(), (on) => tell(on('A'), ['public-ip', ...FORGED, ...others]));
    expect(report.data).toMatchObject({ address: '12.13.14.15', ipv4: '12.13.14.15', agree: false });
  });

  it.each([
    ['it', FORGED],
    ['plain HTTP', WEB],
    ['both', [...FORGED, ...WEB]],
  ])('is not believed alone, where others were asked: %s', async (_, plain) => {
    const dead = ['--stun', '43.0.0.1', '--url', 'https://43.0.0.1/'];
    const short = await play(world(), (on) =>
      run(['public-ip', '--short', '-w', '2', ...plain, ...dead], { env: on('A') }),
    );
    expect(short).toMatchObject({ status: 1, stdout: '' });
    expect(short.stderr).toContain('anybody on the way can forge');
    const { report } = await play(world(), (on) => tell(on('A'), ['public-ip', '-w', '2', ...plain, ...dead]));
    expect(report.findings.map(({ kind }) => kind)).toContain('address-unconfirmed');
  });
});

describe('a name with several addresses', () => {
  it.each([
    ['STUN', 'stun.two.example', ['--stun', 'stun.two.example:3478'], '40.30.20.10'],
    ['the name server', 'ns.two.example', ['--dns', 'x@ns.two.example'], '41.0.0.1'],
    ['the web server', 'www.two.example', ['--url', 'http://www.two.example/'], '42.0.0.1'],
  ])('is gone through where the first is dead: %s', async (_, name, words, alive) => {
    const lab = world();
    lab.zone.hosts.set(name, ['43.0.0.1', alive]);
    const { status, report } = await play(lab, (on) => tell(on('A'), ['public-ip', '-4', ...words]));
    expect(status).toBe(0);
    expect(report.data['address']).toBe('12.13.14.15');
  });
});

/** `public-ip` behind a kernel NAT: our STUN server, Debian's dnsmasq, and a web server, each right by itself and all together. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Host, Internet, type Site } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, natTool, report, startServe } from './tool.ts';

const STUN = '40.30.20.10:3478';
const DNS = '41.30.20.10';
const WEB = '42.30.20.10';

/** Tells who asks, on 80; on 81 accepts and says nothing; on 82 answers like a captive portal. */
const WEB_SERVER = `
  const http = require('node:http');
  const say = (port, handle) => new Promise((done) => http.createServer(handle).listen(port, '0.0.0.0', done));
  Promise.all([
    say(80, (asked, answer) => answer.end((asked.url === '/trace' ? 'fl=1\\nip=' : '') + asked.socket.remoteAddress + '\\n')),
    say(81, () => {}),
    say(82, (_, answer) => answer.writeHead(302, { location: 'http://portal/' }).end('<html>')),
  ]).then(() => console.log('ready'));`;

interface Told {
  readonly method: string;
  readonly source: string;
  readonly address: string;
}

describeKernel('public-ip through a kernel NAT', ['nat-tool', 'dnsmasq'], () => {
  let internet: Internet;
  let site: Site;
  let web: Host;
  const servers: Running[] = [];

  beforeAll(async () => {
    internet = await Internet.create();
    site = await internet.site('p', { kind: 'port-restricted-cone' });
    servers.push(await startServe(await internet.host('s', ['40.30.20.10', '40.30.20.11'])));
    const own = site.router.address;
    const dns = await internet.host('d', [DNS]);
    servers.push(
      dns.start([
        'dnsmasq',
        '--no-daemon',
        '--conf-file=/dev/null',
        '--no-hosts',
        '--no-resolv',
        '--user=root',
        '--log-facility=-',
        `--listen-address=${DNS}`,
        '--bind-interfaces',
        '--pid-file=',
        `--host-record=myip.opendns.com,${own}`,
        `--txt-record=o-o.myaddr.l.google.com,${own}`,
        '--host-record=hijacked.example.net,66.66.66.66',
      ]),
    );
    web = await internet.host('w', [WEB]);
    const http = web.start(['node', '-e', WEB_SERVER]);
    servers.push(http);
    await http.until(/ready/);
    await servers[1]?.until(/started/);
  });
  afterAll(async () => {
    await Promise.all(servers.map((each) => each.stop()));
    internet?.close();
  });

  it('all methods agree, and the table is the kernel’s', async () => {
    const args = [
      'public-ip',
      '-p',
      '12001',
      '--stun',
      STUN,
      '--dns',
      `myip.opendns.com@${DNS}`,
      '--dns',
      `txt:o-o.myaddr.l.google.com@${DNS}`,
      '--url',
      `http://${WEB}/`,
      '--url',
      `http://${WEB}/trace`,
    ];
    const { code, report: told } = await report(site.client, args);
    const address = site.router.address;
    expect(code).toBe(0);
    expect(told.data).toMatchObject({ address, port: 12001, agree: true, ipv4: address, ipv6: null });
    const answers = told.data['answers'] as Told[];
    expect(answers.map((each) => [each.method, each.source, each.address]).sort()).toEqual(
      [
        ['dns', `myip.opendns.com@${DNS}`, address],
        ['dns', `o-o.myaddr.l.google.com@${DNS}`, address],
        ['https', `http://${WEB}/`, address],
        ['https', `http://${WEB}/trace`, address],
        ['stun', STUN, address],
      ].sort(),
    );
    expect(told.data['table']).toEqual(
      (await site.router.table()).filter((row) => row.private === '192.168.1.3:12001'),
    );
    expect(told.findings).toEqual([]);
  });

  it.each([
    ['stun', ['--stun', STUN]],
    ['dns', ['--dns', `myip.opendns.com@${DNS}`]],
    ['a TXT record', ['--dns', `txt:o-o.myaddr.l.google.com@${DNS}`]],
    ['a web page', ['--url', `http://${WEB}/`]],
    [
      'STUN, with a dead web server and a dead name server beside it',
      ['--stun', STUN, '--url', `http://${WEB}:81/`, '--dns', `x.example.net@${WEB}`],
    ],
  ])('prints one line and nothing else, by %s', async (_, servers) => {
    // Whoever waited for the dead ones would not end.
    const { code, stdout, stderr } = await natTool(site.client, ['public-ip', '--short', '-w', '3600', ...servers]);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${site.router.address}\n`, stderr: '' });
  });

  it('prints the same when piped, with no option', async () => {
    const { stdout } = await site.client.run([
      'sh',
      '-c',
      'IP=$(node "$0" "$@"); printf "<%s>" "$IP"',
      bin,
      'public-ip',
      '--stun',
      STUN,
    ]);
    expect(stdout).toBe(`<${site.router.address}>`);
  });

  it('a name server that answers in another’s place is found by the disagreement', async () => {
    const { code, report: told } = await report(site.client, [
      'public-ip',
      '--stun',
      STUN,
      '--dns',
      `hijacked.example.net@${DNS}`,
    ]);
    expect(code).toBe(0);
    expect(told.data).toMatchObject({ agree: false });
    expect(told.findings).toEqual([
      expect.objectContaining({
        kind: 'public-addresses-differ',
        text: expect.stringMatching(/66\.66\.66\.66 by dns/),
      }),
    ]);
  });

  it('--watch --exec tells the address to a command, and stops at Ctrl-C', async () => {
    const watching = site.client.start([
      'node',
      bin,
      'public-ip',
      '--stun',
      STUN,
      '--watch',
      '1',
      '--exec',
      'echo "now $NAT_TOOL_ADDRESS before <$NAT_TOOL_PREVIOUS>"',
    ]);
    await watching.until(/now .*\n/);
    watching.signal('SIGINT');
    const { code, stdout, stderr } = await watching.finished;
    expect({ code, stdout }).toEqual({ code: 130, stdout: `${site.router.address}\n` });
    expect(stderr).toContain(`now ${site.router.address} before <>\n`);
  });

  it('nobody answers: a captive portal, a closed port and an unknown name, each with its reason', async () => {
    const { code, report: told } = await report(site.client, [
      'public-ip',
      '--url',
      `http://${WEB}:82/`,
      '--url',
      `http://${WEB}:83/`,
      '--dns',
      `unknown.example.net@${DNS}`,
      '--stun',
      `${WEB}:3478`,
    ]);
    expect(code).toBe(1);
    expect(told.outcome).toBe('failed');
    const texts = told.findings.map(({ text }) => text).join('\n');
    expect(texts).toContain('status 302');
    expect(texts).toMatch(/refused/);
    expect(texts).toMatch(/name server answered: (?:refused|no such name)/);
  });
});

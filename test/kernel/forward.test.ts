/** Other programs' ports through a hole: TCP with many connections and half-closed ones, UDP with several senders, ssh. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Internet, type Site } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, natTool, startServe } from './tool.ts';

const SERVER = '40.30.20.10';

/** Answers what it was asked, in capitals, once the asker has ended; GET over HTTP: the path, a thousand times. */
const SERVER_JS = `
const net = require('node:net'), http = require('node:http');
http.createServer((q, a) => a.end(q.url.repeat(1000))).listen(8080, '127.0.0.1');
net.createServer({ allowHalfOpen: true }, (s) => {
  let text = ''; s.setEncoding('utf8').on('data', (t) => (text += t)).on('end', () => s.end(text.toUpperCase())).on('error', () => {});
}).listen(9090, '127.0.0.1', () => console.log('ready'));
`;
const CLIENT_JS = `
const net = require('node:net');
const get = async (i) => (await (await fetch('http://127.0.0.1:8081/' + i)).text()) === ('/' + i).repeat(1000);
const half = () => new Promise((done) => {
  let text = ''; const s = net.connect({ port: 9090, host: '127.0.0.1', allowHalfOpen: true }, () => s.end('half '.repeat(50000)));
  s.setEncoding('utf8').on('data', (t) => (text += t)).on('end', () => done(text === 'HALF '.repeat(50000)));
});
Promise.all([...Array.from({ length: 100 }, (_, i) => get(i)), half()]).then((all) => console.log('good', all.filter(Boolean).length));
`;

describeKernel('forwarding', ['nat-tool', 'nft', 'ssh', 'ssh-keygen', 'sshd'], () => {
  let internet: Internet;
  let server: Running;
  let folder: string;
  let sites = 0;

  beforeAll(async () => {
    internet = await Internet.create();
    server = await startServe(await internet.host('s', [SERVER, '40.30.20.11']));
    folder = mkdtempSync(`${tmpdir()}/nat-tool-forward-`);
    writeFileSync(`${folder}/server.cjs`, SERVER_JS);
    writeFileSync(`${folder}/client.cjs`, CLIENT_JS);
  });
  afterAll(async () => {
    await server?.stop();
    internet?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  const site = (): Promise<Site> => internet.site(`f${sites++}`, { kind: 'port-restricted-cone' });

  async function forward(
    a: Site,
    b: Site,
    here: readonly string[],
    there: readonly string[],
  ): Promise<readonly Running[]> {
    const code = (await natTool(a.client, ['connect', '--generate'])).stdout.trim();
    const start = ({ client }: Site, ports: readonly string[]): Running =>
      client.start(['node', bin, 'connect', '--server', SERVER, code, ...ports.flatMap((port) => ['--forward', port])]);
    const both = [start(a, here), start(b, there)];
    const last = new RegExp(`(?:Forwarding[^\\n]*\\n[\\s\\S]*){${here.length}}`);
    await Promise.all(both.map((each) => each.until(last)));
    return both;
  }

  it('a hundred requests over HTTP at once, and one that is half-closed, beside UDP', async () => {
    const [a, b] = [await site(), await site()];
    const program = b.client.start(['node', `${folder}/server.cjs`]);
    await program.until(/ready/);
    const echo = b.client.start(['node', bin, 'listen', '--echo', '-k', '-p', '7777']);
    await echo.until(/listening/i);
    const both = await forward(a, b, ['8081:8080/tcp', '9090/tcp', '7777/udp'], ['8080/tcp', '9090/tcp', '7777']);
    const { stdout, stderr } = await a.client.run(['node', `${folder}/client.cjs`]);
    expect(stdout, stderr).toBe('good 101\n');
    // Two that send into the tunnel by turns: each hears its own answers.
    const lines = (word: string): string => `${word}\n`.repeat(5);
    const sends = ['one', 'two'].map((word) =>
      a.client.run(['node', bin, 'send', '--line', '--rate', '20', '-w', '1', '127.0.0.1', '7777'], {
        stdin: lines(word),
      }),
    );
    const [one, two] = await Promise.all(sends);
    expect([one?.stdout, two?.stdout]).toEqual([lines('one'), lines('two')]);
    await Promise.all([...both, program, echo].map((each) => each.stop()));
  });

  it('ssh, with a key of its own', async () => {
    const [a, b] = [await site(), await site()];
    for (const key of ['host', 'user'])
      await b.client.must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', `${folder}/${key}`]);
    const options = [
      'Port 2200',
      'ListenAddress 127.0.0.1',
      `HostKey ${folder}/host`,
      'StrictModes no',
      'PidFile none',
    ];
    writeFileSync(`${folder}/sshd`, [...options, `AuthorizedKeysFile ${folder}/user.pub`, 'UsePAM no', ''].join('\n'));
    const daemon = b.client.start(['sh', '-c', `mkdir -p /run/sshd; exec /usr/sbin/sshd -D -e -f ${folder}/sshd`]);
    await daemon.until(/listening/);
    const both = await forward(a, b, ['2222:22/tcp'], ['2200:22/tcp']);
    const ssh = ['ssh', '-p', '2222', '-i', `${folder}/user`, '-o', 'StrictHostKeyChecking=no', '-o', 'BatchMode=yes'];
    const known = ['-o', `UserKnownHostsFile=${folder}/known`, 'root@127.0.0.1'];
    const { stdout, stderr } = await a.client.run([...ssh, ...known, 'head -c 2000000 /dev/zero | wc -c; cat'], {
      stdin: 'through the hole',
    });
    expect(stdout, stderr).toBe('2000000\nthrough the hole');
    await Promise.all([...both, daemon].map((each) => each.stop()));
  });

  it('where the other side is gone, connections break', async () => {
    const [a, b] = [await site(), await site()];
    const program = b.client.start(['node', `${folder}/server.cjs`]);
    await program.until(/ready/);
    const [near, far] = await forward(a, b, ['9090/tcp'], ['9090/tcp']);
    const js = `const s = require('node:net').connect(9090, '127.0.0.1', () => (s.write('x'), console.log('open')));
      s.on('error', (e) => console.log(e.code)).on('close', () => process.exit());`;
    const open = a.client.start(['node', '-e', js]);
    await open.until(/open/);
    far?.signal('SIGTERM');
    expect((await open.finished).stdout).toMatch(/ECONNRESET/);
    await Promise.all([near, far, program].map((each) => each?.stop()));
  });
});

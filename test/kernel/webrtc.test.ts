/** `webrtc` and a real browser, each where browsers stand: on this host, behind NATs, where UDP does not pass. */
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Chromium, type Tab } from './chromium.ts';
import { type Host, Internet, type Site } from './internet.ts';
import type { NatKind } from './nat.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { LOGIN, startTurnCoturn } from './turn-coturn.ts';
import { bin, type Json, startServe } from './tool.ts';

const [STUN, TURN] = ['40.30.20.10', '50.0.0.1'];
const PORT = 8080;

interface Data {
  readonly cause: string | null;
  readonly selected: { readonly local: string; readonly remote: string; readonly relayed: boolean } | null;
  readonly remote: { readonly nat: string | null; readonly candidates: readonly { type: string; address: string }[] };
  readonly local: Data['remote'];
  readonly channel: {
    readonly loss: { readonly up: number; readonly down: number } | null;
    readonly mbitPerSecond: { readonly up: number; readonly down: number } | null;
  } | null;
  readonly elapsedMs: number | null;
}

interface Checked {
  readonly code: number | null;
  readonly report: Json;
  readonly data: Data;
  /** What the page said in the end. */
  readonly page: string;
}

/** What ends a page's work. */
const FINISHED = "!document.getElementById('result').hidden";
const TEXT = 'document.body.innerText';

/** Whether a process has these bytes anywhere in memory that it can write. */
function memoryHas(pid: number, text: string): boolean {
  const wanted = Buffer.from(text);
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from = '0', to = '0'] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      const [start, end] = [Number.parseInt(from, 16), Number.parseInt(to, 16)];
      for (let at = start; at < end; at += 1 << 24) {
        const piece = Buffer.alloc(Math.min(end - at, (1 << 24) + wanted.length));
        try {
          readSync(memory, piece, 0, piece.length, at);
        } catch {
          continue; // not there
        }
        if (piece.includes(wanted)) return true;
      }
    }
    return false;
  } finally {
    closeSync(memory);
  }
}

describeKernel('webrtc and a browser', ['nat-tool', 'chromium', 'turnserver'], () => {
  let internet: Internet;
  let servers: Running;
  let turn: Host;
  const browsers: Chromium[] = [];
  const tools: Running[] = [];

  beforeAll(async () => {
    internet = await Internet.create();
    const stun = await internet.host('s', [STUN, '40.30.20.11']);
    turn = await internet.host('t', [TURN]);
    servers = await startServe(stun);
  });
  afterEach(async () => {
    for (const browser of browsers.splice(0)) await browser.close();
    for (const tool of tools.splice(0)) await tool.stop();
  });
  afterAll(async () => {
    await servers?.stop();
    internet?.close();
  });

  /** A site whose router leads TCP port 8080 to its client. */
  async function site(name: string, kind: NatKind, client: string, wan: string): Promise<Site> {
    const made = await internet.site(name, { kind, client, wan });
    await made.router.must(['nft', '-f', '-'], {
      stdin: `table ip web { chain pre { type nat hook prerouting priority dstnat - 1; iifname "wan" tcp dport ${PORT} dnat to ${client}; }; }`,
    });
    return made;
  }

  async function start(
    host: Host,
    words: readonly string[],
    env?: NodeJS.ProcessEnv,
  ): Promise<{ tool: Running; url: string }> {
    const tool = host.start(['node', bin, 'webrtc', '--json', '--stun', STUN, ...words], env ? { env } : {});
    tools.push(tool);
    const [, url = ''] = await tool.until(/(http:\/\/\S+\/)\s/);
    return { tool, url };
  }

  async function browse(host: Host, url: string, flags?: readonly string[]): Promise<Tab> {
    const browser = await Chromium.start(host, flags);
    browsers.push(browser);
    return browser.open(url);
  }

  async function outcome(tool: Running, tab?: Tab): Promise<Checked> {
    if (tab) await tab.until(FINISHED);
    const page = (await tab?.evaluate<string>(TEXT)) ?? '';
    const { code, stdout, stderr } = await tool.finished;
    if (!stdout.startsWith('{')) throw new Error(`exit ${code}: ${stderr}`);
    const report = JSON.parse(stdout) as Json;
    return { code, report, data: report.data as unknown as Data, page };
  }

  describe('on one host', () => {
    let here: Host;
    beforeAll(async () => {
      ({ client: here } = await internet.site('h', { kind: 'port-restricted-cone', client: '192.168.9.3' }));
    });

    it('connects, though the browser hides its address, and measures', async () => {
      const { tool, url } = await start(here, []);
      const { code, data, report, page } = await outcome(tool, await browse(here, url));
      expect(data).toMatchObject({ cause: null, selected: { relayed: false }, local: { nat: 'endpoint-independent' } });
      expect(data.selected?.remote).toMatch(/^192\.168\.9\.3:/);
      expect(data.remote.candidates.map(({ address }) => address).join()).toMatch(/\.local:/);
      expect(data.remote.nat).toBe('endpoint-independent');
      expect(data.channel?.loss).toEqual({ up: 0, down: 0 });
      expect(data.channel?.mbitPerSecond?.up).toBeGreaterThan(0);
      expect(data.channel?.mbitPerSecond?.down).toBeGreaterThan(0);
      expect(report.findings.map(({ kind }) => kind)).toEqual(['webrtc-hidden']);
      expect(page).toMatch(/WebRTC works: directly[\s\S]*NAT forwarding table[\s\S]*12\.13\./);
      expect(code).toBe(0);
    });

    it('serves a page that is loaded anew: the last one counts', async () => {
      const { tool, url } = await start(here, []);
      const tab = await browse(here, url);
      await tab.until("document.querySelector('[data-state=done]')");
      await tab.reload();
      const { code, data } = await outcome(tool, tab);
      expect([code, data.cause]).toEqual([0, null]);
    });

    it('serves a page that is opened twice: the first one is told', async () => {
      const { tool, url } = await start(here, []);
      const first = await browse(here, url);
      await first.until("document.querySelector('[data-state=done]')");
      const second = await (browsers[0] as Chromium).open(url);
      await first.until("/another window/.test(document.getElementById('status').textContent)");
      const { code, data } = await outcome(tool, second);
      expect([code, data.cause]).toEqual([0, null]);
    });

    it('tells of a page that was closed half way', async () => {
      const { tool, url } = await start(here, []);
      const tab = await browse(here, url);
      await tab.until("document.querySelector('[data-state=done]')");
      await tab.close();
      const { code, data, report } = await outcome(tool);
      expect([code, data.cause]).toEqual([3, 'browser-left']);
      expect(report.findings.map(({ kind }) => kind)).toContain('webrtc-browser-left');
    });

    const CAMERA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

    it('shows the camera, and stops cleanly', async () => {
      const { tool, url } = await start(here, ['--camera', '80x30', '--no-throughput']);
      const tab = await browse(here, url, CAMERA);
      await tab.until("document.getElementById('video').currentTime > 4");
      tool.signal('SIGINT');
      const { code, report, data } = await outcome(tool, tab);
      const camera = report.data['camera'] as {
        frames: number;
        missed: number;
        width: number;
        framesPerSecond: number;
      };
      expect([code, report.outcome, data.cause]).toEqual([0, 'complete', null]);
      expect(camera).toMatchObject({ width: 80, height: 30, why: null });
      expect(camera.frames).toBeGreaterThan(30);
      expect(camera.missed).toBeLessThan(camera.frames / 10);
      console.log(`camera: ${camera.frames} frames, ${camera.missed} missed, ${camera.framesPerSecond} a second`);
    });

    it('draws the camera in a terminal by letters of its own, and gives the terminal back', async () => {
      const line = `exec node ${bin} webrtc --stun ${STUN} --no-throughput --color --camera 40x15`;
      const tool = here.start(['script', '-qefc', line, '/dev/null']);
      tools.push(tool);
      const [, url = ''] = await tool.until(/(http:\/\/\S+\/)\s/);
      const tab = await browse(here, url, CAMERA);
      await tab.until("document.getElementById('video').currentTime > 2");
      tool.write('\u0003');
      const { stdout } = await tool.finished;
      const drawn = stdout.slice(stdout.indexOf('\u001b[?25l'), stdout.indexOf('^C'));
      expect(drawn.split('\u001b[H').length).toBeGreaterThan(10);
      expect(drawn).toMatch(/^(?:[ .:=+*#%@-]|\r\n|\u001b\[(?:\?25l|2J|H|K|0m|38;2;\d+;\d+;\d+m))+$/);
      expect(stdout).toMatch(/Camera +\d+ frames of 40x15/);
    });

    it('says on the page why there is no camera on plain http', async () => {
      const { tool, url } = await start(here, ['--listen', '192.168.9.3', '--camera', '--no-throughput']);
      const tab = await browse(here, url, CAMERA);
      const { code, report } = await outcome(tool, tab);
      expect(report.findings.find(({ kind }) => kind === 'webrtc-no-camera')?.text).toMatch(/https/);
      expect(await tab.evaluate(TEXT)).toMatch(/only to pages that come over https/);
      expect(code).toBe(0);
    });

    it('gives nothing to a page of others, whatever name leads there', async () => {
      const { tool, url } = await start(here, []);
      const { origin, pathname, port } = new URL(url);
      const tab = await browse(here, 'about:blank', [`--host-resolver-rules=MAP evil.example.net 127.0.0.1`]);
      const asked = (path: string, options = '{}'): Promise<string> =>
        tab.evaluate(`fetch('${path}', ${options}).then((r) => 'status ' + r.status, (e) => 'refused')`);
      // From a page without an origin: what it asks is not answered to it.
      expect(await asked(`${origin}${pathname}`)).toBe('refused');
      const post = `{ method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: '{"sdp":""}' }`;
      expect(await asked(`${origin}${pathname}offer`, post)).toBe('refused');
      // A stranger's name that leads here, with the secret and all.
      const rebound = await (browsers[0] as Chromium).open(`http://evil.example.net:${port}${pathname}`);
      await rebound.until("document.readyState === 'complete' && location.hostname === 'evil.example.net'");
      expect(await rebound.evaluate("Boolean(document.getElementById('setup'))")).toBe(false);
      const right = await (browsers[0] as Chromium).open(url);
      expect((await outcome(tool, right)).data.cause).toBeNull();
    });
  });

  describe('at a server, for a browser anywhere', () => {
    const WEB = '40.30.20.30';
    const directory = mkdtempSync(join(tmpdir(), 'nat-tool-web-'));
    const [cert, key] = [join(directory, 'crt'), join(directory, 'key')];
    let server: Host;
    let web: Running;
    let here: Site;
    let there: Site;

    beforeAll(async () => {
      server = await internet.host('w', [WEB]);
      [here, there] = await Promise.all([
        internet.site('wa', { kind: 'port-restricted-cone', client: '192.168.1.3', wan: '12.13.16.1' }),
        internet.site('wb', { kind: 'port-restricted-cone', client: '192.168.2.3', wan: '12.13.16.2' }),
      ]);
      await server.must([
        ...[
          'openssl',
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:prime256v1',
          '-nodes',
          '-days',
          '2',
        ],
        ...['-subj', '/CN=web', '-addext', `subjectAltName=IP:${WEB}`, '-keyout', key, '-out', cert],
      ]);
      web = server.start([
        'node',
        bin,
        'serve',
        '--json',
        '-v',
        '-s',
        WEB,
        '--web',
        `${WEB}:443`,
        '--cert',
        cert,
        '--key',
        key,
      ]);
      await web.until(/"web"/);
    });
    afterAll(async () => {
      await web?.stop();
      rmSync(directory, { recursive: true, force: true });
    });

    async function begin(): Promise<{ tool: Running; url: string }> {
      const words = ['--json', '--stun', STUN, '--server', `https://${WEB}`, '--cafile', cert, '--no-throughput'];
      const tool = here.client.start(['node', bin, 'webrtc', ...words]);
      tools.push(tool);
      const [, url = ''] = await tool.until(/(https:\/\/\S+#\S+)\s/);
      return { tool, url };
    }
    const trusting = ['--ignore-certificate-errors'];
    const said = (tab: Tab): Promise<string> => tab.evaluate("document.getElementById('status').textContent");

    it('connects by a link whose code the server never sees, and which is good for one', async () => {
      const { tool, url } = await begin();
      const tab = await browse(there.client, url, trusting);
      const { code, data, page } = await outcome(tool, tab);
      expect([code, data.cause, data.selected?.relayed]).toEqual([0, null, false]);
      expect(data.selected?.remote).toMatch(/^12\.13\.16\.2:/);
      expect(page).toMatch(/WebRTC works: directly/);
      const [, secret = ''] = url.split('#');
      expect(web.stdout() + web.stderr()).not.toContain(secret.slice(0, 5));
      expect(web.stdout() + web.stderr()).not.toMatch(/candidate:|ice-ufrag|fingerprint/);
      // The same link again.
      const late = await (browsers[0] as Chromium).open(`about:blank`);
      await late.evaluate(`location.href = ${JSON.stringify(url)}`).catch(() => {});
      await late.until("/good for nothing any more/.test(document.getElementById('status')?.textContent)");
    });

    it('keeps what is said from the server: nothing of it is in its memory', async () => {
      const { tool, url } = await begin();
      const tab = await browse(there.client, url, trusting);
      await tab.until("document.querySelectorAll('[data-state=done]').length > 1");
      const [child] = readFileSync(`/proc/${web.pid}/task/${web.pid}/children`, 'utf8').trim().split(' ');
      const pid = Number(child || web.pid);
      const [room] = await tab.evaluate<string[]>("Object.keys(sessionStorage).map((each) => each.split(' ')[1])");
      // What the server does hold is found by the same search.
      expect(memoryHas(pid, room ?? '?')).toBe(true);
      expect(memoryHas(pid, 'a=ice-pwd:')).toBe(false);
      expect(memoryHas(pid, url.split('#')[1] ?? '?')).toBe(false);
      expect((await outcome(tool, tab)).data.cause).toBeNull();
    });

    it('turns away a third visitor, a wrong code and a broken one, and says so', async () => {
      const { tool, url } = await begin();
      const tab = await browse(there.client, url, trusting);
      await tab.until("document.querySelectorAll('[data-state=done]').length > 0");
      // Another tab is another visitor: what a tab keeps is its own.
      const visit = async (link: string): Promise<string> => {
        const third = await (browsers[0] as Chromium).open(link);
        await third.until("document.getElementById('status')?.classList.contains('bad')");
        return said(third);
      };
      expect(await visit(url)).toMatch(/opened this link already|good for nothing/);
      expect(await visit(url.replace(/#.*/, '#00000-00000-00000-00000'))).toMatch(/good for nothing/);
      expect(await visit(url.replace(/#.*/, '#nonsense'))).toMatch(/not whole/);
      expect((await outcome(tool, tab)).data.cause).toBeNull();
    });
  });

  describe('behind NATs', () => {
    const TERMINAL = '192.168.1.3';
    const BROWSER = '192.168.2.3';
    const WAN = '12.13.14.100';
    let count = 0;

    async function pair(
      terminal: NatKind,
      browser: NatKind,
      words: readonly string[] = [],
      env?: NodeJS.ProcessEnv,
    ): Promise<Checked> {
      const nth = count++;
      const wan = `12.13.15.${nth + 1}`;
      const [a, b] = await Promise.all([
        site(`a${nth}`, terminal, TERMINAL, wan),
        internet.site(`b${nth}`, { kind: browser, client: BROWSER, wan: WAN.replace(/\d+$/, String(100 + nth)) }),
      ]);
      const { tool, url } = await start(a.client, ['--listen', TERMINAL, '-p', String(PORT), ...words], env);
      const tab = await browse(b.client, url.replace(TERMINAL, wan));
      return outcome(tool, tab);
    }

    it('two port-restricted cones', async () => {
      const { code, data } = await pair('port-restricted-cone', 'port-restricted-cone');
      expect(data).toMatchObject({
        cause: null,
        selected: { relayed: false },
        remote: { nat: 'endpoint-independent' },
      });
      expect(data.selected?.remote).toMatch(/^12\.13\.14\./);
      expect(code).toBe(0);
    });

    it.each<[NatKind, NatKind]>([
      ['full-cone', 'symmetric'],
      ['symmetric', 'full-cone'],
    ])('%s and %s', async (terminal, browser) => {
      const { code, data } = await pair(terminal, browser, ['--no-throughput']);
      expect([code, data.cause, data.selected?.relayed]).toEqual([0, null, false]);
      expect([data.local.nat, data.remote.nat]).toContain('address-and-port-dependent');
    });

    it.each<[NatKind, NatKind]>([
      ['port-restricted-cone', 'symmetric'],
      ['symmetric', 'port-restricted-cone'],
      ['symmetric', 'symmetric'],
    ])('%s and %s: named, and what helps', async (terminal, browser) => {
      const { code, data, report, page } = await pair(terminal, browser);
      expect([code, data.cause]).toEqual([1, 'ports-must-be-guessed']);
      expect(report.findings[0]?.text).toMatch(/odds of .* A relay helps/);
      expect(page).toMatch(/WebRTC does not work[\s\S]*A relay helps/);
      console.log(`${terminal} and ${browser}: cause after ${data.elapsedMs} ms`);
    });

    it('the browser without UDP', async () => {
      const { code, data, page } = await pair('port-restricted-cone', 'blocked');
      expect([code, data.cause]).toEqual([1, 'browser-udp-blocked']);
      expect(page).toMatch(/UDP does not get out of the browser/);
      console.log(`cause after ${data.elapsedMs} ms`);
    });

    it('the terminal without UDP', async () => {
      const { code, data } = await pair('blocked', 'port-restricted-cone');
      expect([code, data.cause]).toEqual([1, 'terminal-udp-blocked']);
    });

    it.each([
      ['coturn', 'port-restricted-cone', 'blocked', []],
      ['serve --turn', 'port-restricted-cone', 'blocked', []],
      ['coturn, relays alone', 'port-restricted-cone', 'symmetric', ['--relay-only']],
      ['serve --turn, relays alone', 'symmetric', 'port-restricted-cone', ['--relay-only']],
    ] as const)('by %s', async (by, terminal, browser, words) => {
      const directory = mkdtempSync(join(tmpdir(), 'nat-tool-webrtc-'));
      writeFileSync(join(directory, 'users'), 'alice:secret\n');
      const server = by.startsWith('coturn') ? await startTurnCoturn(turn) : await ours(directory);
      try {
        const { code, data } = await pair(terminal, browser, ['--turn', TURN, '--no-throughput', ...words], LOGIN);
        expect([code, data.cause, data.selected?.relayed]).toEqual([0, null, true]);
        expect(data.remote.candidates.some(({ type }) => type === 'relay')).toBe(true);
      } finally {
        await server.stop();
        rmSync(directory, { recursive: true, force: true });
      }
    });

    async function ours(directory: string): Promise<Running> {
      const running = turn.start([
        'node',
        bin,
        'serve',
        '--json',
        '-s',
        TURN,
        '--turn',
        '--users',
        join(directory, 'users'),
        '--drain',
        '0',
      ]);
      await running.until(/"listening".*"tcp"/);
      return running;
    }

    it('relays alone, and the login is wrong', async () => {
      const server = await startTurnCoturn(turn);
      try {
        const login = { ...LOGIN, NAT_TOOL_PASSWORD: 'wrong' };
        const { code, data, report } = await pair(
          'port-restricted-cone',
          'port-restricted-cone',
          ['--turn', TURN, '--relay-only'],
          login,
        );
        expect([code, data.cause]).toEqual([1, 'relay-failed']);
        expect(report.findings.map(({ kind }) => kind)).toContain('turn-login-refused');
      } finally {
        await server.stop();
      }
    });

    it('relays alone, and none named', async () => {
      const { code, data } = await pair('port-restricted-cone', 'port-restricted-cone', ['--relay-only']);
      expect([code, data.cause]).toEqual([1, 'no-relay']);
    });
  });
});

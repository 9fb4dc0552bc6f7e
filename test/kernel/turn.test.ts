/** `turn` against real coturn: every transport and login, and what goes wrong with TURN servers in the wild, each with its own cause. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { restLogin } from '../../src/turn/rest-login.ts';
import { type Host, Internet, type Site } from './internet.ts';
import { describeKernel } from './suite.ts';
import { bin, report } from './tool.ts';
import { CERTIFICATE, LOGIN, startTurnCoturn, type TurnCoturn } from './turn-coturn.ts';

const SERVER = '40.30.20.10';
const SECRET = ['--use-auth-secret', '--static-auth-secret', 'sesame'];

const OUR_LOGIN = { NAT_TOOL_USERNAME: 'alice', NAT_TOOL_PASSWORD: 'secret-of-alice-16' };

interface Result {
  readonly transport: string;
  readonly relayed: string | null;
  readonly cause: string | null;
  readonly expiresAt: string | null;
  readonly steps: readonly { readonly step: string; readonly ok: boolean; readonly code: number | null }[];
  readonly data: Record<'peer' | 'relay', { readonly sent: number; readonly received: number } | null>;
}

describeKernel('turn against coturn', ['nat-tool', 'turnserver'], () => {
  let internet: Internet;
  let server: Host;
  let site: Site;
  let symmetric: Site;
  let blocked: Site;

  beforeAll(async () => {
    internet = await Internet.create();
    server = await internet.host('s', [SERVER]);
    site = await internet.site('a', { kind: 'port-restricted-cone' });
    symmetric = await internet.site('b', { kind: 'symmetric' });
    blocked = await internet.site('x', { kind: 'blocked' });
  });
  afterAll(() => internet?.close());

  /** One run of the command, with a coturn beside it that has these options. */
  async function check(
    coturn: readonly string[] | undefined,
    args: readonly string[] = [SERVER],
    env: NodeJS.ProcessEnv = LOGIN,
    {
      client = site.client,
      tls = false,
      users,
      nft,
    }: { client?: Host; tls?: boolean; users?: readonly string[]; nft?: string } = {},
  ) {
    if (nft) await server.must(['nft', '-f', '-'], { stdin: `table inet fault {\n chain c {\n ${nft}\n }\n}\n` });
    let running: TurnCoturn | undefined;
    try {
      running = coturn && (await startTurnCoturn(server, coturn, { tls, ...(users && { users }) }));
      const { code, report: told } = await report(client, ['turn', ...args], { env });
      const results = told.data['results'] as Result[];
      return { code, results, result: results[0] as Result, findings: told.findings.map(({ kind }) => kind) };
    } finally {
      if (nft) await server.must(['nft', 'delete', 'table', 'inet', 'fault']);
      await running?.stop();
    }
  }
  /** One run over TCP, with something else than a TURN server there; `act`: on each connection. */
  async function against(act: string) {
    const listening = `listen(3478, '${SERVER}', () => console.log('listening'))`;
    const script = `require('node:net').createServer((s) => { s.on('error', () => {}); ${act} }).${listening}`;
    const other = server.start(['node', '-e', script]);
    try {
      await other.until(/listening/);
      return await check(undefined, ['--tcp', SERVER]);
    } finally {
      await other.stop();
    }
  }
  const INPUT = 'type filter hook input priority filter; policy accept;';
  const OUTPUT = 'type filter hook output priority filter; policy accept;';

  it('proves a relay over UDP, TCP and TLS, behind a NAT', async () => {
    const { code, results } = await check([], ['--all', '--cafile', CERTIFICATE, SERVER], LOGIN, { tls: true });
    expect(results.map(({ transport, cause }) => [transport, cause])).toEqual([
      ['udp', null],
      ['tcp', null],
      ['tls', null],
    ]);
    for (const { data, steps } of results) {
      expect(data.peer?.received).toBe(data.peer?.sent);
      expect(data.relay?.received).toBe(data.relay?.sent);
      expect(steps.map(({ step, ok }) => [step, ok])).toEqual(
        ['reach', 'login', 'allocate', 'permission', 'channel', 'data', 'relay', 'refresh', 'release'].map((each) => [
          each,
          true,
        ]),
      );
    }
    expect(code).toBe(0);
  });

  it('proves our own server just so', async () => {
    const key = CERTIFICATE.replace('turn-cert', 'turn-key');
    const words = ['serve', '--turn', '--json', '--address', SERVER, '--cert', CERTIFICATE, '--key', key];
    const serve = server.start(['node', bin, ...words], { env: OUR_LOGIN });
    try {
      await serve.until(/5349/);
      const { code, results } = await check(undefined, ['--all', '--cafile', CERTIFICATE, SERVER], OUR_LOGIN);
      expect(results.map(({ transport, cause }) => [transport, cause])).toEqual([
        ['udp', null],
        ['tcp', null],
        ['tls', null],
      ]);
      for (const { data } of results) {
        expect(data.peer?.received).toBe(data.peer?.sent);
        expect(data.relay?.received).toBe(data.relay?.sent);
      }
      expect(code).toBe(0);
    } finally {
      await serve.stop();
    }
  });

  it('needs no peer behind a symmetric NAT either', async () => {
    const { code, result } = await check([], [SERVER], LOGIN, { client: symmetric.client });
    expect(result).toMatchObject({ cause: null });
    expect(result.data.peer?.received).toBeGreaterThan(0);
    expect(code).toBe(0);
  });

  it('proves it by two relays where UDP is blocked', async () => {
    const { code, result, findings } = await check([], ['--tcp', SERVER], LOGIN, { client: blocked.client });
    expect(result).toMatchObject({ cause: null, data: { peer: null } });
    expect(result.data.relay?.received).toBe(result.data.relay?.sent);
    expect(findings).toContain('turn-half-tested');
    expect(code).toBe(0);
  });

  it('takes a time-limited login, made with the secret or by somebody else', async () => {
    const made = await check([], [SERVER], { NAT_TOOL_TURN_SECRET: 'sesame' }, { users: SECRET });
    expect(made.result.cause).toBeNull();
    expect(Date.parse(made.result.expiresAt ?? '')).toBeGreaterThan(Date.now());
  });

  it('gives its allocations back, also when it is interrupted', async () => {
    const coturn = await startTurnCoturn(server, ['-v']);
    try {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        const tool = site.client.start(['node', bin, 'turn', '--watch=0.2', '--json', SERVER], { env: LOGIN });
        await tool.until(/"event":"data"/);
        tool.signal(signal);
        await tool.finished;
      }
      // The relay and the second one, each time.
      await coturn.process.until(/(?:lifetime=0[^\d][\s\S]*){6}/);
    } finally {
      await coturn.stop();
    }
  });

  it('tells an allocation that a restart of the server ends, and takes a new one', async () => {
    const first = await startTurnCoturn(server);
    const tool = site.client.start(['node', bin, 'turn', '--watch=0.2', '--json', SERVER], { env: LOGIN });
    try {
      await tool.until(/"event":"data"/);
      await first.stop();
      const second = await startTurnCoturn(server);
      try {
        await tool.until(/"event":"lost","cause":"allocation-lost"/);
        await tool.until(/"lost"[\s\S]*"relaying"[\s\S]*"event":"data"/);
        tool.signal('SIGINT');
        const { stdout } = await tool.finished;
        const last = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { data: { results: Result[] } };
        expect(last.data.results[0]?.cause).toBe('allocation-lost');
      } finally {
        await second.stop();
      }
    } finally {
      await tool.stop();
    }
  });

  it('keeps the relay while the nonce grows stale every second', async () => {
    const coturn = await startTurnCoturn(server, ['-v', '--stale-nonce=1']);
    const tool = site.client.start(['node', bin, 'turn', '--watch=0.5', '--json', SERVER], { env: LOGIN });
    try {
      await tool.until(/(?:"event":"data"[\s\S]*){6}/);
      tool.signal('SIGINT');
      const { stdout } = await tool.finished;
      expect(stdout).not.toContain('"lost"');
      // The release met a stale nonce, and found its way.
      await coturn.process.until(/error 438[\s\S]*lifetime=0/);
    } finally {
      await tool.stop();
      await coturn.stop();
    }
  });

  it('tells a quota that others have used up: quota; its own checks side by side do not count', async () => {
    const coturn = await startTurnCoturn(server, ['--user-quota', '1']);
    const holder = site.client.start(['node', bin, 'turn', '--watch=0.5', '--json', SERVER], { env: LOGIN });
    try {
      await holder.until(/"event":"relaying"/);
      const { code, report: told } = await report(site.client, ['turn', SERVER], { env: LOGIN });
      expect((told.data['results'] as Result[])[0]?.cause).toBe('quota');
      expect(code).toBe(1);
    } finally {
      await holder.stop();
      await coturn.stop();
    }
    const { results } = await check(['--user-quota', '1'], [SERVER, SERVER]);
    expect(results.map(({ cause }) => cause)).toEqual([null, null]);
  });

  const FAULTS: readonly (readonly [name: string, cause: string, () => ReturnType<typeof check>])[] = [
    [
      'a dead server',
      'no-answer',
      () => check(undefined, [SERVER], LOGIN, { nft: `${INPUT} meta l4proto { tcp, udp } drop` }),
    ],
    ['nothing listens', 'refused', () => check(undefined)],
    ['UDP closed, TCP open', 'udp-blocked', () => check([], [SERVER], LOGIN, { nft: `${INPUT} udp dport 3478 drop` })],
    ['UDP blocked at the client', 'udp-blocked', () => check([], [SERVER], LOGIN, { client: blocked.client })],
    ['a wrong password', 'login-refused', () => check([], [SERVER], { ...LOGIN, NAT_TOOL_PASSWORD: 'wrong' })],
    [
      'an expired time-limited login',
      'login-expired',
      () => {
        const { username, password } = restLogin('sesame', { expiresAt: 1_700_000_000, name: 'alice' });
        return check([], [SERVER], { NAT_TOOL_USERNAME: username, NAT_TOOL_PASSWORD: password }, { users: SECRET });
      },
    ],
    ['no login', 'login-needed', () => check([], [SERVER], {})],
    [
      'no external-ip',
      'relay-address-private',
      () => check(['--relay-ip', '127.0.0.1', '--external-ip', '10.1.2.3/127.0.0.1']),
    ],
    [
      'relay ports closed',
      'relay-ports-closed',
      () => check([], [SERVER], LOGIN, { nft: `${INPUT} udp dport 49152-65535 drop` }),
    ],
    [
      'a relay that cannot send',
      'relay-one-way',
      () => check([], [SERVER], LOGIN, { nft: `${OUTPUT} udp sport 49152-65535 ip daddr != ${SERVER} drop` }),
    ],
    ['denied peers', 'peer-denied', () => check(['--denied-peer-ip', '12.0.0.0-12.255.255.255'])],
    [
      'no ports left',
      'no-capacity',
      () => check(['--min-port', '50000', '--max-port', '50001'], ['--count', '1', SERVER, SERVER, SERVER]),
    ],
    [
      'a certificate that nobody vouches for',
      'tls-certificate',
      () => check([], ['--tls', SERVER], LOGIN, { tls: true }),
    ],
    ['a plain STUN server', 'not-turn', () => check(['--stun-only'])],
    ['an SSH server', 'not-turn', () => against("s.write('SSH-2.0-OpenSSH_9.6\\r\\n')")],
    ['a proxy that cuts off', 'not-turn', () => against("s.on('data', () => s.resetAndDestroy())")],
    ['something that takes connections and says nothing', 'no-answer', () => against('')],
  ];

  it.each(FAULTS)('tells %s: %s', async (_, cause, scene) => {
    const { code, results, findings } = await scene();
    expect(results.map((each) => each.cause)).toContain(cause);
    expect(code).toBe(1);
    expect(findings.join()).toContain(`turn-${cause}`);
  });
});

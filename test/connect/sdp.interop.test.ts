/** `connect --manual --sdp` against an agent that others wrote, over the loopback interface. */
import { Candidate as TheirCandidate, Connection } from 'werift-ice';
import { afterEach, describe, expect, it } from 'vitest';
import { formatEndpoint } from '../../src/net/address.ts';
import { deferred } from '../../src/net/wait.ts';
import { createNodeEnv } from '../../src/node/env.ts';
import { parseIceAttributes } from '../../src/ice/sdp.ts';
import { listen } from '../../src/stun/listener.ts';
import { run } from '../cli/harness.ts';

const env = createNodeEnv();
const LOOPBACK = '127.0.0.1';
const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function theirs(controlling: boolean): Promise<Connection> {
  const connection = new Connection(controlling, {
    useIpv4: false,
    useIpv6: false,
    additionalHostAddresses: [LOOPBACK],
    interfaceAddresses: { udp4: LOOPBACK },
  });
  open.push(() => connection.close());
  await connection.gatherCandidates();
  return connection;
}

const linesOf = (them: Connection): string =>
  [
    `a=ice-ufrag:${them.localUsername}`,
    `a=ice-pwd:${them.localPassword}`,
    ...them.localCandidates.map((each) => `a=candidate:${each.toSdp()}`),
    'a=end-of-candidates',
  ]
    .map((line) => `${line}\r\n`)
    .join('');

function tellThem(them: Connection, lines: string): void {
  const { ufrag, pwd } = parseIceAttributes(lines);
  them.setRemoteParams({ iceLite: false, usernameFragment: ufrag, password: pwd });
  for (const [, candidate] of lines.matchAll(/^a=candidate:(.*)$/gm))
    void them.addRemoteCandidate(TheirCandidate.fromSdp(candidate ?? ''));
  void them.addRemoteCandidate(undefined);
}

describe('connect --manual --sdp with werift', () => {
  // The command is the controlling side, unless it is told that lines of the other one are there already.
  it.each([
    ['controlling', []],
    ['controlled', ['-']],
  ] as const)('as the %s agent: a path that is reported, and data both ways', async (role, code) => {
    const stop = new AbortController();
    const server = await listen(env, { addresses: [LOOPBACK], ports: [0, 0], tcp: false }, stop.signal);
    open.push(() => server.close());
    const stun = server.endpoints.A1P1;
    if (!stun) throw new Error('no server');
    const them = await theirs(role === 'controlled');
    const shown = deferred<string>();
    const heardByUs = deferred<string>();
    const heardByThem = deferred<string>();
    them.onData.subscribe((data) => heardByThem.resolve(data.toString()));
    let [stderr, stdout] = ['', ''];
    const running = run(
      [
        'connect',
        ...code,
        '--manual',
        '--sdp',
        '--json',
        '--line',
        '--source',
        LOOPBACK,
        '--server',
        formatEndpoint(stun),
      ],
      {
        env,
        signal: stop.signal,
        stdin: (async function* () {
          await shown.promise;
          yield Buffer.from(`${linesOf(them)}\r\nhello from us\n`);
          await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }));
        })(),
        onStderr: (text) => {
          stderr += text;
          const lines = /a=ice-ufrag[\s\S]*a=end-of-candidates\n/.exec(stderr)?.[0];
          if (lines) shown.resolve(lines);
        },
        onStdout: (text) => {
          stdout += text;
          if (text.includes('hello from them')) heardByUs.resolve(text);
        },
      },
    );
    // Whoever knows the port, before the pair is selected and after it.
    const stranger = await env.udp.open({ family: 4, address: LOOPBACK });
    open.push(() => stranger.close());
    const [, ours = '0'] = / (\d+) typ host/.exec(await shown.promise) ?? [];
    const forge = (): Promise<void> =>
      stranger.send(Buffer.from('from a stranger'), { address: LOOPBACK, port: Number(ours) });
    await forge();
    tellThem(them, await shown.promise);
    await them.connect();
    expect(await heardByThem.promise).toContain('hello from us');
    await forge();
    await them.send(Buffer.from('hello from them'));
    expect(await heardByUs.promise).toContain('datagram');
    expect(stdout).not.toContain('stranger');
    expect(stderr).toContain('not encrypted');
    stop.abort(new DOMException('interrupted', 'AbortError'));
    const { status } = await running;
    const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
      data: Record<string, unknown>;
      findings: { kind: string }[];
    };
    expect(report.findings.map(({ kind }) => kind)).toContain('not-encrypted');
    expect(status).toBe(0);
    const [address, port] = them.nominated?.remoteAddr ?? [];
    expect(report.data).toMatchObject({
      path: 'lan',
      local: `${address}:${port}`,
      remote: `${LOOPBACK}:${them.nominated?.localCandidate.port}`,
      encrypted: false,
      sent: 1,
      received: 1,
    });
    expect(report.data['pairs']).toContainEqual(expect.objectContaining({ state: 'succeeded', nominated: true }));
    // Nobody had to change its role.
    expect(them.iceControlling).toBe(role === 'controlled');
  });
});

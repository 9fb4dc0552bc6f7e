/** `serve --turn`, asked by our own client in the simulated network. */
import { describe, expect, it } from 'vitest';
import { Lab } from '../../../src/lab/topology.ts';
import type { Env } from '../../../src/net/env.ts';
import { sleep } from '../../../src/net/wait.ts';
import { openRelay } from '../../../src/turn/open.ts';
import type { RelaySocket } from '../../../src/turn/relay-socket.ts';
import { restLogin } from '../../../src/turn/rest-login.ts';
import { parseTurnServer } from '../../../src/turn/uri.ts';
import type { RunOptions } from '../../cli/harness.ts';
import { run } from '../worlds.ts';

const AT = '40.30.20.60';
const ALICE = { username: 'alice', password: 'secret' };
const files = { users: '# who may\nalice:secret\n\nbob:with:colon\n', secrets: 'new\nold\n' };

interface Stage {
  readonly env: Env;
  readonly b: Env;
  readonly signal: AbortSignal;
  relay(login?: { username: string; password: string }, uri?: string): Promise<RelaySocket>;
  hangUp(): void;
  term(): void;
  /** It has ended. */
  readonly over: Promise<unknown>;
}

/** While `serve` runs on a host of the internet. */
async function serving(
  words: readonly string[],
  main: (stage: Stage) => Promise<void>,
  options: Partial<RunOptions> = {},
): Promise<{ status: number; events: Record<string, unknown>[]; stderr: string }> {
  const lab = new Lab({ nat: 'symmetric', patienceMs: 60_000 });
  const host = lab.addHost('T', [AT]);
  lab.system('T').tcp.certificates.add(AT);
  const stop = new AbortController();
  const hangUps: (() => void)[] = [];
  const terms: (() => void)[] = [];
  return lab.run(async (env, signal) => {
    const server = run(['serve', '--json', '-v', '-s', AT, ...words], {
      files,
      ...options,
      env: host,
      signal: stop.signal,
      onHup: (handler) => hangUps.push(handler),
      onTerm: (handler) => terms.push(handler),
    });
    await sleep(env.clock, 50);
    const relay: Stage['relay'] = (credentials = ALICE, uri = `turn:${AT}`) =>
      openRelay(env, parseTurnServer(uri), { credentials }, signal);
    try {
      await main({
        env,
        b: lab.host('B'),
        signal,
        relay,
        hangUp: () => hangUps.forEach((each) => each()),
        term: () => terms.forEach((each) => each()),
        over: server,
      });
    } finally {
      stop.abort(new DOMException('interrupted', 'AbortError'));
    }
    const { status, stdout, stderr } = await server;
    return {
      status,
      stderr,
      events: stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    };
  });
}

const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'success',
    (error: { ending?: { code?: number } }) => error.ending?.code ?? error,
  );

/** What B hears of a datagram by the relay, and what comes back of its echo. */
async function throughRelay({ env, b }: Stage, relay: RelaySocket): Promise<string[]> {
  const peer = await b.udp.open({ family: 4, address: '50.60.70.80', port: 5000 });
  const heard: string[] = [];
  peer.listen({ datagram: ({ data, from }) => void peer.send(data, from) });
  relay.listen({ datagram: ({ data }) => heard.push(new TextDecoder().decode(data)) });
  await relay.send(new TextEncoder().encode('hello'), peer.local);
  await sleep(env.clock, 1000);
  peer.close();
  return heard;
}

describe('nat-tool serve --turn', () => {
  it.each(['turn:40.30.20.60', 'turn:40.30.20.60?transport=tcp', 'turns:40.30.20.60'])(
    'relays there and back by %s, and tells for whom',
    async (uri) => {
      const words = ['--turn', '--users', 'users', '--cert', 'cert', '--key', 'key'];
      const { status, events } = await serving(
        words,
        async (stage) => {
          const relay = await stage.relay(ALICE, uri);
          expect(relay.local.address).toBe(AT);
          expect(await throughRelay(stage, relay)).toEqual(['hello']);
          await relay.release();
        },
        { files: { ...files, cert: 'CERT', key: 'KEY' } },
      );
      expect(status).toBe(0);
      const named = events.map(({ event }) => event).filter((event) => event !== 'listening' && event !== 'request');
      expect(new Set(named)).toEqual(new Set(['allocated', 'permitted', 'released', 'stopped', undefined]));
      expect(events.find(({ event }) => event === 'permitted')).toMatchObject({ peers: ['50.60.70.80:5000'] });
      expect(events.find(({ event }) => event === 'released')).toMatchObject({ user: 'alice', packets: 2, bytes: 10 });
      expect(events.at(-1)).toMatchObject({ data: { counters: { relay: { allocations: 0, relayed: 2 } } } });
    },
  );

  it('knows users of a file, of the environment, and time-limited ones of each secret', async () => {
    const environment = { NAT_TOOL_USERNAME: 'carol', NAT_TOOL_PASSWORD: 'own', NAT_TOOL_TURN_SECRET: 'third' };
    await serving(
      ['--turn', '--users', 'users', '--secrets', 'secrets'],
      async ({ env, relay }) => {
        const expiresAt = Math.floor(env.clock.date().getTime() / 1000) + 60;
        const timed = (secret: string) => restLogin(secret, { expiresAt, name: 'dave' });
        const logins = [
          ALICE,
          { username: 'bob', password: 'with:colon' },
          { username: 'carol', password: 'own' },
          ...['new', 'old', 'third'].map(timed),
        ];
        for (const login of logins) (await relay(login)).close();
        for (const login of [{ ...ALICE, password: 'wrong' }, timed('other'), { username: '# who may', password: '' }])
          expect(await code(relay({ ...login, password: login.password || 'x' }))).toBe(401);
      },
      { environment },
    );
  });

  it('reads its files again on SIGHUP; who is logged in stays', async () => {
    const mine = { ...files };
    const { events, stderr } = await serving(
      ['--turn', '--users', 'users'],
      async (stage) => {
        const relay = await stage.relay();
        mine.users = 'alice:changed\n';
        stage.hangUp();
        await sleep(stage.env.clock, 100);
        expect(await code(stage.relay())).toBe(401);
        (await stage.relay({ ...ALICE, password: 'changed' })).close();
        expect(await throughRelay(stage, relay)).toEqual(['hello']);
        mine.users = 'nonsense\n';
        stage.hangUp();
        await sleep(stage.env.clock, 100);
        (await stage.relay({ ...ALICE, password: 'changed' })).close();
        relay.close();
      },
      { files: mine },
    );
    expect(events.filter(({ event }) => event === 'reloaded')).toHaveLength(1);
    expect(stderr).toContain('all stays as it was');
  });

  it('bounds what a user may have', async () => {
    await serving(['--turn', '--users', 'users', '--user-quota', '2'], async ({ relay }) => {
      const [one, two] = [await relay(), await relay()];
      expect(await code(relay())).toBe(486);
      one?.close();
      two?.close();
    });
  });

  it.each([
    ['60', 'ends when those in use are released', 1_000, 2_000],
    ['5', 'ends at the bound', 5_000, 5_100],
  ])('on SIGTERM with --drain %s begins no more relays, and %s', async (seconds, _, least, most) => {
    const words = ['--turn', '--users', 'users', '--drain', seconds];
    const { status, events } = await serving(words, async (stage) => {
      const relay = await stage.relay();
      stage.term();
      const at = stage.env.clock.now();
      expect(await code(stage.relay({ username: 'bob', password: 'with:colon' }))).toBe(508);
      expect(await throughRelay(stage, relay)).toEqual(['hello']);
      if (seconds === '60') await relay.release();
      await stage.over;
      const tookMs = stage.env.clock.now() - at;
      relay.close();
      expect([tookMs >= least, tookMs <= most, tookMs]).toEqual([true, true, tookMs]);
    });
    expect(status).toBe(0);
    expect(events).toContainEqual({ event: 'draining', meetings: 0, relays: 1, seconds: Number(seconds) });
  });

  it('relays from the ports that it is given', async () => {
    await serving(['--turn', '--users', 'users', '--relay-ports', '50000-50001'], async ({ relay }) => {
      const [one, two] = [await relay(), await relay()];
      expect(new Set([one.local.port, two.local.port])).toEqual(new Set([50_000, 50_001]));
      expect(await code(relay())).toBe(508);
      one.close();
      two.close();
    });
  });

  it('reaches no private peer, unless its network is named', async () => {
    const permitted = async (words: readonly string[]) => {
      const { events } = await serving(['--turn', '--users', 'users', ...words], async ({ env, relay }) => {
        const socket = await relay();
        await socket.send(Uint8Array.of(1), { address: '10.1.2.3', port: 5000 }).catch(() => {});
        await sleep(env.clock, 500);
        socket.close();
      });
      return events.filter(({ event }) => event === 'permitted').length;
    };
    expect(await permitted([])).toBe(0);
    expect(await permitted(['--allow-peer', '10.1.0.0/16'])).toBe(1);
  });
});

describe('misuse', () => {
  it.each([
    [['--turn'], /nobody could log in/],
    [['--users', 'users'], /--users is for --turn/],
    [['--secrets', 'secrets'], /--secrets is for --turn/],
    [['--turn', '--users', 'missing'], /cannot read 'missing'/],
    [['--turn', '--users', 'bad'], /line 2 of 'bad' is not name:password/],
    [['--turn', '--users', 'twice'], /line 2 of 'twice' names alice a second time/],
    [['--partner', '40.30.20.61', '--alternate-port', '3478'], /--alternate-port: must differ/],
    [['--cert', 'users'], /--cert and --key/],
    [['--turn', '--relay-ports', '80-90'], /two ports from 1024/],
    [['--turn', '--relay-ports', '60000-50000'], /two ports from 1024/],
    [['--turn', '--allow-peer', '10.0.0.0/33'], /a network such as/],
    [['--turn', '--realm', 'x'.repeat(33)], /1 to 32 characters/],
  ])('serve %j', async (words, expected) => {
    const { status, stderr } = await run(['serve', ...words], {
      files: { ...files, bad: 'alice:x\nsecret-alone\n', twice: 'alice:x\nalice:secret-alone\n' },
      environment: { NAT_TOOL_PARTNER_SECRET: 'a secret of the two' },
    });
    expect(status).toBe(2);
    expect(stderr).toMatch(expected);
    expect(stderr).not.toContain('secret-alone');
  });
});

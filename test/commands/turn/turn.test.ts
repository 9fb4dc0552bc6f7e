import { describe, expect, it } from 'vitest';
import { findingsOf } from '../../../src/commands/turn/findings.ts';
import { blankResult, type TurnResult } from '../../../src/probe/turn-check/result.ts';
import { LAB_LOGIN, Lab, type LabOptions } from '../../../src/lab/topology.ts';
import { run, tell } from '../worlds.ts';
import { METHOD } from '../../../src/stun/message.ts';
import type { ScriptedTurn } from '../../turn/scripted-turn.ts';
import { turnWorld } from '../../turn/world.ts';

const LOGIN = { NAT_TOOL_USERNAME: LAB_LOGIN.username, NAT_TOOL_PASSWORD: LAB_LOGIN.password };

const turn = (words: readonly string[], options: LabOptions = {}, environment: Record<string, string> = LOGIN) =>
  new Lab({ turn: true, ...options }).run((env, signal) => tell(env, ['turn', ...words], { environment, signal }));

const results = (data: Record<string, unknown>): TurnResult[] => data['results'] as TurnResult[];

describe('nat-tool turn', () => {
  it('reports JSON with the promised names', async () => {
    const { status, report } = await turn(['stun.example.net']);
    expect(report).toMatchObject({ schema: 'nat-tool/turn@1', outcome: 'complete', findings: [] });
    expect(results(report.data)[0]).toMatchObject({
      server: 'stun.example.net',
      address: '40.30.20.10:3478',
      transport: 'udp',
      relayed: expect.stringMatching(/^40\.30\.20\.10:\d+$/),
      lifetimeS: 600,
      username: 'alice',
      expiresAt: null,
      cause: null,
    });
    expect(status).toBe(0);
  });

  it('prints the relayed address with --short', async () => {
    const { stdout } = await new Lab({ turn: true }).run((env) =>
      run(['turn', '--short', 'stun.example.net'], { env, environment: LOGIN }),
    );
    expect(stdout).toMatch(/^40\.30\.20\.10:\d+\n$/);
  });

  it('does not blame a server for refusing its own host, from which it was checked', () => {
    const denied = (mapped: string) =>
      findingsOf(
        [
          {
            ...blankResult('turn.example.net', 'udp'),
            address: '40.30.20.10:3478',
            relayed: '40.30.20.10:50000',
            mapped,
            cause: 'peer-denied',
            steps: [{ step: 'permission', ms: 1, ok: false, code: 403 }],
          },
        ],
        { interfaces: () => [] },
        undefined,
      )[0]?.text;
    expect(denied('40.30.20.10:4000')).toMatch(/from another host/);
    expect(denied('12.13.14.15:4000')).toMatch(/coturn: denied-peer-ip/);
  });

  it('asks over every transport with --all', async () => {
    const lab = new Lab({ turn: true });
    const { status, report } = await lab.run((env) =>
      tell(env, ['turn', '--all', 'stun.example.net'], { environment: LOGIN }),
    );
    expect(results(report.data).map(({ transport }) => transport)).toEqual(['udp', 'tcp', 'tls']);
    expect(results(report.data).map(({ cause }) => cause)).toEqual([null, null, null]);
    expect(status).toBe(0);
  });

  it('says what helps, and exits 1, where no login is given', async () => {
    const { status, report } = await turn(['stun.example.net'], {}, {});
    expect(results(report.data)[0]?.cause).toBe('login-needed');
    expect(report.outcome).toBe('failed');
    expect(report.findings[0]?.text).toContain('NAT_TOOL_USERNAME');
    expect(status).toBe(1);
  });

  it('makes a login with the secret, and uses it', async () => {
    const { report, status } = await turn(
      ['stun.example.net'],
      { turn: { secrets: ['sesame'] } },
      { NAT_TOOL_TURN_SECRET: 'sesame' },
    );
    expect(results(report.data)[0]).toMatchObject({ cause: null, expiresAt: '2024-01-02T00:00:00.000Z' });
    expect(status).toBe(0);
  });

  it('prints such a login, and asks nobody', async () => {
    const { report, status } = await turn(
      ['--credential=alice', '--ttl', '60'],
      {},
      { NAT_TOOL_TURN_SECRET: 'sesame' },
    );
    expect(report.data).toMatchObject({
      results: [],
      credential: {
        username: '1704067260:alice',
        password: '6JLKuorIFKb0JSVwZa5my6DbV7k=',
        ttlS: 60,
        expiresAt: '2024-01-01T00:01:00.000Z',
      },
    });
    expect(status).toBe(0);
  });

  it.each([
    [['--credential'], /NAT_TOOL_TURN_SECRET/],
    [[], /TURN server/],
    [['stun:stun.example.net'], /turn:/],
    [['turn:x?transport=sctp'], /transport=udp/],
    [['--credential=a:b', 'x'], /--credential/],
    [['-4', '2001:db8::1'], /IPv4/],
  ])('refuses %j', async (words, message) => {
    const { status, stderr } = await new Lab().run((env) => run(['turn', ...words], { env }));
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('measures the load', async () => {
    const { report } = await turn(['--load=0.3', 'stun.example.net'], { rttMs: 20 });
    expect(results(report.data)[0]?.load?.mbitPerSecond.out).toBeGreaterThan(5);
    expect(results(report.data)[0]?.load?.mbitPerSecond.in).toBeGreaterThan(5);
  });

  it('watches: data at the interval, the loss of an allocation, and a new one', async () => {
    const { lab, turn: server } = turnWorld();
    const controller = new AbortController();
    const { events, report, status } = await lab.run(async (env) => {
      const cancels = [
        env.clock.after(20_000, () => server.restart()),
        env.clock.after(60_000, () => controller.abort(new DOMException('interrupted', 'AbortError'))),
      ];
      const told = await tell(env, ['turn', '--watch', 'turn.example.net'], {
        environment: LOGIN,
        signal: controller.signal,
      });
      for (const cancel of cancels) cancel();
      return told;
    });
    const names = events.map(({ event }) => event).join(' ');
    expect(names).toMatch(/^relaying (data ){3,4}data lost relaying (data ?){4,}$/);
    expect(events.find(({ event }) => event === 'lost')).toMatchObject({ cause: 'allocation-lost', transport: 'udp' });
    expect(results(report.data)[0]?.cause).toBe('allocation-lost');
    expect(status).toBe(1);
    expect(server.allocations).toBe(0);
  });

  it.each<[string, string, (server: ScriptedTurn) => void, (server: ScriptedTurn) => void]>([
    ['a server that falls silent', 'no-answer', (server) => (server.dead = true), (server) => (server.dead = false)],
    ['permissions that the server forgets', 'permission-lost', (server) => server.forgetPermissions(), () => {}],
    [
      'permissions that it renews no more',
      'permission-lost',
      (server) => {
        server.forgetPermissions();
        server.refuse = ({ method }) => (method === METHOD.createPermission ? { code: 403 } : undefined);
      },
      (server) => (server.refuse = () => undefined),
    ],
    [
      'relay ports that are closed meanwhile',
      'relay-ports-closed',
      (server) => (server.drop = { fromPeer: true }),
      (server) => (server.drop = {}),
    ],
    [
      'a relay that can send no more',
      'relay-one-way',
      (server) => (server.drop = { toPeer: true }),
      (server) => (server.drop = {}),
    ],
  ])('watches, and tells of %s: %s', async (_, cause, spoil, mend) => {
    const { lab, turn: server } = turnWorld();
    const controller = new AbortController();
    const { events } = await lab.run(async (env) => {
      const cancels = [
        env.clock.after(12_000, () => spoil(server)),
        env.clock.after(30_000, () => mend(server)),
        env.clock.after(60_000, () => controller.abort()),
      ];
      const told = await tell(env, ['turn', '--watch', 'turn.example.net'], {
        environment: LOGIN,
        signal: controller.signal,
      });
      for (const cancel of cancels) cancel();
      return told;
    });
    const lost = events.find(({ event }) => event === 'lost');
    expect(lost).toMatchObject({ cause });
    expect(events.at(-1)).toMatchObject({ event: 'data', sent: 4, received: 4 });
    expect(server.allocations).toBeLessThanOrEqual(2);
  });

  it('watches for a day without losing anything, whatever the nonce does', async () => {
    const { lab, turn: server } = turnWorld();
    const controller = new AbortController();
    const { events } = await lab.run(async (env) => {
      let i = 0;
      let cancel = () => {};
      const change = (): void => {
        server.nonce = `nonce ${i++}`;
        if (i < 24) cancel = env.clock.after(3_600_000, change);
        else controller.abort();
      };
      change();
      const told = await tell(env, ['turn', '--watch=60', 'turn.example.net'], {
        environment: LOGIN,
        signal: controller.signal,
      });
      cancel();
      return told;
    });
    expect(events.filter(({ event }) => event === 'lost')).toEqual([]);
    expect(events.length).toBeGreaterThan(1300);
  });
});

describe('what cannot be reached', () => {
  it.each<[string, readonly string[], LabOptions, string]>([
    ['a host without a network', ['40.30.20.10'], { offline: true }, 'network-unreachable'],
    ['a name that does not exist', ['nowhere.example'], {}, 'unresolvable'],
    ['a name without an address of the family', ['-6', 'stun.example.net'], {}, 'family-missing'],
  ])('is called what it is: %s', async (_, words, options, kind) => {
    const { status, report } = await turn(words, options);
    expect(report.findings.map((each) => each.kind)).toEqual([kind]);
    expect(results(report.data)[0]?.cause).toBe('no-answer');
    expect(status).toBe(1);
  });
});

import { describe, expect, it } from 'vitest';
import { parseCode } from '../../../src/connect/code.ts';
import { LOGIN } from '../../../src/lab/faults/referrals.ts';
import { withFaults } from '../../../src/lab/faults.ts';
import { Lab, LAB_LOGIN, type LabOptions } from '../../../src/lab/topology.ts';
import { formatEndpoint, sameEndpoint } from '../../../src/net/address.ts';
import { parseEndpoint } from '../../../src/net/host-port.ts';
import type { Env } from '../../../src/net/env.ts';
import { qrLines } from '../../../src/render/qr.ts';
import { run, type RunOptions, type RunResult } from '../../cli/harness.ts';

const SERVER = ['--server', 'stun.example.net'];
const RANDOM = 'symmetric,ports=random';
const RELAY = 'turn:stun.example.net';

interface Side extends Omit<RunOptions, 'env'> {
  readonly words: readonly string[];
  readonly afterMs?: number;
  /** Runs beside the command. */
  readonly beside?: (env: Env) => Promise<void>;
}

const sleep = (env: Env, ms: number): Promise<void> => new Promise((resolve) => void env.clock.after(ms, resolve));

/** `connect` on A and on C2. */
async function both(a: Side, b: Side, options: LabOptions = {}): Promise<[RunResult, RunResult]> {
  const lab = new Lab({
    nat: 'port-restricted-cone',
    second: { nat: 'port-restricted-cone' },
    patienceMs: 60_000,
    ...options,
  });
  const one = async (env: Env, { words, afterMs = 0, beside, ...rest }: Side): Promise<RunResult> => {
    if (afterMs > 0) await sleep(env, afterMs);
    const [result] = await Promise.all([run(['connect', ...words], { ...rest, env }), beside?.(env)]);
    return result;
  };
  return lab.run((env) => Promise.all([one(env, a), one(lab.host('C2'), b)]));
}

/** One document, or the last line of a stream. */
const json = ({ stdout }: RunResult) =>
  JSON.parse(stdout.startsWith('{\n') ? stdout : (stdout.trim().split('\n').at(-1) ?? '')) as {
    outcome: string;
    data: Record<string, unknown>;
    findings: { kind: string }[];
  };

const aFreshCode = async (): Promise<string> => {
  const lab = new Lab({ patienceMs: 60_000 });
  return lab.run(async (env) => (await run(['connect', '--generate'], { env })).stdout.trim());
};

describe('nat-tool connect', () => {
  it('generates a code that it takes', async () => {
    const code = await aFreshCode();
    expect(parseCode(code)).toBe(code);
  });

  it('proves a path from the environment, in either order', async () => {
    const code = await aFreshCode();
    const side = (afterMs: number): Side => ({
      words: ['--check', '--json'],
      environment: { NAT_TOOL_CODE: code, NAT_TOOL_SERVER: 'stun.example.net' },
      afterMs,
    });
    const [a, b] = await both(side(300), side(0));
    expect([a.status, b.status]).toEqual([0, 0]);
    expect(json(a).data).toMatchObject({
      path: 'direct',
      local: '192.168.1.3:42301',
      public: '12.13.14.15:24604',
      remote: '22.23.24.25:24604',
      rttMs: 40,
      elapsedMs: 100,
    });
    expect(json(b).data).toMatchObject({ path: 'direct', local: '192.168.2.3:51201', remote: '12.13.14.15:24604' });
  });

  it('prints a code that the other side takes, and talks when there is nothing to do but report', async () => {
    const lab = new Lab({ nat: 'full-cone', second: { nat: 'symmetric' }, patienceMs: 60_000 });
    const [a, b] = await lab.run(async (env) => {
      let first: Promise<RunResult> | undefined;
      const code = await new Promise<string>((resolve) => {
        first = run(['connect', ...SERVER], {
          env,
          onStderr: (text) => resolve(/connect (\S+) --server stun\.example\.net/.exec(text)?.[1] ?? 'none'),
        });
      });
      return Promise.all([first, run(['connect', code, ...SERVER], { env: lab.host('C2'), columns: 80 })]);
    });
    expect([a?.status, b.status]).toEqual([0, 0]);
    expect(b.stdout).toContain('through a hole in each NAT on the way');
    // What is piped on is the data, and there was none.
    expect(a?.stdout).toBe('');
  });

  it('pipes both ways', async () => {
    const code = await aFreshCode();
    const [a, b] = await both(
      { words: [code, ...SERVER], stdin: 'from A\n' },
      { words: [code, ...SERVER], stdin: 'from B\n', afterMs: 200 },
    );
    expect([a.status, a.stdout, b.status, b.stdout]).toEqual([0, 'from B\n', 0, 'from A\n']);
  });

  it('counts the datagrams that were lost', async () => {
    const code = await aFreshCode();
    const stdin = Array.from({ length: 100 }, (_, i) => `${i}\n`).join('');
    const words = [code, ...SERVER, '--datagrams', '--line', '--json'];
    const [a, b] = await both({ words, stdin }, { words }, { loss: 0.1 });
    expect([a.status, b.status]).toEqual([0, 0]);
    const { received, lost } = json(b).data;
    expect([Number(received) + Number(lost), json(a).data['lost']]).toEqual([100, 0]);
    expect(Number(lost)).toBeGreaterThan(0);
  });

  it('ends where the two want different things', async () => {
    const code = await aFreshCode();
    const [a, b] = await both(
      { words: [code, ...SERVER, '--json'] },
      { words: [code, ...SERVER, '--datagrams', '--json'] },
    );
    for (const each of [a, b]) {
      expect(each.status).toBe(1);
      expect(json(each).findings.map(({ kind }) => kind)).toEqual(['uses-differ']);
    }
  });

  it.each([
    ['streams', [], ['--forward', '8000/tcp']],
    ['datagrams', ['--datagrams'], []],
  ])('writes nothing but data where %s are piped and there is no session', async (_, ours, theirs) => {
    const code = await aFreshCode();
    const [a] = await both({ words: [code, ...SERVER, ...ours] }, { words: [code, ...SERVER, ...theirs] });
    expect([a.status, a.stdout]).toEqual([1, '']);
    expect(a.stderr).toContain('want different things');
    const lab = new Lab({ patienceMs: 60_000 });
    const alone = await lab.run((env) => run(['connect', ...SERVER, ...ours, '-w', '1'], { env }));
    expect([alone.status, alone.stdout]).toEqual([1, '']);
    expect(alone.stderr).toContain('did not come');
  });

  it.each([
    [['--forward', '2222:22/tcp', '--forward', '51820'], ' --forward 22/tcp --forward 51820'],
    [['--datagrams'], ' --datagrams'],
    [['--keep', 'office'], ' --keep NAME'],
    [[], ''],
  ])('names what the other host needs beside the code: %j', async (words, needed) => {
    const lab = new Lab({ patienceMs: 60_000 });
    const { stderr } = await lab.run((env) => run(['connect', ...SERVER, ...words, '-w', '1'], { env }));
    const [, command = ''] = /On the other host: nat-tool connect \S+ --server \S+?((?: .+)?)\n/.exec(stderr) ?? [];
    expect([stderr.includes('On the other host'), command]).toEqual([true, needed]);
  });

  it.each([
    [[], ''],
    [['--broker', 'mqtt://50.60.70.80:1884'], 'mqtt://50.60.70.80:1884'],
  ])('blames the brokers, not the STUN server, where none let it in (%j)', async (words, named) => {
    const lab = new Lab({ patienceMs: 60_000 });
    const { stderr, status } = await lab.run((env) =>
      run(['connect', '--check', '--stun', '40.30.20.10', ...words, '-w', '1'], { env }),
    );
    expect([status, stderr.includes('did not come')]).toEqual([1, false]);
    expect(stderr.replaceAll(/\s+/g, ' ')).toContain(`No broker let this host in: ${named}`);
  });

  it('reads the code from standard input', async () => {
    const code = await aFreshCode();
    const [a] = await both(
      { words: ['-', '--check', '--short', ...SERVER], stdin: `${code.toUpperCase()}\n` },
      { words: [code, '--check', ...SERVER] },
    );
    expect(a).toMatchObject({ status: 0, stdout: 'direct 22.23.24.25:24604\n' });
  });

  it('carries another program, whichever side holds the port', async () => {
    const code = await aFreshCode();
    const heard: string[] = [];
    const stop = new AbortController();
    const listen = async (
      env: Env,
      port: number | undefined,
      hear: (text: string, answer: (text: string) => void) => void,
    ) => {
      const socket = await env.udp.open({ family: 4, address: '127.0.0.1', port });
      socket.listen({
        datagram: ({ data, from }) =>
          hear(new TextDecoder().decode(data), (text) => void socket.send(new TextEncoder().encode(text), from)),
      });
      return socket;
    };
    const lab = new Lab({ nat: 'port-restricted-cone', second: { nat: 'full-cone' }, patienceMs: 60_000 });
    const results = await lab.run(async (env) => {
      const other = lab.host('C2');
      // A server on C2 that echoes, a client on A.
      const server = await listen(other, 51820, (text, answer) => answer(`echo ${text}`));
      const runs = [
        run(['connect', code, ...SERVER, '--forward', '51820'], { env, signal: stop.signal }),
        run(['connect', code, ...SERVER, '--forward', '127.0.0.1:51820'], { env: other, signal: stop.signal }),
      ];
      await sleep(env, 1000);
      const client = await listen(env, undefined, (text) => heard.push(text));
      for (const text of ['one', 'two'])
        await client.send(new TextEncoder().encode(text), { address: '127.0.0.1', port: 51820 });
      await sleep(env, 500);
      stop.abort(new DOMException('interrupted', 'AbortError'));
      const ended = await Promise.all(runs);
      client.close();
      server.close();
      return ended;
    });
    expect(heard).toEqual(['echo one', 'echo two']);
    expect(results.map(({ status }) => status)).toEqual([0, 0]);
  });

  it('hands the open port to a command, and says how that ended', async () => {
    const code = await aFreshCode();
    const heard: string[] = [];
    const lab = new Lab({ nat: 'port-restricted-cone', second: { nat: 'port-restricted-cone' }, patienceMs: 60_000 });
    /** A command that takes the port over, greets the other one and hears it. */
    const program =
      (env: Env, ends: number | null): NonNullable<RunOptions['shell']> =>
      async (command, { NAT_TOOL_LOCAL: local = '', NAT_TOOL_REMOTE: remote = '' }) => {
        const [at, to] = [parseEndpoint(local), parseEndpoint(remote)];
        if (!at || !to) throw new Error('no endpoints');
        const socket = await env.udp.open({ family: 4, port: at.port });
        socket.listen({
          datagram: ({ data, from }) =>
            heard.push(
              `${new TextDecoder().decode(data)} from ${formatEndpoint(from)}, as told: ${sameEndpoint(from, to)}`,
            ),
        });
        for (let i = 0; i < 5; i++) {
          await socket.send(new TextEncoder().encode(command), to);
          await sleep(env, 200);
        }
        socket.close();
        return ends;
      };
    const [a, b] = await lab.run((env) => {
      const other = lab.host('C2');
      return Promise.all([
        run(['connect', code, ...SERVER, '--exec', 'greet-a', '--json'], { env, shell: program(env, 0) }),
        run(['connect', code, ...SERVER, '--exec', 'greet-b', '--json'], { env: other, shell: program(other, 7) }),
      ]);
    });
    expect(heard).toContain('greet-a from 12.13.14.15:24604, as told: true');
    expect(heard).toContain('greet-b from 22.23.24.25:24604, as told: true');
    expect([a.status, json(a).data['path'], json(a).findings]).toEqual([0, 'direct', []]);
    expect([b.status, json(b).data['path'], json(b).findings]).toEqual([
      1,
      'direct',
      [expect.objectContaining({ kind: 'command-failed', status: 7 })],
    ]);
  });

  it.each([
    [[], true],
    [['--json'], false],
    [['--plain'], false],
    [['--short'], false],
  ])('a command has standard input and output for its own, unless a report goes there: %j', async (words, its) => {
    const code = await aFreshCode();
    const given: boolean[] = [];
    const side: Side = {
      words: [code, ...SERVER, '--exec', 'x', ...words],
      shell: async (_command, _variables, _signal, ourPlace) => {
        given.push(ourPlace);
        return 0;
      },
    };
    const [a] = await both(side, side);
    expect([given, a.status, a.stdout === '']).toEqual([[its, its], 0, its]);
  });

  it.each([
    ['an interrupt', (): RunOptions => ({ signal: AbortSignal.abort(new DOMException('stop', 'AbortError')) })],
    ['nobody', (): RunOptions => ({})],
  ])('tells its times to the microsecond: %s', async (_, options) => {
    const lab = new Lab({ patienceMs: 60_000, rttMs: 1 / 3 });
    const result = await lab.run((env) =>
      run(['connect', '--check', '--json', '-w', '1.23456789', ...SERVER], { env, ...options() }),
    );
    const { elapsedMs } = json(result).data;
    expect(String(elapsedMs)).toMatch(/^\d+(\.\d{1,3})?$/);
  });

  /** Standard input that says what it is told, when it is told. */
  const typed = () => {
    const said: string[] = [];
    let wake: () => void = () => {};
    const input = (async function* () {
      for (;;) {
        for (const text of said.splice(0)) yield Buffer.from(text);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    })();
    const say = (text: string): void => {
      said.push(text);
      wake();
    };
    return { input, say };
  };

  /** Both show something on standard error that the other one must be given. */
  async function byHand(
    words: readonly string[],
    pick: RegExp,
    options: LabOptions,
    hint: string | 'own' = '',
    each: readonly (readonly string[])[] = [[], []],
    environment: Readonly<Record<string, string>> = {},
    slowMs = 0,
  ): Promise<RunResult[]> {
    const lab = new Lab({ patienceMs: 60_000, ...options });
    return lab.run(async (env) => {
      const [a, b] = [typed(), typed()];
      const side = (
        at: Env,
        input: AsyncIterable<Uint8Array>,
        self: (text: string) => void,
        other: (text: string) => void,
        extra: readonly string[],
      ): Promise<RunResult> => {
        let shown = '';
        let passed = false;
        return run(['connect', '--manual', '--check', ...words, ...extra], {
          env: at,
          environment,
          stdin: input,
          onStderr: (text) => {
            shown += text;
            const found = pick.exec(shown)?.[0];
            if (!found || passed) return;
            passed = true;
            // Somebody pastes back what stands on the same screen.
            if (hint === 'own') self(`${found}\n\n`);
            // The second is given what the first shows when its user comes to it.
            env.clock.after(at === env ? slowMs : 0, () => other(`${hint === 'own' ? '' : hint}${found}\n\n`));
          },
        });
      };
      return Promise.all([
        side(env, a.input, a.say, b.say, ['--json', ...(each[0] ?? [])]),
        side(lab.host('C2'), b.input, b.say, a.say, ['--json', ...(each[1] ?? [])]),
      ]);
    });
  }

  it.each([
    ['port-restricted-cone', 'port-restricted-cone', 'direct'],
    ['symmetric,ports=random', 'port-restricted-cone', 'birthday'],
  ])('goes by two tokens and any STUN server: %s and %s', async (nat, nat2, path) => {
    const both = await byHand(
      SERVER,
      /nt3\.\S+(?=\n)/,
      {
        nat,
        second: { nat: nat2 },
        servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10', '40.30.20.11'], faults: ['duplicate'] }],
      },
      'nt3.broken\n',
    );
    expect(both.map((each) => [each.status, json(each).data['path']])).toEqual([
      [0, path],
      [0, path],
    ]);
    expect(both[0]?.stderr).toContain('damaged');
  });

  it.each([
    [
      'both',
      [
        ['--relay', RELAY],
        ['--relay', RELAY],
      ],
      'relay',
    ],
    ['the first', [['--relay', RELAY], []], 'relay'],
    ['the second', [[], ['--relay', RELAY]], 'relay'],
    ['none', [[], []], null],
    ['one, and the other wants none', [['--relay', RELAY], ['--no-relay']], null],
  ])('goes by a relay that is in the token where there is no other way: of %s', async (_, each, path) => {
    const lab: LabOptions = { nat: RANDOM, second: { nat: RANDOM }, turn: true };
    const login = { NAT_TOOL_USERNAME: LAB_LOGIN.username, NAT_TOOL_PASSWORD: LAB_LOGIN.password };
    const both = await byHand(SERVER, /nt3\.\S+(?=\n)/, lab, '', each, login);
    expect(both.map((each) => [each.status, json(each).data['path']])).toEqual(Array(2).fill([path ? 0 : 1, path]));
  });

  it('waits for people: the relay of a host whose user pastes two minutes later', async () => {
    const lab: LabOptions = { nat: RANDOM, second: { nat: RANDOM }, turn: true };
    const login = { NAT_TOOL_USERNAME: LAB_LOGIN.username, NAT_TOOL_PASSWORD: LAB_LOGIN.password };
    const words = [...SERVER, '-w', '600'];
    const both = await byHand(words, /nt3\.\S+(?=\n)/, lab, '', [[], ['--relay', RELAY]], login, 120_000);
    expect(both.map((each) => [each.status, json(each).data['path']])).toEqual(Array(2).fill([0, 'relay']));
  });

  it('says so where no relay comes to be in the token, and goes on', async () => {
    const login = { NAT_TOOL_USERNAME: LAB_LOGIN.username, NAT_TOOL_PASSWORD: 'wrong' };
    const lab: LabOptions = { nat: 'full-cone', second: { nat: 'full-cone' }, turn: true };
    const both = await byHand(SERVER, /nt3\.\S+(?=\n)/, lab, '', [['--relay', RELAY], []], login);
    expect(both.map((each) => [each.status, json(each).data['path']])).toEqual(Array(2).fill([0, 'direct']));
    expect(both[0]?.stderr).toMatch(/No relay is in the token: .*401/);
  });

  it('needs no relay where there is a direct way, though it has one', async () => {
    const relay = ['--relay', RELAY];
    const login = { NAT_TOOL_USERNAME: LAB_LOGIN.username, NAT_TOOL_PASSWORD: LAB_LOGIN.password };
    const both = await byHand(
      SERVER,
      /nt3\.\S+(?=\n)/,
      { nat: 'full-cone', second: { nat: 'full-cone' }, turn: true },
      '',
      [relay, relay],
      login,
    );
    expect(both.map((each) => [each.status, json(each).data['path']])).toEqual(Array(2).fill([0, 'direct']));
  });

  it.each(['lie-private', 'lie-zero', 'lie-family'] as const)(
    'believes no server that says what cannot be true: %s',
    async (fault) => {
      const both = await byHand([...SERVER], /nt3\.\S+(?=\n)/, {
        nat: 'full-cone',
        second: { nat: 'full-cone' },
        limitMs: 1_000_000,
        servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10', '40.30.20.11'], faults: [fault] }],
      });
      for (const each of both) {
        const { data, findings } = json(each);
        expect(findings.map(({ kind }) => kind)).toContain('answer-doubted');
        const timeline = data['timeline'] as { event: string; type?: string; mapping?: string }[];
        expect(timeline.filter(({ type }) => type === 'srflx')).toEqual([]);
        expect(timeline.findLast(({ event }) => event === 'measured')?.mapping).toBe('unknown');
      }
    },
  );

  it('speaks plain SDP', async () => {
    const both = await byHand([...SERVER, '--sdp'], /a=ice-ufrag[\s\S]*end-of-candidates/, {
      nat: 'port-restricted-cone',
      second: { nat: 'full-cone' },
    });
    expect(both.map((each) => [each.status, json(each).data['path']])).toEqual([
      [0, 'direct'],
      [0, 'direct'],
    ]);
  });

  it('takes its own SDP, pasted back, for what it is, and waits on', async () => {
    const both = await byHand(
      [...SERVER, '--sdp'],
      /a=ice-ufrag[\s\S]*end-of-candidates/,
      { nat: 'full-cone', second: { nat: 'full-cone' } },
      'own',
    );
    expect(both.map((each) => [each.status, json(each).data['path']])).toEqual([
      [0, 'direct'],
      [0, 'direct'],
    ]);
    expect(both[0]?.stderr).toContain('those are our own lines');
  });

  it.each([
    ['dead-first-address', '40.30.20.10:3478', '40.30.20.99:3478'],
    ['dead-ipv6', '40.30.20.10:3478', '[2001:db8:40::99]:3478'],
  ] as const)('%s: takes the next address of the server within a second', async (fault, there, dead) => {
    const code = await aFreshCode();
    const side: Side = { words: [code, '--check', '--json', ...SERVER] };
    const clean = await both(side, side, {});
    const found = await both(side, side, withFaults({ nat: 'port-restricted-cone' }, [fault]));
    for (const [i, each] of found.entries()) {
      expect([each.status, json(each).data['path']]).toEqual([0, 'direct']);
      const [with_, without] = [each, clean[i] as RunResult].map((of) => Number(json(of).data['elapsedMs']));
      expect((with_ as number) - (without as number)).toBeLessThanOrEqual(1_000);
    }
    // Where the name leads to a dead address first, that is said.
    const names = found.map(({ stderr }) => stderr.includes(`${dead} is silent; ${there} answers in its place.`));
    expect(names).toEqual(fault === 'dead-ipv6' ? [false, false] : [true, true]);
  });

  it('shows what the other host needs as a QR code too, on standard error', async () => {
    const lab = new Lab({ patienceMs: 60_000 });
    const { stderr, stdout } = await lab.run((env) =>
      run(['connect', '--server', '40.30.20.10', '--qr', '-w', '1'], { env }),
    );
    const [, command = ''] = /On the other host: (.+)\n/.exec(stderr) ?? [];
    expect(stderr).toContain((await qrLines(command)).join('\n'));
    expect(stdout).not.toContain('█');
  });

  it('takes IPv4 where the name leads to a dead IPv6 address first', async () => {
    const code = await aFreshCode();
    const side: Side = { words: [code, '--check', '--json', '--server', 'both.example.net'] };
    const found = await both(side, side, {
      ipv6: 'open',
      names: { 'both.example.net': ['2001:db8:40::99', '40.30.20.10'] },
    });
    for (const each of found) {
      expect([each.status, Number(json(each).data['elapsedMs']) < 1_100]).toEqual([0, true]);
      // IPv4 is asked from the start: nothing has to be said.
      expect(each.stderr).not.toContain('2001:db8:40::99');
    }
  });

  it.each([
    ['silent', { state: 'dead' }, '40.30.20.10:3478 does not answer'],
    ['answers with errors', { faults: ['error'] }, '40.30.20.10:3478 answered with error 500'],
    ['says what cannot be true', { faults: ['lie-private'] }, 'names no address that can be ours'],
    ['says nothing', { faults: ['no-mapped-address'] }, 'names no address that can be ours'],
  ] as const)('says before the line to paste that the server %s', async (_, spec, why) => {
    for (const [words, pick] of [
      [[], /nt3\.\S+(?=\n)/],
      [['--sdp'], /a=ice-ufrag[\s\S]*end-of-candidates/],
    ] as const) {
      const lab = new Lab({
        patienceMs: 60_000,
        servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10'], ...spec }],
      });
      const { stderr, status, stdout } = await lab.run((env) =>
        run(['connect', '--manual', '--check', '--json', ...words, ...SERVER], { env, stdin: '' }),
      );
      const [told, shown] = [stderr.indexOf(why), stderr.search(pick)];
      expect([told >= 0, shown > told, status]).toEqual([true, true, 1]);
      expect(stderr).toContain('serves a host on the same network');
      // And nothing was pasted.
      expect(json({ stdout } as RunResult).findings.map(({ kind }) => kind)).toContain('not-pasted');
    }
  });

  it.each([
    ['nothing', [], '', 'one line that begins with nt3.'],
    ['garbage', [], 'hello there\n', 'one line that begins with nt3.'],
    ['nothing', ['--sdp'], '', 'a=candidate'],
    ['garbage', ['--sdp'], 'hello there\n\n', 'a=candidate'],
  ])('says what is needed where %s is pasted (%j)', async (_, words, stdin, needed) => {
    const lab = new Lab({ patienceMs: 60_000 });
    const result = await lab.run((env) => run(['connect', '--manual', '--check', ...words, ...SERVER], { env, stdin }));
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('Nothing usable was pasted from the other host.');
    expect(result.stderr).toContain(needed);
    expect(result.stderr).not.toContain('..');
    expect(result.stderr).not.toContain('same code');
    if (stdin !== '') expect(result.stderr).toMatch(words.length > 0 ? /cannot be used/ : /A token begins with nt3\./);
  });

  it('says what .local names are worth', async () => {
    const lab = new Lab({ patienceMs: 60_000, limitMs: 1_000_000 });
    const pasted = [
      'a=ice-ufrag:abcd',
      'a=ice-pwd:abcdefghijklmnopqrstuv',
      'a=candidate:1 1 udp 2113937151 4f2e1b7c-0000-4000-8000-000000000000.local 51234 typ host',
      'a=end-of-candidates',
      '',
      '',
    ].join('\n');
    const { stderr, status } = await lab.run((env) =>
      run(['connect', '--manual', '--sdp', '--check', ...SERVER], { env, stdin: pasted }),
    );
    expect(status).toBe(1);
    expect(stderr).toContain('The lines of the other host hold .local names (mDNS)');
  });

  it.each([
    [[] as string[], /nt3\.\S+(?=\n)/],
    [['--sdp'], /a=ice-ufrag[\s\S]*end-of-candidates/],
  ] as const)(
    'gives a STUN server the credentials that it wants, and says where they belong: %j',
    async (words, pick) => {
      const options = {
        nat: 'full-cone',
        second: { nat: 'port-restricted-cone' },
        limitMs: 1_000_000,
        servers: [
          { name: 'stun.example.net', addresses: ['40.30.20.10', '40.30.20.11'], faults: ['wants-login' as const] },
        ],
      };
      const environment = { NAT_TOOL_USERNAME: LOGIN.username, NAT_TOOL_PASSWORD: LOGIN.password };
      const both = await byHand([...SERVER, ...words], pick, options, '', [[], []], environment);
      expect(both.map((each) => [each.status, json(each).data['path']])).toEqual([
        [0, 'direct'],
        [0, 'direct'],
      ]);
      const lab = new Lab({ patienceMs: 60_000, ...options });
      for (const [own, said] of [
        [{}, 'it wants a user name and password (NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD)'],
        [
          { ...environment, NAT_TOOL_PASSWORD: 'wrong' },
          'it does not take the user name and password in NAT_TOOL_USERNAME',
        ],
      ] as const) {
        const { stderr } = await lab.run((env) =>
          run(['connect', '--manual', '--check', ...words, ...SERVER], { env, stdin: '', environment: own }),
        );
        expect([stderr.includes(said), stderr.indexOf(said) < stderr.search(pick)]).toEqual([true, true]);
      }
    },
  );

  it('says that the other host told no public address', async () => {
    const both = await byHand(
      [],
      /nt3\.\S+(?=\n)/,
      {
        nat: 'full-cone',
        second: { nat: 'full-cone' },
        limitMs: 1_000_000,
      },
      '',
      [
        ['--server', '40.30.20.10'],
        ['--server', '40.30.20.99'],
      ],
    );
    expect(both[0]?.stderr).toContain('The other host tells no public address of its own');
    expect(both[1]?.stderr).not.toContain('The other host tells no public address of its own');
  });

  it('tells of a place that is not there, as a report too', async () => {
    const lab = new Lab({ patienceMs: 60_000 });
    const words = ['connect', '--check', '--json', '--server', 'nowhere.invalid'];
    const result = await lab.run(async (env) => run(words, { env }));
    expect(result.status).toBe(1);
    expect(json(result)).toMatchObject({ outcome: 'failed', findings: [{ kind: 'no-meeting-place' }] });
  });

  it('says why two symmetric NATs cannot', async () => {
    const code = await aFreshCode();
    const side: Side = { words: [code, '--check', '--json', ...SERVER] };
    const [a, b] = await both(side, side, { nat: 'symmetric,ports=random', second: { nat: 'symmetric,ports=random' } });
    for (const each of [a, b]) {
      expect(each.status).toBe(1);
      expect(json(each)).toMatchObject({ outcome: 'complete', data: { path: null }, findings: [{ kind: 'no-hole' }] });
      expect(json(each).data['elapsedMs']).toBeLessThan(5_000);
    }
  });

  it.each([
    [[''], /CODE: a code has/],
    [['nonsense'], /CODE: a code has/],
    [['-', '--server', '127.0.0.1'], /CODE: no code on standard input/],
    [['k7qf2-m9x4t-03bsd-v8hw7'], /mistyped/],
    [['--check', '--forward', '1'], /exclude each other/],
    [['--forward', '70000'], /--forward/],
    [['--forward', '22/sctp'], /--forward/],
    [['--forward', '22/tcp', '--forward', '2222:22/tcp'], /twice/],
    [['--line'], /--datagrams/],
    [['--manual', '--sdp', '--relay', 'turn:turn.example.net'], /--relay does not go with --sdp/],
    [['--relay', 'stun:turn.example.net'], /--relay/],
    [['--via', 'rendezvous'], /--via rendezvous: where to meet is missing/],
    [['--broker', 'broker.example.net'], /--broker: expected mqtts:/],
  ])('refuses %j', async (words, message) => {
    const { status, stderr } = await run(['connect', ...words]);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('says so when nobody comes, when the server is none, and when it is dead', async () => {
    const code = await aFreshCode();
    const lab = new Lab({ patienceMs: 60_000 });
    const nobody = await lab.run((env) => run(['connect', code, '--check', '--json', '-w', '20', ...SERVER], { env }));
    expect([nobody.status, json(nobody).findings[0]?.kind, json(nobody).data['elapsedMs']]).toEqual([
      1,
      'nobody-came',
      20_000,
    ]);
    const faulty = await new Lab({
      patienceMs: 60_000,
      servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10'], faults: ['no-other-address'] }],
    }).run((env) => run(['connect', code, '--check', '--json', ...SERVER], { env }));
    expect([faulty.status, json(faulty).findings[0]?.kind]).toEqual([1, 'no-rendezvous']);
    const dead = await new Lab({
      patienceMs: 60_000,
      servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10'], state: 'dead' }],
    }).run((env) => run(['connect', code, '--check', '--json', ...SERVER], { env }));
    expect([dead.status, json(dead).findings[0]?.kind]).toEqual([1, 'no-answer']);
    const closed = await new Lab({
      patienceMs: 60_000,
      servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10'], state: 'closed' }],
    }).run((env) => run(['connect', code, '--check', '--json', ...SERVER], { env }));
    expect([closed.status, json(closed).findings[0]?.kind]).toEqual([1, 'server-refused']);
    expect(json(closed).data['elapsedMs']).toBeLessThan(400);
  });
});

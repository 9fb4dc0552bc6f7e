import { describe, expect, it } from 'vitest';
import { FAMILY, SOURCE } from '../../src/commands/arguments.ts';
import { type Context, defineCommand } from '../../src/commands/command.ts';
import { createLab } from '../../src/lab/topology.ts';
import { NetError, type NetErrorKind } from '../../src/net/env.ts';
import { note, raw, text } from '../../src/render/block.ts';
import { finding } from '../../src/report/finding.ts';
import { type Completeness, startReport } from '../../src/report/report.ts';
import { listOf, run, stillEnv } from './harness.ts';
import { sample } from './sample-command.ts';

/** A command that does what the test says. */
function doing(
  act: (context: Context<{ n: number }>, args: { readonly fail: boolean }) => Promise<Completeness>,
  more: { readonly streams?: boolean; readonly shortWhenPiped?: boolean } = {},
) {
  return listOf(
    defineCommand({
      name: 'do',
      summary: 'do something',
      description: ['Does something.'],
      positionals: {},
      options: { fail: { type: 'boolean', describe: 'answer in the negative' } },
      examples: [],
      async run(args, context: Context<{ n: number }>) {
        const finish = startReport(context.env.clock, 'nat-tool/do@1');
        const outcome = await act(context, args);
        return finish(
          outcome,
          { answer: 42, list: ['a', null] },
          outcome === 'complete' ? [] : [finding('interrupted')],
        );
      },
      view: (report) => [text(`The answer is ${report.data.answer}.`), note('A remark.')],
      short: (report) => String(report.data.answer),
      line: (event) => `event ${event.n}`,
      streams: () => more.streams ?? false,
      ...(more.shortWhenPiped && { shortWhenPiped: true }),
      exitStatus: (_, args) => (args.fail ? 1 : 0),
    }),
  );
}

describe('the forms of an answer', () => {
  const commands = doing(async () => 'complete');

  it('prints the view on standard output and notes on standard error', async () => {
    expect(await run(['do'], { commands })).toEqual({
      status: 0,
      stdout: 'The answer is 42.\n',
      stderr: 'note: A remark.\n',
    });
  });

  it('prints the report as one JSON document', async () => {
    const result = await run(['do', '--json'], { commands });
    expect(JSON.parse(result.stdout)).toEqual({
      schema: 'nat-tool/do@1',
      startedAt: '1970-01-01T00:00:00.000Z',
      durationMs: 0,
      outcome: 'complete',
      data: { answer: 42, list: ['a', null] },
      findings: [],
    });
    expect(result.stderr).toBe('');
  });

  it('prints plain lines', async () => {
    const result = await run(['do', '--plain'], { commands });
    expect(result.stdout).toBe(
      'answer\t42\nlist.0\ta\nlist.1\t\nschema\tnat-tool/do@1\nstartedAt\t1970-01-01T00:00:00.000Z\ndurationMs\t0\noutcome\tcomplete\n',
    );
  });

  it('prints the short answer, with the reason only when it is not a yes', async () => {
    expect(await run(['do', '--short'], { commands })).toEqual({ status: 0, stdout: '42\n', stderr: '' });
    expect(await run(['do', '--short', '--fail'], { commands: doing(async () => 'partial') })).toEqual({
      status: 1,
      stdout: '42\n',
      stderr: 'note: Interrupted: this is what was learnt until then.\n',
    });
  });

  it('is quiet when told to', async () => {
    expect(await run(['do', '-q'], { commands })).toEqual({ status: 0, stdout: 'The answer is 42.\n', stderr: '' });
  });

  it('prints the short answer into a pipe where the command says so', async () => {
    const short = doing(async () => 'complete', { shortWhenPiped: true });
    expect((await run(['do'], { commands: short })).stdout).toBe('42\n');
    expect((await run(['do'], { commands: short, columns: 80 })).stdout).toBe('The answer is 42.\n');
  });
});

describe('streams', () => {
  const commands = doing(
    async (context) => {
      await context.emit({ n: 1 });
      await context.emit({ n: 2 });
      return 'complete';
    },
    { streams: true },
  );

  it('prints a line for each event', async () => {
    expect((await run(['do'], { commands })).stdout).toBe('event 1\nevent 2\nThe answer is 42.\n');
  });

  it('prints JSON lines, the report last', async () => {
    const lines = (await run(['do', '--json'], { commands })).stdout.trimEnd().split('\n');
    expect(lines.slice(0, 2)).toEqual(['{"n":1}', '{"n":2}']);
    expect(JSON.parse(lines[2] ?? '')).toMatchObject({ schema: 'nat-tool/do@1' });
    expect(lines).toHaveLength(3);
  });
});

describe('interruption', () => {
  const aborted = () => {
    const controller = new AbortController();
    controller.abort(new DOMException('interrupted', 'AbortError'));
    return controller.signal;
  };

  it('prints what was learnt and exits 130', async () => {
    const result = await run(['do', '--json'], { commands: doing(async () => 'partial'), signal: aborted() });
    expect(result.status).toBe(130);
    expect(JSON.parse(result.stdout)).toMatchObject({ outcome: 'partial', findings: [{ kind: 'interrupted' }] });
  });

  it('is a normal end for a command that calls itself complete', async () => {
    expect((await run(['do'], { commands: doing(async () => 'complete'), signal: aborted() })).status).toBe(0);
  });

  it('exits 130 when the command threw the reason', async () => {
    const signal = aborted();
    const commands = doing(async () => {
      throw signal.reason;
    });
    expect(await run(['do'], { commands, signal })).toEqual({
      status: 130,
      stdout: '',
      stderr: 'nat-tool do: interrupted\n',
    });
  });
});

describe('a local address', () => {
  const commands = listOf(
    defineCommand({
      name: 'do',
      summary: 'do something',
      description: ['Does something.'],
      positionals: {},
      options: { source: SOURCE, family: FAMILY },
      examples: [],
      run: async (_, context) => startReport(context.env.clock, 'nat-tool/do@1')('complete', {}),
      view: () => [text('Done.')],
      short: () => '',
      exitStatus: () => 0,
    }),
  );
  const inLab = (argv: readonly string[]) => {
    const lab = createLab();
    return lab.run((env) => run(argv, { env, commands }));
  };

  it('of this host is taken', async () => {
    expect(await inLab(['do', '-s', '192.168.1.3'])).toMatchObject({ status: 0 });
  });

  it.each([
    [['-s', '9.9.9.9'], '--source: 9.9.9.9 is not an address of this host'],
    [['-4', '-s', '::1'], '--source: ::1 is not an IPv4 address, as -4 demands'],
    [['-s', 'fe80::1'], '--source: a link-local address needs its interface: fe80::1%eth0'],
  ])('that cannot be used is misuse, and named: %j', async (words, said) => {
    expect(await inLab(['do', ...words])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining(said),
    });
  });
});

describe('failures', () => {
  const failing = (error: unknown) =>
    doing(async () => {
      throw error;
    });

  it.each([
    ['in-use', 2],
    ['denied', 1],
    ['unreachable', 1],
    ['not-available', 2],
  ] satisfies [NetErrorKind, number][])('words a network error (%s) and exits %i', async (kind, status) => {
    expect(await run(['do'], { commands: failing(new NetError(kind, 'port 80 is taken', 'EX')) })).toEqual({
      status,
      stdout: '',
      stderr: 'nat-tool do: port 80 is taken\n',
    });
  });

  it('gives it as a document under --json', async () => {
    const result = await run(['do', '--json'], {
      commands: failing(new NetError('in-use', 'port 80 is taken', 'EADDRINUSE')),
    });
    expect(JSON.parse(result.stdout)).toMatchObject({
      schema: 'nat-tool/error@1',
      outcome: 'failed',
      data: { error: { kind: 'in-use', code: 'EADDRINUSE', message: 'port 80 is taken' } },
    });
    expect(result.stderr).toBe('nat-tool do: port 80 is taken\n');
  });

  it('says that a bug is one, with the stack under -v', async () => {
    const commands = failing(new TypeError('x is undefined'));
    const short = await run(['do'], { commands });
    expect(short).toMatchObject({ status: 70, stdout: '' });
    expect(short.stderr).toContain('internal error: x is undefined\nThis is a bug');
    expect(short.stderr).not.toContain('execute.test.ts');
    expect((await run(['do', '-v'], { commands })).stderr).toContain('execute.test.ts');
  });

  it('does not let foreign text steer the terminal', async () => {
    expect((await run(['do'], { commands: failing(new NetError('other', 'bad \u001b[31m\u009b name')) })).stderr).toBe(
      'nat-tool do: bad \\u001b[31m\\u009b name\n',
    );
  });

  it('names a file that cannot be read', async () => {
    const commands = doing(async (context) => {
      await context.readFile('/none');
      return 'complete';
    });
    expect(await run(['do'], { commands })).toMatchObject({
      status: 2,
      stderr:
        "nat-tool do: cannot read '/none': ENOENT: no such file or directory, open '/none'\nTry 'nat-tool do --help'.\n",
    });
  });
});

describe('what a command may use', () => {
  it('reads files and standard input', async () => {
    const seen: string[] = [];
    const commands = doing(async (context) => {
      seen.push(
        Buffer.from(await context.readFile('list')).toString(),
        Buffer.from(await context.readFile('-')).toString(),
      );
      return 'complete';
    });
    await run(['do'], { commands, files: { list: 'a b' }, stdin: 'c d' });
    expect(seen).toEqual(['a b', 'c d']);
  });

  it('gives up reading when interrupted, though standard input never ends', async () => {
    const interrupt = new AbortController();
    const commands = doing(async (context) => {
      const reading = context.readFile('-');
      interrupt.abort(new DOMException('interrupted', 'AbortError'));
      await reading;
      return 'complete';
    });
    const stdin = (async function* () {
      yield Buffer.from('a');
      await new Promise(() => {});
    })();
    expect(await run(['do'], { commands, stdin, signal: interrupt.signal })).toMatchObject({
      status: 130,
      stderr: 'nat-tool do: interrupted\n',
    });
  });

  it('does not read what has no end', async () => {
    const commands = doing(async (context) => {
      await context.readFile('-');
      return 'complete';
    });
    const piece = new Uint8Array(1 << 20);
    const stdin = (async function* () {
      for (;;) yield piece;
    })();
    expect(await run(['do'], { commands, stdin })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('standard input is too large: more than 64 MiB'),
    });
  });

  it('runs another command line in another world', async () => {
    const outer = defineCommand({
      name: 'outer',
      summary: 'run another',
      description: [],
      positionals: { command: { array: true, commandLine: true, describe: 'which' } },
      options: {},
      examples: [],
      async run(args, context) {
        const env = { ...stillEnv, clock: { ...stillEnv.clock, date: () => new Date(1e12) } };
        return startReport(context.env.clock, 'nat-tool/outer@1')(
          'complete',
          await context.invoke(args.command, { env }),
        );
      },
      view: (report) => [raw(report.data.stdout)],
      short: () => '',
      exitStatus: (report) => report.data.status,
    });
    const commands = { ...listOf(outer, sample) };
    const result = await run(['outer', 'sample', '--json', '192.0.2.1', '-c', '2'], { commands });
    expect(result.status).toBe(1);
    expect(JSON.parse(result.stdout)).toMatchObject({
      schema: 'nat-tool/sample@1',
      startedAt: '2001-09-09T01:46:40.000Z',
      data: { hosts: ['192.0.2.1'] },
    });
    expect((await run(['outer', 'nonsense'], { commands })).status).toBe(2);
  });
});

describe('colour', () => {
  const commands = listOf(sample);
  const coloured = async (argv: string[], environment: Record<string, string>, columns?: number) =>
    (await run(['sample', ...argv], { commands, environment, ...(columns && { columns }) })).stdout.includes('\u001b[');

  it('follows the option, then NO_COLOR, FORCE_COLOR, TERM and the terminal', async () => {
    expect(await coloured([], {}, 80)).toBe(true);
    expect(await coloured([], {})).toBe(false);
    expect(await coloured([], { TERM: 'dumb' }, 80)).toBe(false);
    expect(await coloured([], { FORCE_COLOR: '1', TERM: 'dumb' })).toBe(true);
    expect(await coloured([], { FORCE_COLOR: '0' }, 80)).toBe(false);
    expect(await coloured([], { NO_COLOR: '1', FORCE_COLOR: '1' }, 80)).toBe(false);
    expect(await coloured(['--color'], { NO_COLOR: '1' })).toBe(true);
    expect(await coloured(['--no-color'], { FORCE_COLOR: '1' }, 80)).toBe(false);
  });
});

it('breaks notes at the width of the terminal, but never what is to be copied', async () => {
  const commands = doing(async ({ note }) => {
    note('a few words that do not fit into the line, and then: ', 'nat-tool punch -p 12003 12.13.14.15 24604');
    return 'complete';
  });
  const { stderr } = await run(['do'], { commands, columns: 30 });
  expect(stderr).toBe(
    'a few words that do not fit\ninto the line, and then:\nnat-tool punch -p 12003 12.13.14.15 24604\nnote: A remark.\n',
  );
  // Where it fits it stays in the line.
  for (const options of [{ columns: 99 }, {}])
    expect((await run(['do'], { commands, ...options })).stderr).toMatch(
      /and then: nat-tool punch [^\n]+\nnote: A remark\.\n$/,
    );
});

it('breaks a complaint between words, and never the line that it suggests', async () => {
  const { stderr } = await run(['nc', '-p', '12003', '-u', '192.0.2.1', '12001'], { columns: 24 });
  expect(stderr).toBe(
    "nat-tool: unknown\ncommand 'nc'\nDid you mean 'nat-tool send -p 12003 192.0.2.1 12001'?\nTry 'nat-tool --help'.\n",
  );
});

import { describe, expect, it } from 'vitest';
import { defineCommand } from '../../../src/commands/command.ts';
import lab from '../../../src/commands/lab/lab.ts';
import { text } from '../../../src/render/block.ts';
import { startReport } from '../../../src/report/report.ts';
import { sleep } from '../../../src/net/wait.ts';
import { listOf, run } from '../../cli/harness.ts';

/** Opens a socket at S's door, waits, and says what the clock shows; with `leak` it leaves the socket open. */
const probe = defineCommand({
  name: 'probe',
  summary: 'try the laboratory',
  description: ['For tests.'],
  positionals: {},
  options: { leak: { type: 'boolean', describe: 'leave a socket open' } },
  examples: [],
  async run(args, { env, note, io }) {
    const close = startReport(env.clock, 'nat-tool/probe@1');
    const socket = await env.udp.open({ family: 4 });
    await socket.send(Uint8Array.of(1), { address: '40.30.20.10', port: 3478 });
    await sleep(env.clock, 3_600_000);
    let input = '';
    for await (const part of io.stdin) input += Buffer.from(part).toString();
    if (!args.leak) socket.close();
    note('a remark');
    return close('complete', { hour: env.clock.now(), input });
  },
  view: ({ data }) => [text(`after ${data.hour} ms ${data.input}`.trimEnd())],
  short: ({ data }) => String(data.hour),
  exitStatus: () => 3,
});
const commands = listOf(lab, probe);

describe('nat-tool lab', () => {
  it('starts no program of this machine, from a script neither', async () => {
    const started: string[] = [];
    const shell = async (command: string): Promise<number> => started.push(command);
    const files = { 'a.lab': 'A$ nat-tool public-ip --exec id\n' };
    const once = await run(['lab', 'public-ip', '--exec', 'id'], { shell });
    const script = await run(['lab', '--script', 'a.lab'], { shell, files });
    expect({ status: once.status, started }).toEqual({ status: 2, started: [] });
    expect(once.stderr).toContain('no program runs in the simulated network');
    expect(script.stdout).toContain('no program runs in the simulated network');
  });

  it("prints the tutorial's table and type, and nothing on standard error", async () => {
    const { status, stdout, stderr } = await run(['lab', 'detect']);
    expect(status).toBe(0);
    expect(stdout).toContain('| 192.168.1.3:42301 | 12.13.14.15:24604 | 40.30.20.10:3478 |');
    expect(stdout).toMatch(/port-restricted cone/);
    expect(stderr).toBe('');
  });

  it('interrupts after a day what goes on until somebody does', async () => {
    const goesOn = defineCommand({
      name: 'goes-on',
      summary: 'wait for ever',
      description: ['For tests.'],
      positionals: {},
      options: {},
      examples: [],
      async run(_, { env, signal }) {
        const close = startReport(env.clock, 'nat-tool/goes-on@1');
        await sleep(env.clock, 1e12, signal).catch(() => {});
        return close('partial', { hours: env.clock.now() / 3_600_000 });
      },
      view: ({ data }) => [text(`after ${data.hours} h`)],
      short: () => '',
      exitStatus: () => 0,
    });
    const { status, stdout } = await run(['lab', 'goes-on'], { commands: listOf(lab, goesOn) });
    expect([status, stdout]).toEqual([130, 'after 24 h\n']);
  });

  it('runs an hour at once, and passes output, notes, input and exit status through', async () => {
    expect(await run(['lab', 'probe'], { commands, stdin: 'given' })).toEqual({
      status: 3,
      stdout: 'after 3600000 ms given\n',
      stderr: 'a remark\n',
    });
  });

  it('hands the options after the command to the command', async () => {
    const { stdout } = await run(['lab', '--nat', 'symmetric', 'detect', '--short']);
    expect(stdout).toBe('symmetric\n');
  });

  it('reports NAT, truth and table as JSON', async () => {
    const { stdout } = await run(['lab', '--json', '--nat', 'full-cone', 'probe'], { commands });
    const report = JSON.parse(stdout);
    expect(report.schema).toBe('nat-tool/lab@2');
    expect(report.data.kind).toBe('one');
    expect(report.data.runs[0]).toMatchObject({
      nat: 'full-cone',
      truth: { type: 'full-cone' },
      status: 3,
      report: { schema: 'nat-tool/probe@1' },
    });
  });

  it('draws the ladder', async () => {
    const { stdout } = await run(['lab', '--trace', 'probe'], { commands });
    expect(stdout).toContain('A=192.168.1.3, N=12.13.14.15, S=40.30.20.10');
    expect(stdout).toContain('│────────▶│────────▶│  A:42301 (N:24604) → S:3478 1 byte');
    expect(stdout).toMatch(/N adds {2}A:42301 \| N:24604 \| S:3478/);
  });

  it('tries every NAT, truth beside verdict', async () => {
    const { status, stdout } = await run(['lab', '--all', '--loss', '5', '--seed', '3', 'detect']);
    expect(stdout).toContain('All 13 right.');
    expect(status).toBe(0);
    expect((await run(['lab', '--all', 'probe'], { commands })).status).toBe(1);
  });

  it('does the same for the same seed', async () => {
    const once = () =>
      run([
        'lab',
        '--json',
        '--loss',
        '10',
        '--jitter',
        '5',
        '--seed',
        '9',
        '--nat',
        'symmetric,ports=random',
        'detect',
        '--json',
      ]);
    const inner = ({ stdout }: { stdout: string }) => JSON.parse(stdout).data;
    expect(inner(await once())).toEqual(inner(await once()));
  });

  it.each([
    [['--nat', 'symetric', 'detect'], "got 'symetric'", "Did you mean 'symmetric'?"],
    [['--nat', 'full-cone,ports=sequental', 'detect'], "got 'ports=sequental'", "Did you mean 'sequential'?"],
    [['--loss', '101', 'detect'], '--loss: expected a percentage', ''],
    [['--rtt', 'fast', 'detect'], '--rtt: expected milliseconds', ''],
    [['--fault', 'lazy', 'detect'], '--fault: expected faults among', ''],
    [['--all', '--trace', 'detect'], '--trace shows one NAT', ''],
    [['lab', 'detect'], 'lab cannot run inside lab', ''],
    [['detekt'], "unknown command 'detekt'", "Did you mean 'detect'?"],
    [['tutoral'], "unknown command 'tutoral'", "Did you mean 'tutorial'?"],
    [['matix'], "unknown command 'matix'", "Did you mean 'matrix'?"],
    [['tutorial', 'detect'], "lab tutorial takes options only, not 'detect'", ''],
    [['tutorial', '--jsn'], "unknown option '--jsn'", "Did you mean '--json'?"],
    [['tutorial', '--all'], '--all tries one command', ''],
  ])('refuses %j', async (argv, message, hint) => {
    const { status, stderr } = await run(['lab', ...argv]);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
  });

  it('calls a leak what it is: a bug', async () => {
    const { status, stderr } = await run(['lab', 'probe', '--leak'], { commands });
    expect(status).toBe(70);
    expect(stderr).toContain('UDP socket 0.0.0.0:42301');
  });
});

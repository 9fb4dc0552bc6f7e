import { describe, expect, it } from 'vitest';
import type { Played, ScriptStep } from '../../../src/commands/lab/data.ts';
import { parseScript } from '../../../src/commands/lab/script.ts';
import { run } from '../worlds.ts';

async function played(
  argv: readonly string[],
  files: Readonly<Record<string, string>> = {},
): Promise<{ steps: readonly ScriptStep[]; tables: Played['tables']; printed(host: string): string }> {
  const { status, stdout, stderr } = await run(['lab', '--json', ...argv], { files });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const { steps, tables } = JSON.parse(stdout).data.script as Played;
  return {
    steps,
    tables,
    printed: (host) =>
      steps
        .flatMap(({ output }) => output)
        .filter((each) => each.host === host && each.stream === 'stdout')
        .map(({ text }) => text)
        .join(''),
  };
}

describe('the tutorial', () => {
  it('goes as it says: nothing before the punch, the payload after it, nothing when it is too late, and two NATs meet', async () => {
    const { steps, tables, printed } = await played(['tutorial']);
    expect(printed('A')).toContain('udp hole\n');
    expect(printed('A')).not.toMatch(/too (early|late)/);
    const last = steps.filter(({ kind }) => kind === 'run').at(-1);
    expect(last).toMatchObject({ host: 'C2', status: 0 });
    expect(printed('C2')).toMatch(/Open both ways: 12\.13\.14\.15:\d+ answers in 40\.0 ms/);
    // Each side's row is the other's, seen from there.
    const [n, n2] = tables.map(({ rows }) => rows.find(({ remote }) => !remote.startsWith('40.30.20.')));
    expect([n?.public, n?.remote]).toEqual([n2?.remote, n2?.public]);
    // Every step that sends shows its packets.
    for (const step of steps.filter(({ kind, text }) => kind === 'run' && / (send|punch|public-ip|stun) /.test(text)))
      expect(step.diagram.steps.length).toBeGreaterThan(0);
  });

  it.each([
    ['none', ['too early', 'udp hole', 'too late'], true],
    ['full-cone', ['udp hole'], true],
    ['restricted-cone', ['udp hole'], true],
    ['cgnat', ['udp hole'], true],
    ['symmetric', [], false],
    ['blocked', [], false],
    // Its own stack answers the early packet, and that entry takes the port (see poison in nat-tool-lab(1)).
    ['linux', [], true],
  ] as const)('behind %s it goes as that NAT has it', async (nat, arrive, meet) => {
    const { printed } = await played(['--nat', nat, 'tutorial']);
    for (const text of ['too early', 'udp hole', 'too late'] as const)
      expect([text, printed('A').includes(text)]).toEqual([text, (arrive as readonly string[]).includes(text)]);
    expect(printed('C2').includes('Open both ways')).toBe(meet);
  });

  it('fits three screens of 80 columns and 24 lines', async () => {
    const { stdout } = await run(['lab', 'tutorial', '--no-color'], { columns: 80 });
    const lines = stdout.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(3 * 24);
    // A command is there to be copied, and is not broken.
    expect(lines.filter((line) => line.length > 80 && !/^\w+\$ /.test(line))).toEqual([]);
  });

  it('takes options of lab, and those of every command, after its name too', async () => {
    const [before, after] = await Promise.all([
      run(['lab', '--json', '--nat', 'symmetric', '--seed', '3', 'tutorial']),
      run(['lab', 'tutorial', '--json', '--nat', 'symmetric', '--seed', '3']),
    ]);
    const dataOf = ({ stdout }: { readonly stdout: string }): unknown => JSON.parse(stdout).data;
    expect(dataOf(after)).toEqual(dataOf(before));
    expect(await run(['lab', 'tutorial', '-q', '--short'])).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  it('is the same every time', async () => {
    const runs = await Promise.all([run(['lab', 'tutorial']), run(['lab', 'tutorial'])]);
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[0]?.stdout).toContain('6. Two NATs');
  });
});

describe('a script', () => {
  it('is one statement a line', () => {
    expect(
      parseScript(`## Title\n# words\n\nA$ echo "a  b" c | nat-tool send -p 1 'x y' $B &\nwait 2.5\nstop C2\n`, 's'),
    ).toEqual([
      { kind: 'title', text: 'Title' },
      { kind: 'say', text: 'words' },
      {
        kind: 'run',
        host: 'A',
        command: `echo "a  b" c | nat-tool send -p 1 'x y' $B &`,
        words: ['send', '-p', '1', 'x y', '$B'],
        stdin: 'a  b c\n',
        background: true,
      },
      { kind: 'wait', ms: 2500 },
      { kind: 'stop', host: 'C2' },
    ]);
  });

  it.each([
    ['hello', "line 1: expected 'HOST$ nat-tool …'"],
    ['\nwait soon', 'line 2: expected'],
    ['wait 1000000', 'line 1: expected waits of 86400 seconds in all at most'],
    ['wait 80000\nwait 80000', 'line 2: expected waits of 86400 seconds in all at most'],
    ['A$ ls', 'expected a nat-tool command'],
    ['A$ cat x | nat-tool send B 1', "'echo TEXT | nat-tool …' as the only kind of pipe"],
    ['A$ nat-tool', 'expected a nat-tool command'],
    ['X$ nat-tool stun', "no host 'X'; there are A"],
    ['A$ nat-tool send --data x $NOBODY 1', '$NOBODY is not known'],
  ])('%j is refused with its line', async (script, message) => {
    const { status, stderr } = await run(['lab', '--script', 'file'], { files: { file: script } });
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });

  it('prints nothing that steers the terminal, whatever the script and the packets hold', async () => {
    const script = 'B$ nat-tool listen -p 9 -c 1 --raw &\nA$ echo "\u001b[2Jx\u0007" | nat-tool send $B 9\n';
    const { status, stdout } = await run(['lab', '--nat', 'full-cone', '--script', 'file'], {
      files: { file: script },
    });
    expect(status).toBe(0);
    expect(stdout).toContain('B: \\u001b[2Jx\\u0007\n');
    expect(stdout).toContain('A$ nat-tool send'.slice(0, 3));
    expect(stdout).not.toMatch(/[\u0000-\u0008\u000b-\u001f]/);
  });

  it('knows addresses and what was learnt, runs in the background, and stops', async () => {
    const script = [
      'B$ nat-tool listen -p 9 -k --raw &',
      'A$ echo one | nat-tool send -q -p 5 $B 9',
      'stop B',
      'A$ nat-tool punch -p 7 -c 1 --stun stun.example.net $B 9',
      'B$ echo two | nat-tool send -q -p 9 $A_PUBLIC',
    ].join('\n');
    const { steps, printed } = await played(['--nat', 'full-cone', '--script', 'file'], { file: script });
    expect(printed('B')).toBe('one\n');
    expect(steps.map(({ text }) => text).at(-1)).toMatch(/send -q -p 9 12\.13\.14\.15:246\d\d$/);
    expect(steps.at(-1)?.diagram.steps.some((step) => step.kind === 'packet' && step.to === 'A')).toBe(true);
  });

  it.each([
    [[], 'missing argument'],
    [['--script', 'f', 'stun'], 'one command more'],
    [['--all', 'tutorial'], '--all tries one command'],
    [['--script', 'none'], "cannot read 'none'"],
  ])('misuse %j', async (words, message) => {
    const { status, stderr } = await run(['lab', ...words], { files: { f: '' } });
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });
});

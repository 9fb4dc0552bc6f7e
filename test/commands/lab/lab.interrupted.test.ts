import { expect, it } from 'vitest';
import type { Command } from '../../../src/commands/command.ts';
import { COMMANDS } from '../../../src/commands/index.ts';
import { listOf, run } from '../../cli/harness.ts';
import { interruptible } from '../worlds.ts';

const command = async (name: string): Promise<Command> => (await COMMANDS[name]?.()) as Command;

/** Runs `lab` until the n-th time that it runs this command: then the user presses Ctrl-C. */
async function interruptedAt(n: number, name: string, argv: readonly string[]) {
  const { signal, interrupt } = interruptible();
  const inner = await command(name);
  let runs = 0;
  const counted: Command = {
    ...inner,
    run: (args, context) => {
      if (++runs === n) interrupt();
      return inner.run(args, context);
    },
  };
  return run(['lab', ...argv], { commands: listOf(await command('lab'), counted), signal });
}

it('lab --all keeps what was tried before Ctrl-C, and exits 130', async () => {
  const { status, stdout, stderr } = await interruptedAt(4, 'detect', ['--all', 'detect']);
  expect(status).toBe(130);
  expect(stdout).toMatch(/^\| full-cone +\| full-cone +\| full-cone +\|.*\n\n3 of 3 right\.\n$/m);
  expect(stderr).toContain('Interrupted');
  const { stdout: json } = await interruptedAt(4, 'detect', ['--all', '--json', 'detect']);
  expect(JSON.parse(json)).toMatchObject({
    outcome: 'partial',
    data: { verdicts: { length: 3 } },
    findings: [{ kind: 'interrupted' }],
  });
});

it('lab matrix keeps the pairs that were tried before Ctrl-C, and exits 130', async () => {
  const { status, stdout } = await interruptedAt(5, 'connect', ['matrix', '--json']);
  expect(status).toBe(130);
  expect(JSON.parse(stdout)).toMatchObject({ outcome: 'partial', data: { pairs: { length: 2 } } });
});

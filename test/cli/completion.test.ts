import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { SHELLS, completionCommand, completionScript } from '../../src/cli/completion.ts';
import { loadAll } from '../../src/cli/execute.ts';
import { allCommands } from './harness.ts';
import { sample } from './sample-command.ts';

const completion = completionCommand(async () => []);
const script = completionScript('bash', [sample, completion]);
const has = (shell: string) => spawnSync(shell, ['-c', 'true']).error === undefined;

/** What bash offers for the last word. */
const offers = (...words: string[]): string[] => offersOf(script, words);

function offersOf(script: string, words: readonly string[]): string[] {
  const typed = ['nat-tool', ...words].map((word) => `'${word}'`).join(' ');
  const drive = `${script}\nCOMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _nat_tool; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return spawnSync('bash', ['--norc', '-c', drive], { encoding: 'utf8' }).stdout.trim().split('\n');
}

describe.runIf(has('bash'))('completion for bash', () => {
  it.each([
    [['sa'], ['sample']],
    [['sample', '--ti'], ['--timeout']],
    [
      ['sample', '--mode', ''],
      ['fast', 'slow'],
    ],
    [['sample', '-v', '--mode', 's'], ['slow']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['--ver'], ['--verbose', '--version']],
    [['sample', '--ud'], ['']],
    [['help', 'comp'], ['completion']],
  ])('of %j offers %j', (words, expected) => {
    expect(offers(...words)).toEqual(expected);
  });

  it.each([
    [['lab', '--nat', 'sym'], ['symmetric']],
    [['lab', '--nat', 'symmetric', 'det'], ['detect']],
    [['lab', '--nat', 'symmetric', 'detect', '--exp'], ['--expect']],
    [['detect', '--port', ''], ['']],
    [['stun', '--servers', 'package.j'], ['package.json']],
  ])('of the real %j offers %j', async (words, expected) => {
    expect(offersOf(completionScript('bash', await loadAll(allCommands())), words)).toEqual(expected);
  });
});

describe('the scripts', () => {
  it.each(SHELLS)('for %s are ones that it can read', async (shell) => {
    const all = completionScript(shell, [...(await loadAll(allCommands())), sample]);
    expect(all).toContain('sample');
    if (has(shell)) expect(spawnSync(shell, ['-n'], { input: all, encoding: 'utf8' }).stderr).toBe('');
  });
});

import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/commands/index.ts';
import { run } from './worlds.ts';

/** Every line that the tool itself words; what a server or a peer calls itself is not in these. */
const COMMAND_LINES: readonly (readonly string[])[] = [
  [],
  ['help'],
  ...Object.keys(COMMANDS).map((name) => [name, '--help']),
  ['lab', '--nat', 'symmetric,ports=block:512', 'detect'],
  ['lab', '--nat', 'symmetric', '-v', 'detect'],
  ['lab', '--trace', 'stun', 'stun.example.net'],
  ['lab', '--nat', 'x'.repeat(300), 'detect'],
  ['lab', 'tutorial'],
];

describe.each([{ TERM: 'dumb' }, { LANG: 'C', NO_COLOR: '1' }])('with %j', (environment) => {
  it.each(COMMAND_LINES)('ASCII is enough: %j', async (...argv) => {
    const { stdout, stderr } = await run(argv, { environment, columns: 80 });
    expect(stdout + stderr).toMatch(/^[\x20-\x7e\n]+$/);
  });
});

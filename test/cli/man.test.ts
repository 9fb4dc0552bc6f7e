import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadAll } from '../../src/cli/execute.ts';
import { commandHelp } from '../../src/cli/help.ts';
import { manPages } from '../../src/cli/man.ts';
import { allCommands } from './harness.ts';
import { sample } from './sample-command.ts';

const MAN = fileURLToPath(new URL('../../man/', import.meta.url));
const commands = await loadAll(allCommands());
const pages = manPages(commands);
const linter = spawnSync('mandoc', ['-Tlint', '/dev/null']).error === undefined;

describe('the man pages', () => {
  // `npm run man` writes them.
  it.each([...pages])('%s is current', async (name, page) => {
    await expect(page).toMatchFileSnapshot(`${MAN}${name}`);
  });

  it('are those of the commands, and no others', () => {
    expect(readdirSync(MAN).sort()).toEqual([...pages.keys()].sort());
  });

  it.runIf(linter).each([...pages, ...manPages([sample])])('%s is clean', (name, page) => {
    const lint = spawnSync('mandoc', ['-Tlint', '-W', 'style'], { input: page, encoding: 'utf8' });
    // A page refers to its neighbours by name; the linter looks for them where the system keeps its own.
    const complaints = lint.stdout
      .split('\n')
      .filter((line) => line !== '' && !line.includes('referenced manual not found'));
    expect(complaints, name).toEqual([]);
  });

  it.runIf(linter)('show options and defaults as the user types them', () => {
    const text = execFileSync('mandoc', ['-Tascii'], {
      input: manPages([sample]).get('nat-tool-sample.1') ?? '',
      encoding: 'utf8',
    }).replace(/.\u0008/g, '');
    expect(text).toContain('-w SECONDS, --timeout SECONDS');
    expect(text).toMatch(/\(default:\s+2\)/);
    expect(text).toContain('$ nat-tool sample -c 2 192.0.2.1 3478');
    expect(text).not.toContain('udp');
  });
});

describe('the help', () => {
  it.each(commands)('of $name fits into 80 columns, but for what is to be typed', (command) => {
    const wide = commandHelp(command, 80)
      .split('\n')
      .filter((line) => line.length > 80 && !line.startsWith('  $ '));
    expect(wide).toEqual([]);
  });
});

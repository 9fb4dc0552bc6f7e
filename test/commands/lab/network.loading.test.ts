import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { CommandList } from '../../../src/commands/index.ts';
import { COMMANDS } from '../../../src/commands/index.ts';
import { run } from '../../cli/harness.ts';

/** Commands that take many turns of the event loop to load, once. */
function slow(): CommandList {
  const loaded = new Set<string>();
  return Object.fromEntries(
    Object.entries(COMMANDS).map(([name, load]) => [
      name,
      async () => {
        if (name !== 'lab') for (let i = 0; i < 500 && !loaded.has(name); i++) await setImmediate();
        loaded.add(name);
        return load();
      },
    ]),
  );
}

describe('virtual time stands still', () => {
  // In a file of its own, and first: nothing has been loaded yet.
  it('while what sets tables is being loaded', async () => {
    const line = ['lab', '--all', '--loss', '5', 'detect'];
    const first = await run(line);
    expect(first.status).toBe(0);
    expect(await run(line)).toEqual(first);
  });

  it.each([
    ['lab', '--nat', 'symmetric', '--nat2', 'full-cone', '--json', 'connect', '--check'],
    ['lab', '--nat', 'symmetric', '--nat2', 'full-cone', '--json', 'connect', '--check', '-v'],
    ['lab', '--json', 'detect'],
  ])('while a command is being loaded: %s %s %s %s %s %s %s', async (...line) => {
    const before = await run(line, { commands: slow() });
    expect(before.status).toBe(0);
    expect(await run(line)).toEqual(before);
  });
});

import { afterAll, describe, expect, it } from 'vitest';
import { SHELLS, completionCommand, completionScript } from '../../../src/cli/completion/completion.ts';
import { loadAll } from '../../../src/cli/execute.ts';
import { allCommands } from '../harness.ts';
import { sample } from '../sample-command.ts';
import { Completing, has } from './shells.ts';

const real = await loadAll(allCommands());
const few = [sample, completionCommand(async () => [])];

describe.each(SHELLS)('completion for %s', (shell) => {
  it('names every command', () => {
    const script = completionScript(shell, real);
    for (const { name } of real) expect(script).toContain(name);
  });

  describe.runIf(has(shell) || process.env['NAT_TOOL_REQUIRE_KERNEL'] === '1')('in the shell itself', () => {
    const [ofFew, ofAll] = [few, real].map((commands) => new Completing(shell, completionScript(shell, commands)));
    afterAll(() => {
      ofFew?.end();
      ofAll?.end();
    });

    it('is a script that it can read', () => {
      expect(ofAll?.complaints()).toBe('');
    });

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
        ['bash', 'fish', 'zsh'],
      ],
      [['sample', '--ud'], []],
      [['help', 'comp'], ['completion']],
    ])('of %j offers %j', (words, expected) => {
      expect(ofFew?.offers(words)).toEqual(expected);
    });

    it.each([
      [['lab', '--nat', 'sym'], ['symmetric']],
      [['lab', '--nat', 'symmetric', 'det'], ['detect']],
      [['lab', '--nat', 'symmetric', 'detect', '--exp'], ['--expect']],
      [['detect', '--port', ''], []],
      [['stun', '--servers', 'package.j'], ['package.json']],
      [['pair', 'package.j'], ['package.json']],
      [['pair', 'package.json', 'package.j'], ['package.json']],
      [['--json', 'det'], ['detect']],
      [['--js'], ['--json']],
      [['-v', '--quiet', 'detect', '--exp'], ['--expect']],
      [['lab', 'mat'], ['matrix']],
      [['lab', 'tut'], ['tutorial']],
      [['lab', 'matrix', '--see'], ['--seed']],
      [['lab', '--json', '--script', 'package.j'], ['package.json']],
      [['lab', '--nat', 'symmetric', 'pair', 'package.j'], ['package.json']],
      [['public-ip', '--via', 'ht'], ['https']],
      [['lab', 'public-ip', '--via', 'ht'], ['https']],
    ])('of the real %j offers %j', (words, expected) => {
      expect(ofAll?.offers(words)).toEqual(expected);
    });

    it('goes on after a comma where the value is a list', () => {
      const last = (offers: readonly string[] = []) => offers.map((each) => each.slice(each.lastIndexOf(',') + 1));
      expect(last(ofAll?.offers(['detect', '--expect', 'cone,p2']))).toEqual(['p2p']);
      expect(last(ofAll?.offers(['lab', '--fault', 'no-other']))).toEqual(['no-other-address']);
      expect(last(ofAll?.offers(['public-ip', '--via', 'stun,d']))).toEqual(['dns']);
    });
  });
});

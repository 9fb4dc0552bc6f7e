import { describe, expect, it } from 'vitest';
import { ourLine } from '../../src/cli/foreign.ts';
import { parseCommand } from '../../src/cli/parse.ts';
import { COMMANDS } from '../../src/commands/index.ts';

const ours = (line: string): string | undefined => ourLine(line.split(' '), Object.keys(COMMANDS));

describe('a line as another program takes it', () => {
  it.each([
    ['-u -l -p 12001', 'listen -p 12001'],
    ['-lup 12001', 'listen -p 12001'],
    ['nc -u -l 12001', 'listen -p 12001'],
    ['nc -lku 192.0.2.1 12001', 'listen -p 12001 -k'],
    ['netcat --udp --listen --source-port=12001', 'listen -p 12001'],
    ['ncat -6 -u -w 3 2001:db8::1 12001', 'send -w 3 -6 2001:db8::1 12001'],
    ['nc -p 12003 -u 192.0.2.1 12001', 'send -p 12003 192.0.2.1 12001'],
    ['hping3 -c 1 -2 -s 12001 -p 12003 192.0.2.1', 'punch -p 12001 -c 1 192.0.2.1 12003'],
    ['-c 1 -2 -s 12001 -p 12003 192.0.2.1', 'punch -p 12001 -c 1 192.0.2.1 12003'],
    ['-2 -p 12003 192.0.2.1', 'punch 192.0.2.1 12003'],
    ['--udp -p 12003 -d 100 192.0.2.1', 'punch -d 100 192.0.2.1 12003'],
    ['--udp -p 12003 192.0.2.1 12001', 'send -p 12003 192.0.2.1 12001'],
    ['punch -c1 -2 -s 12001 -p 12003 192.0.2.1', 'punch -p 12001 -c 1 192.0.2.1 12003'],
    [
      'hping3 --udp -k --baseport 12001 -p ++12003 -i u500000 -t 3 -d 9 192.0.2.1',
      'punch -p 12001 -i 0.5 -t 3 -d 9 192.0.2.1 12003',
    ],
  ])('%s: nat-tool %s', async (theirs, line) => {
    expect(ours(theirs)).toBe(`nat-tool ${line}`);
    const [name = '', ...words] = line.split(' ');
    const command = await COMMANDS[name]?.();
    expect(() => command && parseCommand(command, words)).not.toThrow();
  });

  it.each([
    'nc',
    'nc -u 192.0.2.1',
    'nc -X 5 192.0.2.1 1',
    'hping3 -S -p 80 192.0.2.1',
    'hping3 -2 192.0.2.1',
    '-p',
    '-p 12001 listen',
    'listen -l -p 12001',
    'frobnicate -l 5',
  ])('%s: nothing like it', (theirs) => expect(ours(theirs)).toBeUndefined());
});

/** The arguments of `send`. */
import { LOCAL_END, parseWhole, WAIT, HABITS } from '../arguments.ts';
import type { ArgsOf } from '../command.ts';
import { parseHex } from '../datagrams/payload.ts';
import { REMOTE } from '../datagrams/remote.ts';

export const positionals = { remote: REMOTE } as const;

export const options = {
  data: { type: 'string', valueName: 'TEXT', describe: 'send this in one datagram, in place of standard input' },
  hex: { type: 'string', valueName: 'DIGITS', parse: parseHex, describe: 'send these bytes in one datagram' },
  line: { type: 'boolean', describe: 'send each line of standard input as a datagram, with its line feed' },
  size: {
    type: 'string',
    alias: 'd',
    valueName: 'BYTES',
    parse: parseWhole(1, 65_527),
    describe: 'cut standard input into datagrams of this size',
  },
  rate: {
    type: 'string',
    valueName: 'N',
    parse: parseWhole(1, 10_000_000),
    describe: 'at most so many datagrams a second',
  },
  timeout: {
    ...WAIT,
    describe: 'print replies until none has come for so long',
  },
  ...LOCAL_END,
  ...HABITS,
} as const;

export type Args = ArgsOf<typeof positionals, typeof options>;

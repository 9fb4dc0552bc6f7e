/** The arguments of `listen`. */
import { LOCAL_END, parseRemote, parseWhole, WAIT, HABITS, LOCAL_PORT, STUN, KEEPALIVE } from '../arguments.ts';
import type { ArgsOf } from '../command.ts';
import { MAP } from '../datagrams/mapping.ts';

export const positionals = {
  localPort: LOCAL_PORT,
} as const;

export const options = {
  hex: { type: 'boolean', describe: 'show payloads as hexadecimal dumps' },
  raw: { type: 'boolean', describe: 'print the bytes of the payloads and nothing else, also on a terminal' },
  keepListening: {
    type: 'boolean',
    alias: 'k',
    describe: 'hear every sender; without it, as in nc, only the first one',
  },
  count: {
    type: 'string',
    alias: 'c',
    valueName: 'COUNT',
    parse: parseWhole(1, 1_000_000_000),
    describe: 'stop after so many datagrams',
  },
  timeout: {
    ...WAIT,
    describe: 'stop when nothing has come for so long',
  },
  echo: { type: 'boolean', describe: 'send datagrams back to their senders; hears every sender' },
  stun: {
    ...STUN,
    describe: 'ask this STUN server for the public side of the port, and keep the hole open',
  },
  local: { type: 'boolean', describe: 'believe a STUN server inside this network too' },
  punch: {
    type: 'string',
    valueName: 'HOST:PORT',
    parse: parseRemote,
    describe: 'open a hole to this remote end from the port',
  },
  map: MAP,
  keepalive: {
    ...KEEPALIVE,
    describe:
      'how often the holes of --stun and --punch are refreshed; auto, as when left out: what lifetime found in this network, or 10, and more often where the NAT is seen to forget sooner',
  },
  reuse: {
    type: 'boolean',
    describe: 'take the port although another program shares it; the last one to come hears the datagrams',
  },
  ...LOCAL_END,
  ...HABITS,
  listen: { type: 'boolean', alias: 'l', hidden: true, describe: 'nothing: it listens' },
} as const;

export type Args = ArgsOf<typeof positionals, typeof options>;

/** The arguments of `punch`. */
import { LOCAL_END, parseSeconds, parseWhole, WAIT, HABITS, KEEPALIVE, STUN } from '../arguments.ts';
import type { ArgsOf } from '../command.ts';
import { MAP } from '../datagrams/mapping.ts';
import { parseHex } from '../datagrams/payload.ts';
import { REMOTE } from '../datagrams/remote.ts';

export const positionals = {
  remote: { ...REMOTE, describe: 'the remote end: host port, host:port or [v6]:port' },
} as const;

export const options = {
  count: {
    type: 'string',
    alias: 'c',
    valueName: 'COUNT',
    parse: parseWhole(1, 1_000_000),
    describe: 'send so many packets and, without --wait, wait for nothing',
  },
  interval: {
    type: 'string',
    alias: 'i',
    valueName: 'SECONDS',
    parse: parseSeconds,
    default: '0.5',
    describe: 'time between packets',
  },
  ttl: {
    type: 'string',
    alias: 't',
    valueName: 'HOPS',
    parse: parseWhole(1, 255),
    describe:
      "time to live of all packets, to let them die past one's own NAT; when left out, only the first one dies there, and only while the other side is waited for",
  },
  data: {
    type: 'string',
    valueName: 'TEXT',
    describe: 'send this in place of the probe that the other side recognises',
  },
  hex: { type: 'string', valueName: 'DIGITS', parse: parseHex, describe: 'send these bytes in place of the probe' },
  size: {
    type: 'string',
    alias: 'd',
    valueName: 'BYTES',
    parse: parseWhole(0, 65_527),
    describe: 'send so many bytes in place of the probe; 0 for an empty datagram, as hping3 sends',
  },
  stun: {
    ...STUN,
    array: true,
    describe: 'ask this STUN server for the public side; built-in servers when left out',
  },
  local: {
    type: 'boolean',
    describe: 'believe servers inside this network too: the NAT in question is one on the way to them',
  },
  noStun: { type: 'boolean', describe: 'ask no server' },
  timeout: {
    ...WAIT,
    describe: 'wait so long for the other side; 10 unless --count is given or the port is shared',
  },
  map: MAP,
  keepalive: {
    ...KEEPALIVE,
    describe:
      'go on until interrupted, with a packet so often (10 s when left out), to keep the hole open; auto: what lifetime found in this network, or 10 s, and more often where the NAT is seen to forget sooner',
  },
  ...LOCAL_END,
  ...HABITS,
} as const;

export type Args = ArgsOf<typeof positionals, typeof options>;

/** The arguments of `map`. */
import { checkFamily, LOCAL_END, parseSeconds, parseWhole, LOCAL_PORT, STUN, TIMEOUT } from '../arguments.ts';
import type { ArgsOf } from '../command.ts';
import { UsageError } from '../usage-error.ts';

export const positionals = {
  localPort: LOCAL_PORT,
} as const;

export const options = {
  ...LOCAL_END,
  udp: { type: 'boolean', alias: 'u', hidden: true, describe: 'nothing: it is UDP unless --tcp says otherwise' },
  tcp: { type: 'boolean', describe: 'a TCP port' },
  external: {
    type: 'string',
    valueName: 'PORT',
    parse: parseWhole(1, 65_535),
    describe: 'the port wished for on the outside; the same as inside when left out. The router may give another',
  },
  for: { type: 'string', valueName: 'SECONDS', parse: parseSeconds, describe: 'hold it for so long' },
  timeout: {
    ...TIMEOUT,
    describe:
      'wait at most this many seconds for the router; otherwise as long as routers need, 1.2 s where there is none',
  },
  lease: {
    type: 'string',
    valueName: 'SECONDS',
    parse: parseWhole(1, 604_800),
    describe: 'the life to ask for, renewed at half of it; 7200 when left out',
  },
  via: {
    type: 'string',
    choices: ['pcp', 'nat-pmp', 'upnp'],
    describe: 'this protocol alone; all three are asked at once when left out',
  },
  list: {
    type: 'boolean',
    describe: "print the router's own list of mappings (UPnP alone has one), and change nothing",
  },
  remove: { type: 'boolean', describe: 'remove the mapping of this port, left behind by whatever program' },
  stun: {
    ...STUN,
    array: true,
    describe: 'try from outside with this STUN server, which needs two addresses or RESPONSE-PORT; repeatable',
  },
  noStun: { type: 'boolean', describe: 'do not try it from outside' },
  local: { type: 'boolean', describe: 'believe a STUN server inside this network too' },
} as const;

export type Args = ArgsOf<typeof positionals, typeof options>;

/** The port; undefined where only the list is wanted. Throws UsageError. */
export function portOf(args: Args): number | undefined {
  const { localPort, port, list, remove } = args;
  if (localPort !== undefined && port !== undefined && localPort !== port)
    throw new UsageError(`-p ${port} and ${localPort} name two ports`);
  if (list && remove) throw new UsageError('--list and --remove exclude each other');
  if (args.noStun && args.stun.length > 0) throw new UsageError('--stun and --no-stun exclude each other');
  checkFamily('--stun', args.stun, args);
  const chosen = port ?? localPort;
  if (list) return chosen;
  if (chosen === undefined) throw new UsageError('map needs the port to open', 'Name it with -p PORT.');
  if (chosen === 0) throw UsageError.expected('-p', 'a port from 1 to 65535', '0');
  return chosen;
}

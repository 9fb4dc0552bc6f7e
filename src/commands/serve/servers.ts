/** One server for each group of addresses. */
import { anyAddress, familyOf, isAnyAddress } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import type { RateLimit } from '../../net/rate-limit.ts';
import { type RendezvousService, startRendezvous } from '../../rendezvous/service.ts';
import { type ListenOptions, type Listening, type ServerSockets, listen } from '../../stun/listener.ts';
import { UsageError } from '../command.ts';
import type { Args } from './options.ts';

/** The addresses to serve on, as groups that each become one server. */
function groups({ address, alternate, family }: Args): ListenOptions['addresses'][] {
  const addresses = alternate === undefined ? address : [...address, alternate];
  const [first, second, ...more] = addresses;
  const foreign = addresses.find((each) => family !== undefined && familyOf(each) !== family);
  if (foreign !== undefined)
    throw new UsageError(`--address: ${foreign} is not an IPv${family} address, as -${family} demands`);
  if (first === undefined)
    return (family === undefined ? ([4, 6] as const) : [family]).map((each) => [anyAddress(each)]);
  if (more.length > 0)
    throw new UsageError('--address: one or two addresses, not more', 'Run a second nat-tool serve for the others.');
  if (second === undefined) return [[first]];
  if (familyOf(first) !== familyOf(second))
    throw new UsageError(
      '--address: both addresses must be of one family',
      'For IPv4 and IPv6 run one nat-tool serve each.',
    );
  if (first === second) throw new UsageError(`--address: ${first} is given twice; RFC 5780 needs two addresses`);
  if (isAnyAddress(first) || isAnyAddress(second))
    throw new UsageError('--address: with two addresses both must be named, for clients are told them');
  return [[first, second]];
}

export async function start(
  env: Env,
  args: Args,
  observe: ListenOptions['observe'],
  failed: (error: unknown) => void,
  rendezvous: RendezvousService[],
  signal: AbortSignal,
): Promise<Listening[]> {
  const wanted = groups(args);
  if (wanted[0]?.[1] !== undefined && args.port === args.alternatePort && args.port !== 0) {
    throw new UsageError(`--alternate-port: must differ from --port ${args.port}`);
  }
  const limit: RateLimit = { perSecond: args.rate === 0 ? Number.POSITIVE_INFINITY : args.rate, burst: args.burst };
  const running: Listening[] = [];
  const meeting = (sockets: ServerSockets): RendezvousService => {
    const service = startRendezvous(env, sockets, { failed });
    rendezvous.push(service);
    return service;
  };
  try {
    for (const addresses of wanted) {
      try {
        running.push(
          await listen(
            env,
            {
              addresses,
              ports: [args.port, args.alternatePort],
              nextPort: true,
              tcp: !args.udpOnly,
              software: args.software || undefined,
              limit,
              observe,
              failed,
              protocols: [meeting],
            },
            signal,
          ),
        );
      } catch (error) {
        // A host without IPv6 serves IPv4, unless IPv6 was asked for.
        if (!(error instanceof NetError)) throw error;
        const spare = running.length > 0 && args.address.length === 0;
        if (!(spare && (error.kind === 'not-available' || error.kind === 'other')))
          throw inContext(error, addresses, args);
      }
    }
  } catch (error) {
    for (const each of running) each.close();
    throw error;
  }
  return running;
}

/** The same error, said in the words of the command line. */
function inContext(error: NetError, addresses: ListenOptions['addresses'], { port, alternatePort }: Args): NetError {
  const where = addresses.filter((each) => each !== undefined).join(' or ');
  const ports = addresses[1] === undefined ? `port ${port}` : `port ${port} or ${alternatePort}`;
  switch (error.kind) {
    case 'in-use':
      return new NetError(error.kind, `${ports} of ${where} is taken by another program`, error.code, error);
    case 'not-available':
      return new NetError(error.kind, `${where} is not an address of this host`, error.code, error);
    case 'denied':
      return new NetError(
        error.kind,
        `the system does not permit listening on ${ports} of ${where}`,
        error.code,
        error,
      );
    default:
      return error;
  }
}

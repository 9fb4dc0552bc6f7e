/** Where two hosts meet: a rendezvous, brokers, or both. From options, environment and what is built in. */
import type { Brokers } from '../../connect/connect.ts';
import { inTurn } from '../../connect/reach.ts';
import { BUILT_IN_BROKERS, type BrokerName, formatBroker, parseBroker } from '../../connect/signalling/broker-name.ts';
import type { Endpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import type { KeptPlace } from '../../connect/kept/pairing.ts';
import { formatHostPort } from '../../net/host-port.ts';
import { namesIn } from '../../probe/servers.ts';
import { discover } from '../../stun/discovery.ts';
import { formatStunServer, type StunServerName } from '../../stun/uri.ts';
import { parseStun } from '../arguments.ts';
import { readCertificates } from '../certificates.ts';
import { type Context, UsageError } from '../command.ts';
import { type Args, parseBrokerUrl } from './options.ts';
import { namedServer, stunServers } from './stun-server.ts';

export interface MeetingPlace {
  /** The addresses of the server, in the order in which they are tried. */
  readonly endpoints: readonly [Endpoint, ...Endpoint[]];
  /** It only tells the public side. */
  readonly stunOnly: boolean;
  readonly brokers: Brokers | undefined;
  /** Of the server, where both meet at one. */
  readonly name: string | undefined;
  /** Beside the system's certificates, PEM. */
  readonly trusted: string | undefined;
  /** What the other host has to be told beside the code, as options. */
  readonly words: string;
  /** As it is to be kept. */
  readonly kept: KeptPlace;
}

/** Of `connect`, and of others that meet as it does. */
type MeetingArgs = Pick<Args, 'server' | 'broker' | 'via' | 'stun' | 'cafile' | 'family' | 'source'>;

type Place = Pick<Context, 'env' | 'environment' | 'signal' | 'readFile' | 'progress'>;

/** Rejects with UsageError, NetError, or the signal's reason. */
export async function meetingPlace(args: MeetingArgs, context: Place): Promise<MeetingPlace> {
  const { environment } = context;
  const server = namedServer(args, context);
  const named =
    args.broker.length > 0
      ? args.broker
      : namesIn(environment['NAT_TOOL_BROKER']).map((text) => parseBrokerUrl(text, 'NAT_TOOL_BROKER'));
  if (args.via === 'rendezvous' && !server)
    throw new UsageError(
      '--via rendezvous: where to meet is missing',
      'Run nat-tool serve on any public host and name it with --server, or in NAT_TOOL_SERVER.',
    );
  const stunOnly = !server || args.via === 'mqtt';
  const byBroker = args.via !== 'rendezvous' && (stunOnly || named.length > 0);
  const names = named.length > 0 ? named : BUILT_IN_BROKERS.map(parseBroker);
  const trusted = args.cafile === undefined ? undefined : await readCertificates(args.cafile, context);
  const brokers = byBroker
    ? {
        names: loginsOf(names, environment),
        trusted,
      }
    : undefined;
  const kept = {
    server: server && args.via !== 'mqtt' ? formatHostPort(server) : null,
    brokers: byBroker ? named.map(formatBroker) : [],
    stun: (!stunOnly ? [] : server ? [server] : args.stun).map(formatStunServer),
  };
  const endpoints = stunOnly
    ? await stunServers(args, context)
    : await addressesOf(server as StunServerName, args, context);
  return {
    endpoints: endpoints as [Endpoint, ...Endpoint[]],
    stunOnly,
    brokers,
    name: stunOnly ? undefined : server?.host,
    trusted,
    words: [
      ...(kept.server === null ? [] : [` --server ${kept.server}`]),
      ...kept.brokers.map((each) => ` --broker ${each}`),
    ].join(''),
    kept,
  };
}

/** A kept one, where the options name no other; what the environment names is for those who have no pairing. */
export function keptMeetingPlace(
  { server, brokers, stun }: KeptPlace,
  args: Args,
  context: Place,
): Promise<MeetingPlace> {
  if (args.server !== undefined || args.broker.length > 0) return meetingPlace(args, context);
  const environment = { ...context.environment, NAT_TOOL_SERVER: undefined, NAT_TOOL_BROKER: undefined };
  return meetingPlace(
    {
      ...args,
      server: server === null ? undefined : parseStun(server, 'the pairing'),
      broker: brokers.map((each) => parseBrokerUrl(each, 'the pairing')),
      stun: args.stun.length > 0 ? args.stun : stun.map((each) => parseStun(each, 'the pairing')),
    },
    { ...context, environment },
  );
}

async function addressesOf(
  name: StunServerName,
  args: Pick<Args, 'family'>,
  { env, signal }: Place,
): Promise<Endpoint[]> {
  const { resolver, clock, random } = env;
  const found = inTurn(
    await discover(name, { transport: 'udp', family: args.family, resolver, clock, random, signal }),
  );
  if (found.length === 0) throw new NetError('not-found', `${name.host} has no address`);
  return found;
}

/** A login of one's own broker; public ones want none. */
function loginsOf(names: readonly BrokerName[], environment: Context['environment']): readonly BrokerName[] {
  const [username, password] = [environment['NAT_TOOL_BROKER_USERNAME'], environment['NAT_TOOL_BROKER_PASSWORD']];
  return username === undefined ? names : names.map((each) => ({ ...each, username, password }));
}

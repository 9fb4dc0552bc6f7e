/** From the code, or the pasted tokens, to a connection. */
import { CodeError, generateCode, parseCode } from '../../connect/code.ts';
import { deriveSecret } from '../../connect/channel/keys.ts';
import { type ConnectResult, connect, connectBy } from '../../connect/connect.ts';
import { connectSdp } from '../../connect/sdp.ts';
import { ManualSignalling, SharedSecret } from '../../connect/signalling/manual.ts';
import type { Trouble } from '../../connect/signalling/public-side.ts';
import { namedRelay, type RelayPlace } from '../../connect/traversal/relay-places.ts';
import type { TimelineEvent } from '../../connect/timeline.ts';
import { familyOf, formatEndpoint } from '../../net/address.ts';
import type { RouterPort } from '../../portmap/router-port.ts';
import { credentialsOf } from '../credentials.ts';
import { type Context, UsageError } from '../command.ts';
import type { Lines } from './lines.ts';
import { meetingPlace } from './meeting-place.ts';
import { type Args, isCheck } from './options.ts';
import type { ConnectEvent } from './events.ts';
import type { Purpose } from './purpose.ts';
import { stunServer } from './stun-server.ts';
import { troubleInWords } from './words.ts';

/** People paste tokens one after the other. */
const MANUAL_PLAIN_MS = 300_000;

const SDP_MS = 120_000;

async function codeFor(
  args: Args,
  context: Context<ConnectEvent>,
  lines: Lines,
): Promise<{ readonly code: string; readonly fresh: boolean }> {
  const given =
    args.code === '-' ? await lines.next() : (args.code ?? (context.environment['NAT_TOOL_CODE'] || undefined));
  if (args.code === '-' && given === undefined) throw new UsageError('CODE: no code on standard input');
  if (given === undefined) return { code: generateCode(context.env.random), fresh: true };
  try {
    return { code: parseCode(given), fresh: false };
  } catch (error) {
    if (error instanceof CodeError)
      throw new UsageError(
        `CODE: ${error.message}`,
        'The code stands on the other host, such as k7qf2-m9x4t-03bsd-v8hwd.',
      );
    throw error;
  }
}

/** Those that were named. */
const relaysOf = (
  args: Args,
  trusted: string | undefined,
  { env, environment }: Context<ConnectEvent>,
): RelayPlace[] => {
  const credentials = relayLogin(environment);
  return args.relay.map((server) => namedRelay(env, server, { credentials, source: args.source, trusted }));
};

function relayLogin(environment: Context['environment']): { username: string; password: string } | undefined {
  const { username, password } = credentialsOf(environment) ?? {};
  return username === undefined || password === undefined ? undefined : { username, password };
}

export async function openByCode(
  args: Args,
  purpose: Purpose,
  context: Context<ConnectEvent>,
  lines: Lines,
  onEvent: (event: TimelineEvent) => void,
  routerPort?: RouterPort,
): Promise<ConnectResult> {
  const { env, signal } = context;
  const { code, fresh } = await codeFor(args, context, lines);
  const { endpoints, stunOnly, brokers, words, name, trusted } = await meetingPlace(args, context);
  const [server, ...otherwise] = endpoints;
  if (fresh) {
    if (context.form === 'json' && !isCheck(args)) await context.emit({ event: 'code', code });
    context.note('On the other host: ', `nat-tool connect ${code}${words}`);
  }
  const repair = !args.noRepair && purpose !== 'exec' && purpose !== 'check';
  const credentials = credentialsOf(context.environment);
  return connect(env, {
    server,
    otherwise,
    stunOnly,
    brokers,
    credentials: stunOnly ? credentials : undefined,
    trouble: (of) => context.note(troubleInWords(of, formatEndpoint(server), credentials)),
    secret: deriveSecret(code),
    name,
    trusted,
    // The open port of a path by relay cannot be handed over.
    relays: args.noRelay || purpose === 'exec' ? 'refused' : relaysOf(args, trusted, context),
    port: args.port,
    source: args.source,
    alone: args.family !== undefined,
    waitMs: args.timeout,
    repair,
    patienceMs: args.patience,
    use: purpose,
    routerPort,
    signal,
    onEvent,
  });
}

export async function openManually(
  args: Args,
  purpose: Purpose,
  context: Context<ConnectEvent>,
  lines: Lines,
  onEvent: (event: TimelineEvent) => void,
  routerPort?: RouterPort,
): Promise<ConnectResult> {
  const { env, signal, io } = context;
  // A token is written once, and a relay is there only when the other host is.
  if (args.relay.length > 0)
    throw new UsageError('--relay does not go with --manual: its tokens hold direct addresses only');
  const server = await stunServer(args, context);
  const credentials = credentialsOf(context.environment);
  const common = {
    server,
    port: args.port,
    source: args.source,
    alone: args.family !== undefined,
    use: purpose,
    routerPort,
    signal,
    onEvent,
  };
  const trouble = (of: Trouble): void => context.note(troubleInWords(of, formatEndpoint(server), credentials));
  let given = args.code === '-' ? undefined : args.code;
  if (args.sdp) {
    const show = (text: string): void => {
      context.note('Give these lines to the other agent, and paste its lines here, ended by an empty one:');
      void io.stderr.write(text.replaceAll('\r', ''));
    };
    return connectSdp(env, {
      ...common,
      credentials,
      family: familyOf(server.address),
      controlling: args.code === undefined,
      waitMs: SDP_MS,
      trouble,
      show,
      read: () => lines.paragraph(),
      complain: (error) => context.note(`These lines cannot be used: ${error.message}.`),
    });
  }
  const secret = new SharedSecret(env.random);
  return connectBy(env, {
    ...common,
    credentials,
    secret,
    trusted: false,
    waitMs: args.timeout,
    plainMs: MANUAL_PLAIN_MS,
    makeSignalling: ({ main, member, observed, send }) =>
      new ManualSignalling({
        mux: main.mux,
        send,
        trouble,
        credentials,
        server,
        member,
        secret,
        clock: env.clock,
        random: env.random,
        observed,
        show: (token) => {
          context.note('Give this token to the other host, and paste its token here:');
          void io.stderr.write(`${token}\n`);
        },
        read: async () => {
          const text = given ?? (await lines.next());
          given = undefined;
          return text;
        },
        complain: (error) =>
          context.note(`${error.message[0]?.toUpperCase()}${error.message.slice(1)}. Paste the other host's token:`),
      }),
  });
}

/** From the code, or the pasted tokens, to a connection. */
import { showQr } from '../show-qr.ts';
import { CodeError, generateCode, parseCode } from '../../connect/code.ts';
import { deriveSecret } from '../../connect/channel/keys.ts';
import { derivePairing } from '../../connect/kept/secret.ts';
import { type ConnectResult, connect, connectBy, unlessBeside } from '../../connect/connect.ts';
import { type KeptPlace, type Pairing, pairingName } from '../../connect/kept/pairing.ts';
import { connectSdp } from '../../connect/sdp.ts';
import { ManualSignalling, SharedSecret } from '../../connect/signalling/manual.ts';
import type { Trouble } from '../../connect/signalling/public-side.ts';
import { namedRelay, type RelayPlace } from '../../connect/traversal/relay-places.ts';
import type { TimelineEvent } from '../../connect/timeline.ts';
import { familyOf, formatEndpoint } from '../../net/address.ts';
import type { RouterPort } from '../../portmap/router-port.ts';
import { watchRefusal } from '../../stun/refusal.ts';
import { credentialsOf } from '../credentials.ts';
import { type Context, UsageError } from '../command.ts';
import type { Lines } from './lines.ts';
import { findPairing, knownNames, noteMeeting } from './kept.ts';
import { keptMeetingPlace, meetingPlace } from './meeting-place.ts';
import { type Args, isCheck } from './options.ts';
import type { ConnectEvent } from './events.ts';
import { isChat, type Purpose } from './purpose.ts';
import { readCertificates } from '../certificates.ts';
import { stunServers } from './stun-server.ts';
import { troubleInWords } from './words.ts';

/** People paste tokens one after the other. */
const MANUAL_PLAIN_MS = 300_000;

const SDP_MS = 120_000;

/** By whom the other host is found. */
type Found =
  | { readonly code: string; readonly fresh: boolean; readonly pairing?: undefined }
  | { readonly pairing: Pairing };

async function codeFor(args: Args, context: Context<ConnectEvent>, lines: Lines): Promise<Found> {
  const given =
    args.code === '-' ? await lines.next() : (args.code ?? (context.environment['NAT_TOOL_CODE'] || undefined));
  if (args.code === '-' && given === undefined) throw new UsageError('CODE: no code on standard input');
  if (given === undefined) return { code: generateCode(context.env.random), fresh: true };
  try {
    return { code: parseCode(given), fresh: false };
  } catch (error) {
    if (!(error instanceof CodeError)) throw error;
    const name = pairingName(given);
    const pairing = name === undefined ? undefined : await findPairing(name, context);
    if (pairing) return { pairing };
    const known = await knownNames(context);
    throw new UsageError(
      `CODE: ${error.message}${name === undefined ? '' : `, and no pairing is kept as ${name}`}`,
      known || 'The code stands on the other host, such as k7qf2-m9x4t-03bsd-v8hwd.',
    );
  }
}

/** Those that were named. The open port of a path by relay cannot be handed over. */
function relaysFor(
  args: Args,
  purpose: Purpose,
  trusted: string | undefined,
  { env, environment }: Context<ConnectEvent>,
): RelayPlace[] | 'refused' {
  if (args.noRelay || purpose === 'exec') return 'refused';
  const credentials = relayLogin(environment);
  return args.relay.map((server) => namedRelay(env, server, { credentials, source: args.source, trusted }));
}

function relayLogin(environment: Context['environment']): { username: string; password: string } | undefined {
  const { username, password } = credentialsOf(environment) ?? {};
  return username === undefined || password === undefined ? undefined : { username, password };
}

/** With what this host knows of the other one. */
export type Opened = ConnectResult & {
  /** The kept pairing by which the two met. */
  readonly pairing?: Pairing | undefined;
  /** Where they met, as it may be kept; absent where signals went by hand. */
  readonly place?: KeptPlace | undefined;
};

/** Options without which the other host's command does not go together with this one. */
const wordsFor = ({ forward, datagrams, keep }: Args): string =>
  [
    ...forward.map(({ port, protocol }) => ` --forward ${port}${protocol === 'tcp' ? '/tcp' : ''}`),
    ...(datagrams ? [' --datagrams'] : []),
    ...(keep === undefined ? [] : [' --keep NAME']),
  ].join('');

export async function openByCode(
  args: Args,
  purpose: Purpose,
  context: Context<ConnectEvent>,
  lines: Lines,
  onEvent: (event: TimelineEvent) => void,
  routerPort?: RouterPort,
): Promise<Opened> {
  const { env, signal } = context;
  const found = await codeFor(args, context, lines);
  const { pairing } = found;
  if (pairing && args.keep !== undefined) throw new UsageError('--keep goes with a code, and this is a kept pairing');
  const place = await (pairing ? keptMeetingPlace(pairing, args, context) : meetingPlace(args, context));
  const { endpoints, stunOnly, brokers, words, name, trusted, kept } = place;
  const [server, ...otherwise] = endpoints;
  if (!found.pairing && found.fresh) {
    const { code } = found;
    if (context.form === 'json' && !isCheck(args)) await context.emit({ event: 'code', code });
    const command = `nat-tool connect ${code}${words}${wordsFor(args)}`;
    context.note('On the other host: ', command);
    if (args.qr) await showQr(command, context);
  }
  const repair = !args.noRepair && purpose !== 'exec' && purpose !== 'check';
  const credentials = credentialsOf(context.environment);
  const linked = await connect(env, {
    server,
    otherwise,
    stunOnly,
    brokers,
    credentials: stunOnly ? credentials : undefined,
    trouble: (of) => context.note(troubleInWords(of, formatEndpoint(server), credentials)),
    ...(found.pairing
      ? { secret: derivePairing(found.pairing.key, found.pairing.side), side: found.pairing.side }
      : { secret: deriveSecret(found.code), keeps: args.keep !== undefined }),
    name,
    trusted,
    relays: relaysFor(args, purpose, trusted, context),
    port: args.port,
    source: args.source,
    alone: args.family !== undefined,
    waitMs: args.timeout,
    repair,
    patienceMs: args.patience,
    use: purpose,
    typed: isChat(purpose, context.io),
    routerPort,
    signal,
    onEvent,
  });
  if (pairing && linked.kind === 'connected') await noteMeeting(pairing, context);
  return { ...linked, pairing, place: kept };
}

export async function openManually(
  args: Args,
  purpose: Purpose,
  context: Context<ConnectEvent>,
  lines: Lines,
  onEvent: (event: TimelineEvent) => void,
  routerPort?: RouterPort,
): Promise<Opened> {
  const { env, signal, io } = context;
  if (args.sdp && args.qr) throw new UsageError('--qr does not go with --sdp: its lines are too long for that');
  if (args.sdp && args.relay.length > 0)
    throw new UsageError('--relay does not go with --sdp: the other agent may bring a relay of its own');
  const trusted = args.cafile === undefined ? undefined : await readCertificates(args.cafile, context);
  const [server, ...otherwise] = await stunServers(args, context);
  const credentials = credentialsOf(context.environment);
  const relay = new RelayNews();
  const common = {
    server,
    otherwise,
    port: args.port,
    source: args.source,
    alone: args.family !== undefined,
    use: purpose,
    routerPort,
    signal,
    onEvent: (event: TimelineEvent): void => {
      relay.heard(event);
      onEvent(event);
    },
  };
  const trouble = (of: Trouble, asked = server): void =>
    context.note(troubleInWords(of, formatEndpoint(asked), credentials));
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
  const relays = relaysFor(args, purpose, trusted, context);
  const hasRelay = relays !== 'refused' && relays.length > 0;
  return connectBy(env, {
    ...common,
    typed: isChat(purpose, io),
    relays,
    toldOnce: true,
    credentials,
    secret,
    member: secret.member,
    trusted: false,
    waitMs: args.timeout,
    plainMs: MANUAL_PLAIN_MS,
    makeSignalling: ({ main, server: asked, member, observed, send, beside }) =>
      new ManualSignalling({
        mux: main.mux,
        send,
        trouble: unlessBeside(beside, (of) => trouble(of, asked)),
        credentials,
        server: asked,
        watchRefusal: (refused) => watchRefusal(env, asked, args.source, refused),
        member,
        secret,
        clock: env.clock,
        random: env.random,
        hasRelay,
        observed,
        show: (token) => {
          if (hasRelay && relay.trouble !== undefined) context.note(`No relay is in the token: ${relay.trouble}.`);
          context.note('Give this token to the other host, and paste its token here:');
          void io.stderr.write(`${token}\n`);
          if (args.qr) void showQr(token, context);
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

/** What has become of the relay that shall be in a token. */
class RelayNews {
  /** Why there is none; undefined where there is one. */
  trouble: string | undefined = 'none has answered yet';

  heard({ event, type, why }: TimelineEvent): void {
    if (event === 'candidate' && type === 'relay') this.trouble = undefined;
    else if (event === 'relay-failed') this.trouble = String(why);
  }
}

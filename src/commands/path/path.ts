import { type Endpoint, type Family, formatEndpoint } from '../../net/address.ts';
import { NOTHING } from '../../probe/path/facts.ts';
import { surveyPath } from '../../probe/path/survey.ts';
import { findServers } from '../../probe/servers-lookup.ts';
import { defaultServers } from '../../probe/servers.ts';
import { finding } from '../../report/finding.ts';
import { type Report, startReport } from '../../report/report.ts';
import { checkFamily, demandedFamily, FAMILY, parseStun, SOURCE, TIMEOUT, STUN_SERVERS } from '../arguments.ts';
import { type ArgsOf, type Context, defineCommand } from '../command.ts';
import { credentialsOf } from '../credentials.ts';
import { conclude, findings, isDoubted, type PathData } from './report.ts';
import { view } from './view.ts';

/** More are not asked at once: the first ones to answer are enough. */
const BATCH = 5;

const positionals = { server: STUN_SERVERS } as const;

const options = {
  local: { type: 'boolean', describe: 'measure the path to a server inside this network' },
  family: FAMILY,
  source: SOURCE,
  timeout: { ...TIMEOUT, default: '5' },
} as const;

type Args = ArgsOf<typeof positionals, typeof options>;

async function run(args: Args, context: Context): Promise<Report<PathData>> {
  const { env, signal } = context;
  const close = startReport(env.clock, 'nat-tool/path@1');
  checkFamily('server', args.server, args);
  const credentials = credentialsOf(context.environment);
  const named = args.server.length > 0;
  const names = named
    ? args.server
    : defaultServers(context.environment)
        .slice(0, BATCH)
        .map(({ server }) => parseStun(server, 'NAT_TOOL_SERVER'));
  const deadline = env.clock.now() + args.timeout;
  const lookup = (family: Family | undefined) =>
    findServers(env, names, { family, timeoutMs: args.timeout, anyWillDo: !named }, signal);
  context.progress('looking up servers');
  let servers: readonly Endpoint[] = [];
  try {
    const found = await lookup(demandedFamily(args));
    servers = found.endpoints;
    if (servers.length === 0) return close('failed', conclude(NOTHING).data, found.findings);
    const beside = found.family === 4 && args.family === undefined && args.source === undefined;
    const facts = await surveyPath(
      env,
      {
        servers,
        timeoutMs: Math.max(1, deadline - env.clock.now()),
        source: args.source,
        local: args.local,
        credentials,
        inIpv6: beside ? lookup(6).then(({ endpoints }) => endpoints[0]) : undefined,
        onProgress: context.progress,
      },
      signal,
    );
    const { data, layers } = conclude(facts);
    const remarks = [...found.findings, ...findings(facts, layers, servers.map(formatEndpoint), env)];
    if (signal.aborted) return close('partial', data, [...remarks, finding('interrupted')]);
    return close(facts.server ? 'complete' : 'failed', data, remarks);
  } catch (error) {
    if (!signal.aborted) throw error;
    return close('partial', conclude(NOTHING).data, [finding('interrupted')]);
  }
}

export default defineCommand({
  name: 'path',
  summary: "show the boxes between this host and the internet: NATs, firewalls, a carrier's",
  description: [
    "Draws the layers from this host to a STUN server: each NAT or firewall with its hop and addresses, as far as they can be proven, and whether a second NAT or the carrier's stands behind the first. Asks the router too what it offers to open a port: PCP, NAT-PMP, UPnP.",
    "It needs no privileges. Packets with a limited time to live open the filters that they pass, and no others: the first one that lets an answer from elsewhere in tells the hop of the outermost filter. A packet to the public address itself is refused by the box that it belongs to, which tells that one's hop. The router's own outside address, compared with the one that the server sees, tells whether another NAT follows.",
    'What cannot be proven is "unknown", and a note says why: a NAT that filters nothing and answers nothing does not show.',
  ],
  positionals,
  options,
  examples: [
    { command: 'nat-tool path', explain: 'Ask built-in public servers' },
    { command: 'nat-tool path stun.example.net', explain: 'The path to one server, best one with a second address' },
    { command: 'nat-tool path --short stun.example.net', explain: 'The number of NATs alone' },
    { command: 'nat-tool path --json | jq .data.cgnat', explain: "Is there a carrier's NAT?" },
  ],
  seeAlso: ['detect', 'map', 'lifetime'],
  exitMeanings: {
    0: 'the number of NATs is known',
    1: 'no server answered',
    3: 'a server answered, but not what can be true, or the number of NATs is unknown',
  },
  run,
  view,
  short: ({ data }) => (data.nats === null ? 'unknown' : String(data.nats)),
  exitStatus: ({ data, findings }) => (data.server === null && !isDoubted(findings) ? 1 : data.nats === null ? 3 : 0),
});

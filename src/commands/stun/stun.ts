import type { ExchangeResult, QueryOptions, QueryResult } from '../../probe/query/query.ts';
import { finding } from '../../report/finding.ts';
import { startReport } from '../../report/report.ts';
import { checkFamily, demandedFamily } from '../arguments.ts';
import { type Context, type ExitStatus, UsageError, defineCommand } from '../command.ts';
import { readCertificates } from '../certificates.ts';
import { credentialsOf } from '../credentials.ts';
import { all, anyBuiltIn } from './ask.ts';
import { FEW, findingsOf } from './findings.ts';
import { type Args, options, positionals } from './options.ts';
import { LARGEST_LIST, parseServerList } from './server-list.ts';
import { exchangeLine, type StunData, view } from './view.ts';

const LEAST_PUBLIC_INTERVAL_MS = 200;

async function run(args: Args, context: Context<ExchangeResult>) {
  const { env, signal } = context;
  const close = startReport(env.clock, 'nat-tool/stun@1');
  const credentials = credentialsOf(context.environment, args.credential);
  checkFamily('server', args.server, args);
  const listed =
    args.servers === undefined
      ? []
      : parseServerList(
          new TextDecoder().decode(await context.readFile(args.servers, LARGEST_LIST)),
          args.servers === '-' ? 'standard input' : args.servers,
        );
  const named = [...args.server, ...listed];
  if (named.length === 0 && args.servers !== undefined)
    throw new UsageError(`--servers: there is no server in ${args.servers === '-' ? 'standard input' : args.servers}`);
  if (args.vet && (args.tcp || named.some(({ secure }) => secure)))
    throw new UsageError('--vet: RFC 5780 is tested over UDP only');
  const unnamed = named.length === 0 && !context.environment['NAT_TOOL_SERVER'];
  if (unnamed && args.count > 1 && args.interval < LEAST_PUBLIC_INTERVAL_MS) {
    throw new UsageError(
      `--interval: public servers are asked at most every ${LEAST_PUBLIC_INTERVAL_MS / 1000} s, not every ${args.interval / 1000} s`,
      'Name a server of your own for less.',
    );
  }
  const queried: QueryOptions = {
    transport: args.tcp ? 'tcp' : 'udp',
    family: args.family,
    source: args.source,
    port: args.port,
    timeoutMs: args.timeout,
    count: args.count,
    intervalMs: args.interval,
    credentials,
    vet: args.vet,
    attributes: context.verbosity > 0,
    watchful: named.length <= FEW,
    trusted: args.cafile === undefined ? undefined : await readCertificates(args.cafile, context),
    ...(args.count > 1 &&
      context.form === 'text' &&
      named.length <= FEW && {
        onExchange: (exchange) => {
          // What is lost shows in the sum, as with ping.
          if (exchange.error !== 'timeout') void context.emit(exchange);
        },
      }),
  };
  const results = named.length === 0 ? await anyBuiltIn(queried, context) : await all(named, queried, context);
  const findings = findingsOf(results, env, demandedFamily(args));
  if (signal.aborted) return close('partial', { results }, [...findings, finding('interrupted')]);
  return close(results.some(({ mapped }) => mapped !== null) ? 'complete' : 'failed', { results }, findings);
}

/** A server inside this network is asked on purpose, and sees what it sees. */
const isBelieved = ({ mapped, doubt }: QueryResult): boolean =>
  mapped !== null && (doubt === null || doubt === 'inside');

function exitStatus({ data: { results } }: { readonly data: StunData }, { vet }: Args): ExitStatus {
  if (!results.some(isBelieved)) return 1;
  if (!vet) return 0;
  const verdicts = results.map(({ vetting }) => vetting?.rfc5780);
  return verdicts.includes('yes') ? 0 : verdicts.includes('unknown') ? 3 : 1;
}

export default defineCommand({
  name: 'stun',
  summary: 'ask STUN servers how they see this host',
  description: [
    'Sends a STUN Binding request to each server and shows the public side of the mapping, the round-trip time, the server software and its other address. Requests are repeated quickly, and answers are believed only from the address that was asked.',
    'With --count it sends single requests at an interval, shows each answer, and counts the losses; one request before them, which does not count, wakes up whatever is on the way. -v on a terminal adds a histogram of the round trips. With --vet it finds out whether a server truly supports RFC 5780: it must have a second IP address, honour CHANGE-REQUEST, and answer from the address it should. Behind a symmetric NAT that takes RESPONSE-PORT too; without it the verdict may be "unknown".',
    'A server that asks for credentials gets those in the environment variables NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD. With no server named, those in NAT_TOOL_SERVER or built-in public servers are asked and the first answer counts.',
  ],
  positionals,
  options,
  examples: [
    { command: 'nat-tool stun stun.example.net', explain: 'Ask one server' },
    { command: 'nat-tool stun -c 20 -i 0.1 stun.example.net', explain: 'Measure round trip and loss' },
    { command: 'nat-tool stun --vet stun.example.net', explain: 'Does it support RFC 5780?' },
    { command: 'nat-tool stun -v stuns:stun.example.net', explain: 'Over TLS, with every attribute of the answer' },
    { command: 'nat-tool stun --servers list.txt --json', explain: 'Ask many servers at once' },
  ],
  seeAlso: ['detect', 'serve', 'public-ip'],
  exitMeanings: {
    0: 'a server told the public side (with --vet: and supports RFC 5780)',
    1: 'none told it (with --vet: or none supports RFC 5780)',
    3: 'with --vet: the verdict is unknown',
  },
  run,
  view,
  line: exchangeLine,
  short: ({ data: { results } }) =>
    (results.find((each) => isBelieved(each) && each.doubt === null) ?? results.find(isBelieved))?.mapped ?? '',
  exitStatus,
});

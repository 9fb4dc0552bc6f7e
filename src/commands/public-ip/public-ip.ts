import { type Survey, surveyPublicAddress } from '../../probe/public-address/survey.ts';
import { finding } from '../../report/finding.ts';
import { type Report, startReport } from '../../report/report.ts';
import { type Context, defineCommand } from '../command.ts';
import { credentialsOf } from '../credentials.ts';
import { type Args, DEFAULT_WATCH_MS, isWatch, options } from './options.ts';
import { plans } from './plans.ts';
import { type Change, type PublicIp, conclude, findings } from './report.ts';
import { view } from './view.ts';
import { watch } from './watch.ts';

async function run(args: Args, context: Context<Change>): Promise<Report<PublicIp>> {
  const { env, signal } = context;
  const watchMs = args.watch ?? (args.exec === undefined ? undefined : DEFAULT_WATCH_MS);
  const finish = startReport(env.clock, 'nat-tool/public-ip@1');
  const credentials = credentialsOf(context.environment);
  const asked = plans(args, context.environment);
  const survey = (): Promise<Survey> => {
    context.progress('asking for the public address');
    return surveyPublicAddress(
      env,
      {
        plans: asked,
        source: args.source,
        port: args.port,
        timeoutMs: args.timeout,
        credentials,
        quick: watchMs !== undefined || context.form === 'short',
      },
      signal,
    );
  };
  if (watchMs !== undefined) {
    const last = await watch(survey, watchMs, args.exec, context);
    return finish('partial', conclude(last), [finding('interrupted')]);
  }
  const result = await survey();
  const data = conclude(result);
  return finish(
    data.address !== null ? (result.interrupted ? 'partial' : 'complete') : result.interrupted ? 'partial' : 'failed',
    data,
    findings(result, data, env),
  );
}

export default defineCommand({
  name: 'public-ip',
  summary: 'print the public address of this host',
  description: [
    "Asks by three methods at once: STUN, DNS (name servers that answer with the address of the asker) and web pages. The answer that most independent sources agree on is the answer. What is no public address is none. When they disagree, something stands between: a name server that answers in another's place, a proxy, a VPN that carries only part of the traffic.",
    'With --short, and when standard output is no terminal, the address alone is printed as soon as a web server with a valid certificate has told it, or two independent sources agree. Plain DNS and HTTP alone, which anybody on the way can forge, are enough only where nothing else was asked.',
    'When servers are named, only they are asked. Without -4 or -6 both families are tried, and IPv4 is printed where there is one.',
  ],
  positionals: {},
  options,
  examples: [
    { command: 'nat-tool public-ip', explain: 'Ask by all methods and compare' },
    { command: 'IP=$(nat-tool public-ip)', explain: 'The address for a script' },
    { command: 'nat-tool public-ip --via dns --short', explain: 'By DNS only, as dig +short myip.opendns.com does' },
    {
      command: 'nat-tool public-ip --stun stun.example.net --url https://ip.example.net/',
      explain: 'Ask servers of your own',
    },
    {
      command: 'nat-tool public-ip --watch 300 --exec \'./update-dns "$NAT_TOOL_ADDRESS"\'',
      explain: 'Update a name when the address changes',
    },
  ],
  notes: [
    {
      title: 'Methods',
      paragraphs: [
        'stun: one round trip, and the only method that shows the public port too.',
        'dns: one round trip. The name server is asked directly; a router that redirects DNS is found by the disagreement.',
        'https: three or more round trips; what a web page says is taken when it is an address alone, or a line ip=ADDRESS. It shows as https for http: URLs too.',
      ],
    },
  ],
  seeAlso: ['stun', 'detect', 'listen'],
  exitMeanings: { 0: 'the address is known', 1: 'nobody answered' },
  run,
  // A stream has printed the addresses already.
  view: (report, args, look) => (isWatch(args) ? [] : view(report, look)),
  short: (report, args) => (isWatch(args) ? '' : (report.data.address ?? '')),
  line: ({ address }) => address,
  streams: isWatch,
  shortWhenPiped: true,
  exitStatus: ({ data }) => (data.address === null ? 1 : 0),
});

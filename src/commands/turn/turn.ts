import { familyOf } from '../../net/address.ts';
import { mapBounded, sleep, Waits } from '../../net/wait.ts';
import { checkTurn } from '../../probe/turn-check/check.ts';
import { measureLoad } from '../../probe/turn-check/load.ts';
import type { TurnCheckOptions } from '../../probe/turn-check/options.ts';
import type { TurnResult } from '../../probe/turn-check/result.ts';
import { watchTurn } from '../../probe/turn-check/watch.ts';
import { finding } from '../../report/finding.ts';
import { startReport } from '../../report/report.ts';
import type { StunTransport } from '../../stun/uri.ts';
import { type TurnServerName, transportOf } from '../../turn/uri.ts';
import { checkFamily } from '../arguments.ts';
import { readCertificates } from '../certificates.ts';
import { type Context, defineCommand, type ExitStatus, UsageError } from '../command.ts';
import { findingsOf, works } from './findings.ts';
import { issue, turnLogin } from './login.ts';
import { type Args, options, positionals } from './options.ts';
import { eventLine, type TurnData, type TurnEvent, view } from './view.ts';

/** Checks at the same time: each is a few sockets and two allocations. */
const AT_ONCE = 16;
/** coturn counts a released allocation for up to a second. */
const QUOTA_PAUSE_MS = 1_500;

interface Task {
  readonly name: TurnServerName;
  readonly transport: StunTransport;
}

async function run(args: Args, context: Context<TurnEvent>) {
  const { env, signal, environment } = context;
  const close = startReport(env.clock, 'nat-tool/turn@1');
  if (args.credential !== undefined) {
    const credential = issue(environment, env.clock, args.ttl, args.credential);
    return close<TurnData>('complete', { results: [], credential });
  }
  if (args.server.length === 0)
    throw new UsageError('server: a TURN server is needed', "Such as 'nat-tool turn turn.example.net'.");
  checkFamily('server', args.server, args);
  const checked: Omit<TurnCheckOptions, 'transport'> = {
    family: args.family,
    source: args.source,
    credentials: turnLogin(environment, env.clock, args.ttl),
    timeoutMs: args.timeout,
    count: args.count,
    trusted: args.cafile === undefined ? undefined : await readCertificates(args.cafile, context),
    ...(args.load !== undefined && measured(args.load, context)),
  };
  const tasks = args.server.flatMap((name) => transportsOf(name, args).map((transport) => ({ name, transport })));
  const results = await (args.watch === undefined
    ? check(tasks, checked, context)
    : watch(tasks, checked, args.watch, context));
  const findings = findingsOf(
    results,
    env,
    args.family ?? (args.source === undefined ? undefined : familyOf(args.source)),
  );
  if (signal.aborted && args.watch === undefined)
    return close('partial', { results }, [...findings, finding('interrupted')]);
  // Whoever watches ends it: that is no interruption.
  const complete = args.watch !== undefined || results.some(works);
  return close<TurnData>(complete ? 'complete' : 'failed', { results }, findings);
}

function transportsOf(name: TurnServerName, { all, tcp, tls }: Pick<Args, 'all' | 'tcp' | 'tls'>): StunTransport[] {
  if (all) return ['udp', 'tcp', 'tls'];
  const wanted: StunTransport[] = [...(tcp ? (['tcp'] as const) : []), ...(tls ? (['tls'] as const) : [])];
  return wanted.length > 0 ? wanted : [transportOf(name)];
}

function measured(seconds: number, { env, progress }: Context): Pick<TurnCheckOptions, 'meanwhile'> {
  return {
    meanwhile: async (held, signal) => {
      progress(`measuring what ${held.result.server} carries`);
      return { load: await measureLoad(env, held, seconds, signal) };
    },
  };
}

async function check(
  tasks: readonly Task[],
  options: Omit<TurnCheckOptions, 'transport'>,
  { env, signal, progress }: Context<TurnEvent>,
): Promise<TurnResult[]> {
  let done = 0;
  const say = (): void =>
    progress(tasks.length === 1 ? `checking ${tasks[0]?.name.host}` : `checked ${done} of ${tasks.length}`);
  say();
  const each = new Waits(signal);
  const one = ({ name, transport }: Task) =>
    each.run((within) => checkTurn(env, name, { ...options, transport: transport }, within));
  try {
    const results = await mapBounded(tasks, AT_ONCE, async (task) => {
      const result = await one(task);
      done++;
      say();
      return result;
    });
    // Our own checks beside it may have used up the quota: alone, it shows whether they had. Servers take a moment to count anew.
    for (const [i, task] of tasks.entries()) {
      if (tasks.length === 1 || results[i]?.cause !== 'quota' || signal.aborted) continue;
      await sleep(env.clock, QUOTA_PAUSE_MS, signal).catch(() => {});
      results[i] = await one(task);
    }
    return results;
  } finally {
    each.end();
  }
}

async function watch(
  tasks: readonly Task[],
  options: Omit<TurnCheckOptions, 'transport'>,
  everyMs: number,
  { env, signal, emit }: Context<TurnEvent>,
): Promise<TurnResult[]> {
  const each = new Waits(signal);
  try {
    return await Promise.all(
      tasks.map(({ name, transport }) =>
        each.run((within) => {
          const of = { server: name.host, transport };
          const tell = (event: Parameters<Parameters<typeof watchTurn>[4]>[0]) =>
            void emit({ ...event, at: env.clock.date().toISOString(), ...of });
          return watchTurn(env, name, { ...options, transport }, everyMs, tell, within);
        }),
      ),
    );
  } finally {
    each.end();
  }
}

function exitStatus({ data: { results, credential } }: { readonly data: TurnData }): ExitStatus {
  return credential || (results.length > 0 && results.every(works)) ? 0 : 1;
}

export default defineCommand({
  name: 'turn',
  summary: 'check that TURN servers truly relay',
  description: [
    'Logs in to each TURN server, allocates a relayed address and sends data from this host through the relay and back to it: a second socket of this host is the peer, so that nobody else is needed, behind any NAT. It also sends data between two relays, as two users need who are both relayed, and refreshes and releases what it allocated. Where something fails, it says which step, with which error, and what helps.',
    'The login is in the environment variables NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD; or NAT_TOOL_TURN_SECRET has the secret of a server that takes time-limited logins (coturn: use-auth-secret), and a login is made with it. --credential prints such a login, for browsers and other programs.',
    'With --all every transport is tried: a relay that works over UDP alone does not help those whose network blocks UDP. --watch keeps the relay, uses it at an interval and tells when it is lost and when it is back.',
  ],
  positionals,
  options,
  examples: [
    { command: 'nat-tool turn turn.example.net', explain: 'Does it relay?' },
    { command: 'nat-tool turn --all turn.example.net', explain: 'Over UDP, TCP and TLS' },
    { command: 'nat-tool turn turns:turn.example.net:443', explain: 'As a browser would get out of a strict network' },
    { command: 'nat-tool turn --load turn.example.net', explain: 'How much does it carry?' },
    { command: 'nat-tool turn --watch --json turn.example.net', explain: 'Monitor it, one event a line' },
    { command: 'nat-tool turn --credential=alice --ttl 3600', explain: 'Make a login that is good for an hour' },
  ],
  seeAlso: ['stun', 'serve', 'connect'],
  exitMeanings: {
    0: 'data went through every relay and back',
    1: 'it did not, or something else is wrong with one',
  },
  run,
  view,
  line: eventLine,
  streams: ({ watch: every }) => every !== undefined,
  short: ({ data: { results, credential } }) =>
    credential ? `${credential.username} ${credential.password}` : (results.find(works)?.relayed ?? ''),
  exitStatus,
});

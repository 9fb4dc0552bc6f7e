import { type Endpoint, formatEndpoint, scopeOf } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { errorWords, faultInFull } from '../../net/error-words.ts';
import { type Block, fields } from '../../render/block.ts';
import { startReport } from '../../report/report.ts';
import type { Listening, ListenOptions } from '../../stun/listener.ts';
import type { Role } from '../../stun/roles.ts';
import { type Context, defineCommand, UsageError } from '../command.ts';
import { drain, inProgress } from './drain.ts';
import { type ServeEvent, line, relayEvent, socketsOf } from './events.ts';
import { type Tallies, tally } from './tallies.ts';
import { readLogins } from './logins.ts';
import { NOTES } from './notes.ts';
import { type Args, options } from './options.ts';
import { doesRfc5780, type Partners, partnerSecret } from './partners.ts';
import { type Hooks, start } from './servers.ts';
import { startMonitor, type Monitor } from './monitor.ts';
import { processesFor, startWorkers, type Workers } from './workers.ts';

/** Requests and relayed addresses that may wait to be shown; those beyond are answered and counted, but not shown: a slow reader of standard output must not fill the memory. */
const MOST_WAITING = 10_000;

interface Served {
  readonly listening: readonly string[];
  readonly rfc5780: boolean;
  readonly counters: Tallies;
  /** Answers that went by way of the partner, and that came from it; null without one. */
  readonly partner: Partners['counters'] | null;
}

async function run(args: Args, context: Context<ServeEvent>) {
  const { env, signal } = context;
  const close = startReport(env.clock, 'nat-tool/serve@1');
  let waiting = 0;
  const show = (event: ServeEvent): void => {
    if (waiting >= MOST_WAITING) return;
    waiting++;
    void context.emit(event).finally(() => waiting--);
  };
  const verbose = context.verbosity > 0;
  const request = (role: Role, from: Endpoint, transport: 'udp' | 'tcp', answeredFrom: Role | null): void =>
    show({ event: 'request', from: formatEndpoint(from), role, transport, answeredFrom });
  const observe: ListenOptions['observe'] = verbose
    ? ({ role, from, transport = 'udp' }, answer) => request(role, from, transport, answer?.viaRole ?? null)
    : undefined;
  let failures = 0;
  const failed = (error: unknown): void => {
    if (failures++ === 0)
      context.note(`nat-tool serve: internal error at a packet, which was dropped: ${faultInFull(error)}`);
  };
  const tell = async (event: 'listening' | 'closed', server: Listening): Promise<void> => {
    for (const socket of socketsOf(server)) await context.emit({ event, ...socket });
  };
  const count = processesFor(args, context.processes);
  let workers: Workers | undefined;
  let logins = await readLogins(args, context);
  const hooks: Hooks = {
    observe,
    logins: () => logins,
    relaying: (notice) => {
      if (verbose || notice.kind !== 'permitted') show(relayEvent(notice));
    },
    failed,
    opened: (server) => {
      workers?.add(server);
      void tell('listening', server);
    },
    closed: (server) => {
      workers?.remove(server);
      void tell('closed', server);
    },
    refused: (address, error) =>
      context.note(`nat-tool serve: ${address} is new here, and cannot be served on: ${errorWords(error)}; trying on`),
    partner: (news) => void context.emit({ event: 'partner', ...news }),
    unseen: (address, seen) =>
      context.note(
        seen.kind === 'other-port'
          ? `nat-tool serve: STUN servers see port ${args.port} of ${address} as ${seen.mapped}: this NAT is not one to one. Clients reach it only by a forwarding of the port; name the address then: --advertise`
          : `nat-tool serve: the public address of ${address} is unknown: ${seen.why}`,
      ),
  };
  const secret = args.partner ? partnerSecret(context.environment) : '';
  const serving = await start(env, args, secret, hooks, signal);
  workers = startWorkers(context, count, serving, {
    software: args.software || undefined,
    relays: args.turn || args.relay,
    observe: verbose ? (role, from, via) => request(role, from, 'udp', via) : undefined,
    failed,
  });
  let watch: Monitor | undefined;
  let web: Awaited<ReturnType<typeof import('./web.ts')['startWeb']>> | undefined;
  let draining = false;
  try {
    for (const server of serving.running) await tell('listening', server);
    if (workers) {
      await workers.started(signal);
      await context.emit({ event: 'workers', processes: 1 + workers.ready });
    }
    if (args.metrics) {
      const { vitals } = context;
      watch = await startMonitor(env, { at: args.metrics, serving, workers, draining: () => draining, vitals, failed });
      await context.emit({ event: 'metrics', address: formatEndpoint(watch.local) });
    }
    if (args.web) {
      const { identity } = logins;
      if (!identity && scopeOf(args.web.address) !== 'loopback')
        throw new UsageError(
          '--web on an address that others reach needs --cert and --key: without TLS the page could be changed on its way',
        );
      const { startWeb } = await import('./web.ts');
      web = await startWeb(env, args.web, identity, failed);
      await context.emit({ event: 'web', address: formatEndpoint(web.local) });
    }
    const reload = async (): Promise<void> => {
      try {
        const fresh = await readLogins(args, context);
        const { identity } = fresh;
        if (identity) for (const server of [...serving.running, ...(web ? [web] : [])]) server.renew(identity);
        logins = fresh;
        await context.emit({ event: 'reloaded' });
      } catch (error) {
        if (!(error instanceof UsageError || error instanceof NetError)) throw error;
        context.note(`nat-tool serve: all stays as it was: ${error.message}`);
      }
    };
    // At a terminal it means that the terminal is gone.
    if (!context.io.stdinIsTTY) context.onHup(() => void reload().catch(failed));
    const counted = async (): Promise<Tallies> => {
      await workers?.count();
      return tally(serving, workers);
    };
    context.onUsr2(() => void counted().then((tallies) => context.emit({ event: 'counters', ...tallies }), failed));
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
      context.onTerm(() => {
        draining = true;
        void context.emit({ event: 'draining', ...inProgress(serving), seconds: args.drain });
        drain(env.clock, serving, args.drain * 1000, signal)
          .catch(failed)
          .finally(resolve);
      });
    });
    await context.emit({ event: 'stopped' });
    const data: Served = {
      listening: serving.running.flatMap(socketsOf).map(({ transport, address }) => `${transport} ${address}`),
      rfc5780: doesRfc5780(serving.running),
      counters: await counted(),
      partner: serving.partners?.counters ?? null,
    };
    return close('complete', data);
  } finally {
    web?.close();
    watch?.close();
    await workers?.close();
    serving.close();
  }
}

export default defineCommand({
  name: 'serve',
  summary: 'run a STUN server, with RFC 5780 on two addresses',
  description: [
    'Answers STUN Binding requests over UDP and TCP until interrupted. On two addresses of one host it also does the NAT behaviour discovery of RFC 5780, so that nat-tool detect and other tools can test filtering against it.',
    'It is safe to leave open to the world: it keeps no state for clients, limits the rate of each source in fixed memory, and never sends more to an unproven source than a plain answer or than it received.',
    'Two hosts that run nat-tool connect meet here, on the same UDP port: it tells each where it sees the other, and passes on what only they can read. On one address alone the next port (3479) answers too, for without it a symmetric NAT looks like any other, and a request to be answered from the other port is granted: filtering by port can be tested.',
    'SIGUSR2 prints the counters; an interrupt stops it and prints them a last time. SIGTERM lets meetings and relays in use end first.',
  ],
  positionals: {},
  options,
  examples: [
    { command: 'nat-tool serve', explain: 'A plain STUN server on port 3478 of every address' },
    { command: 'nat-tool serve --address 192.0.2.1 --address 192.0.2.2', explain: 'With NAT behaviour discovery' },
    {
      command: 'nat-tool serve --address 192.0.2.1 --port 3478 --rate 20 --json',
      explain: 'A stricter limit, events as JSON lines',
    },
    {
      command: 'nat-tool serve --advertise 203.0.113.5=10.0.0.5 --advertise 203.0.113.6=10.0.0.6',
      explain: 'In a cloud that gives private addresses: both behind public ones',
    },
    {
      command: 'nat-tool serve --partner stun2.example.net',
      explain: 'With NAT behaviour discovery by a second host, which names this one',
    },
    { command: 'nat-tool serve --workers auto', explain: 'On every core' },
    { command: 'nat-tool serve --relay', explain: 'Relay for pairs that run connect and find no direct path' },
    {
      command: 'nat-tool serve --turn --users turn-users.txt --cert fullchain.pem --key privkey.pem',
      explain: 'A TURN server too, over UDP, TCP and TLS',
    },
    { command: 'pkill -USR2 -f "nat-tool serve"', explain: 'See the counters of a running server' },
  ],
  notes: NOTES,
  seeAlso: ['stun', 'detect'],
  exitMeanings: { 0: 'it served until it was told to stop', 1: 'a port could not be opened' },
  run,
  view: ({ data: { counters } }): Block[] => [
    fields([
      ['Received', String(counters.received)],
      ['Answered', String(counters.answered)],
      ['Refused', String(counters.refused)],
      ['Over the limit', String(counters.limited)],
      ['Malformed', String(counters.malformed)],
      ['Other', String(counters.ignored)],
      ...(counters.failed > 0 ? [['Failed', String(counters.failed)] as const] : []),
      ['TCP connections', String(counters.connections)],
      ['Rendezvous', String(counters.registers)],
      ['Meetings', String(counters.meetings)],
      ...(counters.relay
        ? [['Relayed', `${counters.relay.relayed} datagrams, ${counters.relay.relayedBytes} bytes`] as const]
        : []),
    ]),
  ],
  short: ({ data }) => String(data.counters.answered),
  line,
  streams: () => true,
  exitStatus: () => 0,
});

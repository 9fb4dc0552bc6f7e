import { formatEndpoint } from '../../net/address.ts';
import { NetError, type UdpSocket } from '../../net/env.ts';
import { errorWords, unreachableWords } from '../../net/error-words.ts';
import { Refusals, sendPersistently } from '../../net/refusals.ts';
import { sleep } from '../../net/wait.ts';
import { punchFrom } from '../../probe/punch/hole-keeping.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { type Report, startReport } from '../../report/report.ts';
import { StunMux } from '../../stun/mux.ts';
import { checkFamily, KEEPALIVE_MS } from '../arguments.ts';
import { type Context, UsageError, defineCommand } from '../command.ts';
import { credentialsOf } from '../credentials.ts';
import { PortMapping } from '../datagrams/mapping.ts';
import { datagramsOf } from '../datagrams/input.ts';
import { type DatagramEvent, DatagramOutput, datagramLine, mannerOf } from '../datagrams/output.ts';
import { EchoGuard } from './echo.ts';
import { type ListenEvent, Listener } from './listener.ts';
import { type Args, options, positionals } from './options.ts';
import { PublicSide } from './public-side.ts';
import { open, pick } from './sockets.ts';
import { type Listened, inWords, view } from './view.ts';

/** Of what could not be asked or reached. */
const inWordsOf = (error: NetError, host = ''): string =>
  error.kind === 'unreachable' ? unreachableWords(error, host) : error.message;

/** What nc reads from standard input at once. */
const LARGEST_REPLY = 16_384;

async function run(args: Args, context: Context<ListenEvent>): Promise<Report<Listened>> {
  const { env, signal } = context;
  if (args.localPort !== undefined && args.port !== undefined && args.localPort !== args.port)
    throw new UsageError(`-p ${args.port} and ${args.localPort} name two ports`);
  if (args.hex && args.raw) throw new UsageError('--hex and --raw exclude each other');
  checkFamily('--stun', args.stun ? [args.stun] : [], args);
  checkFamily('--punch', args.punch ? [args.punch] : [], args);
  const credentials = credentialsOf(context.environment);
  const finish = startReport(env.clock, 'nat-tool/listen@1');
  const manner = mannerOf(context.form, context.io.stdoutIsTTY, args);
  const sockets = await open(env, args, args.port ?? args.localPort ?? 0, signal);
  const output = new DatagramOutput(context, manner, args.hex);
  // Payloads are the answer; what else there is to say goes beside it.
  const tell = (event: Exclude<ListenEvent, DatagramEvent>): void => {
    if (manner === 'events') void context.emit(event);
    else context.note(inWords(event));
  };
  const fixed = args.keepalive === 'auto' ? undefined : args.keepalive;
  const echo = args.echo ? new EchoGuard(env.random) : undefined;
  const listener = new Listener({ ...args, echo }, output, tell as (event: ListenEvent) => void, env.clock.now());
  const publicSide = new PublicSide(context, { ...args, keepalive: fixed, credentials }, tell);
  const mapping = new PortMapping(context, (mapped) => tell({ event: 'mapped', ...mapped }));
  const findings: Finding[] = [];
  const stop = new AbortController();
  const all = AbortSignal.any([signal, stop.signal]);
  const background: Promise<void>[] = [];
  const inBackground = (work: Promise<void>): void => {
    background.push(
      work.catch((error: unknown) => {
        if (!all.aborted) listener.done.reject(error);
      }),
    );
  };
  try {
    const muxes = new Map<UdpSocket, StunMux>();
    for (const socket of sockets) {
      if (args.stun || args.punch) {
        const mux = new StunMux(socket);
        mux.onOther = (datagram) => listener.hear(socket, datagram);
        muxes.set(socket, mux);
      } else socket.listen({ datagram: (datagram) => listener.hear(socket, datagram) });
    }
    const listening = sockets.map(({ local }) => formatEndpoint(local));
    tell({ event: 'listening', addresses: listening });
    if (args.map) mapping.start(sockets[0]?.local.port ?? 0, args);
    if (args.stun)
      inBackground(
        publicSide.watch(args.stun, muxes, all).catch((error: unknown) => {
          if (!(error instanceof NetError) || all.aborted) throw error;
          context.note(`nat-tool listen: the public side is unknown: ${inWordsOf(error, args.stun?.host)}`);
        }),
      );
    if (args.punch)
      inBackground(
        openHole(args.punch).catch((error: unknown) => {
          if (!(error instanceof NetError) || all.aborted) throw error;
          context.note(`nat-tool listen: no hole is punched: ${inWordsOf(error, args.punch?.host)}`);
        }),
      );
    if (!args.echo) listener.onFirst = () => inBackground(feed());
    if (args.timeout !== undefined) inBackground(watchIdle(args.timeout));

    async function openHole(target: { readonly host: string; readonly port: number }): Promise<void> {
      const addresses = await env.resolver.addresses(target.host, args.family, all);
      const { remote, socket } = await pick(
        addresses.map((address) => ({ address, port: target.port })),
        sockets,
        target.host,
      );
      await punchFrom(
        env,
        muxes.get(socket) as StunMux,
        remote,
        fixed ?? KEEPALIVE_MS,
        (rttMs) => tell({ event: 'open', remote: formatEndpoint(remote), rttMs }),
        listener.probes,
        all,
      );
    }

    /** Standard input to the last sender, once there is one. */
    async function feed(): Promise<void> {
      const refusals = new Refusals(env.clock);
      for await (const batch of datagramsOf(context.io.stdin, { by: 'arrival' }, LARGEST_REPLY)) {
        const to = listener.last;
        if (all.aborted || !to) return;
        for (const data of batch) {
          const send = () => to.socket.send(data, to.from);
          const failure = await sendPersistently(env.clock, send, (error) => refusals.isFinal(error, true), all);
          if (!failure) refusals.sent();
          else if (failure.kind !== 'closed')
            context.note(`nat-tool listen: could not be sent to ${formatEndpoint(to.from)}: ${errorWords(failure)}`);
        }
      }
    }

    async function watchIdle(idleMs: number): Promise<void> {
      for (;;) {
        const left = listener.lastAt + idleMs - env.clock.now();
        if (left <= 0) return listener.done.resolve();
        await sleep(env.clock, left, all);
      }
    }

    const interrupted = (): void => listener.done.resolve();
    if (signal.aborted) interrupted();
    signal.addEventListener('abort', interrupted, { once: true });
    try {
      await listener.done.promise;
    } finally {
      signal.removeEventListener('abort', interrupted);
    }
    const senders = [...listener.tallies].map(([address, { datagrams, bytes }]) => ({ address, datagrams, bytes }));
    const first = senders[0]?.address;
    if (listener.ignored > 0 && first !== undefined)
      findings.push(finding('others-ignored', { count: listener.ignored, first }));
    await mapping.end();
    findings.push(...publicSide.findings(), ...mapping.findings());
    const full = args.count !== undefined && listener.datagrams >= args.count;
    await output.end();
    const data: Listened = {
      listening,
      public: publicSide.latest,
      mapped: mapping.latest,
      datagrams: listener.datagrams,
      bytes: listener.bytes,
      senders,
      ignored: listener.ignored,
      dropped: output.dropped,
      notEchoed: echo?.refused ?? 0,
      punched: [...listener.punched],
      table: publicSide.table.rows(),
    };
    return finish(signal.aborted && !full ? 'partial' : 'complete', data, findings);
  } finally {
    stop.abort();
    for (const socket of sockets) socket.close();
    await mapping.end();
    // All but the reading of standard input ends at once; that one cannot be told.
    void Promise.all(background);
  }
}

export default defineCommand({
  name: 'listen',
  summary: 'print the datagrams that come to a port',
  description: [
    'On a terminal each datagram is a line with time (UTC), sender, size and payload. When standard output goes elsewhere, the payloads are written byte for byte, and nothing else. What is typed, or comes by standard input, goes to the last sender, as in nc.',
    'With --stun the public side of this very port is asked for and shown, and the hole to the server is kept open; with --punch a hole to a remote end is opened and kept open. Without -4, -6 or -s both IPv4 and IPv6 are listened on.',
    'The probes of nat-tool punch are recognised and answered, so that the other side learns that the hole is open; they are not printed.',
  ],
  positionals,
  options,
  examples: [
    { command: 'nat-tool listen -p 12001', explain: 'As nc -u -l -p 12001 does' },
    {
      command: 'nat-tool listen -p 12001 --stun stun.example.net',
      explain: 'Show the public side of the port, and keep it',
    },
    { command: 'nat-tool listen -p 12001 --map', explain: 'Have the router open the port to everybody' },
    { command: 'nat-tool listen 12001 -c 1 > message', explain: 'Save the payload of one datagram' },
    { command: 'nat-tool listen -p 7 --echo', explain: 'Answer everybody with what they sent' },
    { command: 'nat-tool listen -k --json 5140', explain: 'One JSON event for each datagram, from any sender' },
  ],
  notes: [
    {
      title: 'Echo',
      paragraphs: [
        'The source of a datagram is easily forged. So that two echoes are not set on each other, nor a service on somebody in our name, --echo sends nothing back to ports below 1024 and those of known services (SSDP, multicast DNS, STUN, memcached and the like), no more than 100 datagrams a second (200 at once) to one source, and leaves one out when a sender has sent the same 500 times in a row.',
      ],
    },
    {
      title: 'Probes',
      paragraphs: [
        'A probe of nat-tool punch is a STUN Binding request or indication (RFC 8489) with FINGERPRINT and the SOFTWARE attribute "nat-tool punch" or "nat-tool listen". Everything else is payload, other STUN messages included.',
      ],
    },
  ],
  seeAlso: ['punch', 'send', 'map', 'public-ip'],
  exitMeanings: { 0: 'something came', 1: 'nothing came' },
  run,
  view,
  short: () => '',
  line: (event: ListenEvent, _args, { theme }) =>
    event.event === 'datagram' ? datagramLine(event, theme) : inWords(event),
  streams: () => true,
  exitStatus: ({ data }) => (data.datagrams > 0 ? 0 : 1),
});

import { type Endpoint, type Family, familyOf, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { type Env, ignoreNetError, NetError, type UdpSocket } from '../../net/env.ts';
import { sleep } from '../../net/wait.ts';
import { routedEndpoint } from '../../net/route.ts';
import { punchFrom, watchPublicSide } from '../../probe/punch/hole-keeping.ts';
import { type Block, forwardingGrid, note } from '../../render/block.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { type ForwardingRow, ForwardingTable } from '../../report/forwarding.ts';
import { type Report, startReport } from '../../report/report.ts';
import { discover } from '../../stun/discovery.ts';
import { StunMux } from '../../stun/mux.ts';
import type { StunServerName } from '../../stun/uri.ts';
import {
  checkFamily,
  FAMILY,
  parseLocalPort,
  parseRemote,
  parseSeconds,
  parseStun,
  parseWhole,
  PORT,
  SOURCE,
} from '../arguments.ts';
import { type ArgsOf, type Context, defineCommand, type Look, UsageError } from '../command.ts';
import { datagramsOf } from '../datagrams/input.ts';
import { type DatagramEvent, datagramLine, DatagramOutput, mannerOf } from '../datagrams/output.ts';
import { EchoGuard } from './echo.ts';
import { type ListenEvent, Listener } from './listener.ts';
import { bytesInWords } from '../datagrams/payload.ts';

interface Listened {
  readonly listening: readonly string[];
  readonly public: string | null;
  readonly datagrams: number;
  readonly bytes: number;
  readonly senders: readonly { readonly address: string; readonly datagrams: number; readonly bytes: number }[];
  /** Datagrams from others than the first sender, without -k. */
  readonly ignored: number;
  /** Datagrams that standard output was too slow for. */
  readonly dropped: number;
  /** Datagrams that --echo did not send back. */
  readonly notEchoed: number;
  /** Other sides whose punch was answered. */
  readonly punched: readonly string[];
  readonly table: readonly ForwardingRow[];
}

const positionals = {
  localPort: { valueName: 'PORT', parse: parseLocalPort, describe: 'local port, as with -p' },
} as const;

const options = {
  hex: { type: 'boolean', describe: 'show payloads as hexadecimal dumps' },
  raw: { type: 'boolean', describe: 'print the bytes of the payloads and nothing else, also on a terminal' },
  keepListening: {
    type: 'boolean',
    alias: 'k',
    describe: 'hear every sender; without it, as in nc, only the first one',
  },
  count: {
    type: 'string',
    alias: 'c',
    valueName: 'COUNT',
    parse: parseWhole(1, 1_000_000_000),
    describe: 'stop after so many datagrams',
  },
  timeout: {
    type: 'string',
    alias: ['w', 'wait'],
    valueName: 'SECONDS',
    parse: parseSeconds,
    describe: 'stop when nothing has come for so long',
  },
  echo: { type: 'boolean', describe: 'send datagrams back to their senders; hears every sender' },
  stun: {
    type: 'string',
    valueName: 'SERVER',
    parse: parseStun,
    describe: 'ask this STUN server for the public side of the port, and keep the hole open',
  },
  punch: {
    type: 'string',
    valueName: 'HOST:PORT',
    parse: parseRemote,
    describe: 'open a hole to this remote end from the port',
  },
  keepalive: {
    type: 'string',
    bare: '10',
    valueName: 'SECONDS',
    parse: parseSeconds,
    default: '10',
    describe: 'how often the holes of --stun and --punch are refreshed',
  },
  reuse: {
    type: 'boolean',
    describe: 'take the port although another program shares it; the last one to come hears the datagrams',
  },
  family: FAMILY,
  port: PORT,
  source: SOURCE,
  udp: { type: 'boolean', alias: 'u', hidden: true, describe: 'nothing: it is UDP' },
  listen: { type: 'boolean', alias: 'l', hidden: true, describe: 'nothing: it listens' },
  numeric: { type: 'boolean', alias: 'n', hidden: true, describe: 'nothing' },
} as const;

type Args = ArgsOf<typeof positionals, typeof options>;

/** As much as the system grants: bursts wait here while standard output is written. */
const RECEIVE_BUFFER = 32 * 1024 * 1024;
/** What nc reads from standard input at once. */
const LARGEST_REPLY = 16_384;

/** One socket a family: without -4, -6 or an address both, where the host has both. */
async function open(env: Env, args: Args, port: number, signal: AbortSignal): Promise<UdpSocket[]> {
  const families: readonly Family[] = args.family
    ? [args.family]
    : args.source
      ? [familyOf(args.source)]
      : port === 0
        ? [4]
        : [4, 6];
  const sockets: UdpSocket[] = [];
  try {
    for (const family of families) {
      const options = { family, address: args.source, port, receiveBuffer: RECEIVE_BUFFER };
      try {
        // Alone first: a second listener must not take the datagrams of one that runs already without being told to.
        if (!args.reuse && port !== 0) (await env.udp.open(options, signal)).close();
        // Then shared, so that punch and send can use the port beside us.
        sockets.push(await env.udp.open({ ...options, reuse: port !== 0 }, signal));
      } catch (error) {
        if (!(error instanceof NetError)) throw error;
        const spare = family === 6 && sockets.length > 0 && args.family === undefined;
        if (spare && error.kind !== 'in-use') continue;
        if (error.kind === 'in-use')
          throw new NetError('in-use', `UDP port ${port} is in use by another program`, error.code, error);
        if (error.kind === 'denied')
          throw new NetError(
            'denied',
            `UDP port ${port} may not be used: ports below 1024 need privileges`,
            error.code,
            error,
          );
        throw error;
      }
    }
  } catch (error) {
    for (const socket of sockets) socket.close();
    throw error;
  }
  return sockets;
}

async function pick<T extends { readonly address: string }>(
  candidates: readonly T[],
  sockets: readonly UdpSocket[],
  what: string,
): Promise<{ remote: T; socket: UdpSocket }> {
  for (const remote of candidates) {
    const socket = sockets.find(({ local }) => familyOf(local.address) === familyOf(remote.address));
    if (socket) return { remote, socket };
  }
  throw new NetError('not-found', `${what} has no address of the family that is listened on`);
}

async function run(args: Args, context: Context<ListenEvent>): Promise<Report<Listened>> {
  const { env, signal } = context;
  if (args.localPort !== undefined && args.port !== undefined && args.localPort !== args.port)
    throw new UsageError(`-p ${args.port} and ${args.localPort} name two ports`);
  if (args.hex && args.raw) throw new UsageError('--hex and --raw exclude each other');
  checkFamily('--stun', args.stun ? [args.stun] : [], args);
  checkFamily('--punch', args.punch ? [args.punch] : [], args);
  const finish = startReport(env.clock, 'nat-tool/listen@1');
  const manner = mannerOf(context.form, context.io.stdoutIsTTY, args);
  const sockets = await open(env, args, args.port ?? args.localPort ?? 0, signal);
  const output = new DatagramOutput(context, manner, args.hex);
  // Payloads are the answer; what else there is to say goes beside it.
  const tell = (event: Exclude<ListenEvent, DatagramEvent>): void => {
    if (manner === 'events') void context.emit(event);
    else context.note(inWords(event));
  };
  const echo = args.echo ? new EchoGuard(env.random) : undefined;
  const listener = new Listener({ ...args, echo }, output, tell as (event: ListenEvent) => void, env.clock.now());
  const table = new ForwardingTable();
  const findings: Finding[] = [];
  let publicSide: string | null = null;
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
    if (args.stun)
      inBackground(
        askStun(args.stun).catch((error: unknown) => {
          if (!(error instanceof NetError) || all.aborted) throw error;
          context.note(`nat-tool listen: the public side is unknown: ${error.message}`);
        }),
      );
    if (args.punch)
      inBackground(
        openHole(args.punch).catch((error: unknown) => {
          if (!(error instanceof NetError) || all.aborted) throw error;
          context.note(`nat-tool listen: no hole is punched: ${error.message}`);
        }),
      );
    if (!args.echo) listener.onFirst = () => inBackground(feed());
    if (args.timeout !== undefined) inBackground(watchIdle(args.timeout));

    async function askStun(server: StunServerName): Promise<void> {
      const { remote, socket } = await pick(
        await discover(server, { ...env, transport: 'udp', family: args.family, signal: all }),
        sockets,
        server.host,
      );
      const local = await routedEndpoint(env.udp, socket.local, remote, all);
      let complained = false;
      const failed = (error: string): void => {
        if (!complained) context.note(`nat-tool listen: the public side is unknown: ${error}; trying on`);
        complained = true;
      };
      const heard = (mapped: Endpoint): void => {
        complained = false;
        const text = formatEndpoint(mapped);
        if (!sameEndpoint(mapped, local)) table.add(local, mapped, remote);
        if (text !== publicSide)
          tell({ event: 'public', private: formatEndpoint(local), public: text, remote: formatEndpoint(remote) });
        publicSide = text;
      };
      await watchPublicSide(env, muxes.get(socket) as StunMux, remote, args.keepalive, heard, failed, all);
    }

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
        args.keepalive,
        (rttMs) => tell({ event: 'open', remote: formatEndpoint(remote), rttMs }),
        all,
      );
    }

    /** Standard input to the last sender, once there is one. */
    async function feed(): Promise<void> {
      for await (const batch of datagramsOf(context.io.stdin, { by: 'arrival' }, LARGEST_REPLY)) {
        const to = listener.last;
        if (all.aborted || !to) return;
        for (const data of batch) await to.socket.send(data, to.from).catch(ignoreNetError);
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
    const full = args.count !== undefined && listener.datagrams >= args.count;
    await output.end();
    const data: Listened = {
      listening,
      public: publicSide,
      datagrams: listener.datagrams,
      bytes: listener.bytes,
      senders,
      ignored: listener.ignored,
      dropped: output.dropped,
      notEchoed: echo?.refused ?? 0,
      punched: [...listener.punched],
      table: table.rows(),
    };
    return finish(signal.aborted && !full ? 'partial' : 'complete', data, findings);
  } finally {
    stop.abort();
    for (const socket of sockets) socket.close();
    // All but the reading of standard input ends at once; that one cannot be told.
    void Promise.all(background);
  }
}

function inWords(event: Exclude<ListenEvent, DatagramEvent>): string {
  switch (event.event) {
    case 'listening':
      return `listening on ${event.addresses.join(' and ')}`;
    case 'public':
      return event.public === event.private
        ? `public side: ${event.public}, the same as the local one: there is no NAT`
        : `public side: ${event.private} | ${event.public} | ${event.remote}`;
    case 'punched':
      return `a punch of ${event.from} came in and was answered`;
    case 'open':
      return `open both ways with ${event.remote}, ${event.rttMs.toFixed(1)} ms`;
  }
}

function view({ data }: Report<Listened>, args: Args, { terminal }: Look): Block[] {
  const blocks: Block[] = [];
  if (mannerOf('text', terminal, args) === 'lines' && data.table.length > 0) blocks.push(forwardingGrid(data.table));
  const by =
    data.senders.length === 1
      ? ` from ${data.senders[0]?.address}`
      : data.senders.length > 1
        ? ` from ${data.senders.length} senders`
        : '';
  blocks.push(note(`${data.datagrams} datagram${data.datagrams === 1 ? '' : 's'}, ${bytesInWords(data.bytes)}${by}.`));
  if (data.dropped > 0) blocks.push(note(`${data.dropped} more were dropped: standard output was read too slowly.`));
  if (data.notEchoed > 0)
    blocks.push(
      note(
        `${data.notEchoed} of them were not sent back: they came from a port of a known service, or too many from one source.`,
      ),
    );
  return blocks;
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
  seeAlso: ['punch', 'send', 'public-ip'],
  exitMeanings: { 0: 'something came', 1: 'nothing came' },
  run,
  view,
  short: () => '',
  line: (event: ListenEvent, _args, { theme }) =>
    event.event === 'datagram' ? datagramLine(event, theme) : inWords(event),
  streams: () => true,
  exitStatus: ({ data }) => (data.datagrams > 0 ? 0 : 1),
});

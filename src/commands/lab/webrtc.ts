/** `lab webrtc`: two hosts behind two NATs, and a WebRTC data channel between them: descriptions, checks, DTLS, SCTP. */
import type { TimelineEvent } from '../../connect/timeline.ts';
import { type Diagram, diagram, type Step } from '../../lab/ladder.ts';
import { createLab, type Lab } from '../../lab/topology.ts';
import { formatEndpoint } from '../../net/address.ts';
import type { Clock, Env } from '../../net/env.ts';
import { toMicroseconds } from '../../net/round.ts';
import { deferred, sleep } from '../../net/wait.ts';
import type { DataChannel } from '../../webrtc/channel.ts';
import { WebrtcPeer } from '../../webrtc/peer.ts';
import type { PeerEnd } from '../../webrtc/peer-api.ts';
import type { Context } from '../command.ts';
import type { Webrtc, WebrtcSide } from './data.ts';
import { inside, networkOf } from './network.ts';
import type { Args } from './options.ts';
import { sctpNames } from './sctp-names.ts';

/** Virtual milliseconds, before it is said that nothing comes. */
const PAIR_MS = 10_000;
/** For what is on its way at the end. */
const SETTLE_MS = 200;
const LABEL = 'data';

type Host = WebrtcSide['host'];

/** One side, and what is kept of it. */
interface Side {
  readonly host: Host;
  readonly peer: WebrtcPeer;
  readonly bornAt: number;
  readonly events: TimelineEvent[];
  /** What its SCTP packets said, in the order of their sending. */
  readonly said: string[];
}

function sideAt(host: Host, env: Env): Side {
  const [events, said]: [TimelineEvent[], string[]] = [[], []];
  const peer = new WebrtcPeer(env, {
    role: host === 'A' ? 'offerer' : 'answerer',
    timeouts: { pairMs: PAIR_MS },
    onEvent: (event) => events.push(event),
    onSctp: (packet) => said.push(sctpNames(packet)),
  });
  return { host, peer, bornAt: env.clock.now(), events, said };
}

interface Talk {
  readonly a: Side;
  readonly c2: Side;
  readonly ends: readonly [PeerEnd, PeerEnd];
  readonly rttMs: number | null;
}

/** Both descriptions go by a server that both know: one round trip each. */
async function talk(lab: Lab, env: Env, rttMs: number, signal: AbortSignal): Promise<Talk> {
  const { clock } = env;
  const [a, c2] = [sideAt('A', env), sideAt('C2', lab.host('C2'))];
  const gathered = { stun: lab.servers.slice(0, 1) };
  const stop = (): void => [a, c2].forEach(({ peer }) => peer.close());
  signal.addEventListener('abort', stop, { once: true });
  try {
    const answering = c2.peer.gather(gathered, signal);
    await a.peer.gather(gathered, signal);
    const echoed = echo(clock, a.peer, c2.peer);
    const offer = a.peer.description();
    a.events.push({ atMs: clock.now() - a.bornAt, event: 'offer', bytes: offer.length });
    await Promise.all([sleep(clock, rttMs, signal), answering]);
    c2.peer.meet(offer);
    const answer = c2.peer.description();
    c2.events.push({ atMs: clock.now() - c2.bornAt, event: 'answer', bytes: answer.length });
    await sleep(clock, rttMs, signal);
    a.peer.meet(answer);
    const measured = await Promise.race([echoed, a.peer.ended.then(() => null), c2.peer.ended.then(() => null)]);
    await sleep(clock, SETTLE_MS, signal);
    stop();
    return { a, c2, ends: await Promise.all([a.peer.ended, c2.peer.ended]), rttMs: measured };
  } catch (error) {
    if (!signal.aborted) throw error;
    stop();
    return { a, c2, ends: await Promise.all([a.peer.ended, c2.peer.ended]), rttMs: null };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** A's channel: what it says comes back; resolves with how long that took, milliseconds. */
function echo(clock: Clock, one: WebrtcPeer, other: WebrtcPeer): Promise<number> {
  other.onChannel = (theirs) => {
    theirs.onMessage = (data) => theirs.send(data);
  };
  const ours: DataChannel = one.open(LABEL);
  const { promise, resolve } = deferred<number>();
  ours.onOpen = () => {
    const sentAt = clock.now();
    ours.onMessage = () => resolve(clock.now() - sentAt);
    ours.send('hello');
  };
  return promise;
}

function told({ host, peer, events }: Side, end: PeerEnd): WebrtcSide {
  const at = (event: string): number | undefined => events.find((each) => each.event === event)?.atMs;
  const between = (from: string, to: string): number | null => {
    const [start, stop] = [at(from), at(to)];
    return start === undefined || stop === undefined ? null : toMicroseconds(stop - start);
  };
  const { selected } = peer;
  return {
    host,
    candidates: peer.local.map(({ type, endpoint }) => ({ type, address: formatEndpoint(endpoint) })),
    selected: selected
      ? {
          local: formatEndpoint(selected.local.endpoint),
          localType: selected.local.type,
          remote: formatEndpoint(selected.remote.endpoint),
          remoteType: selected.remote.type,
        }
      : null,
    timing: {
      gatheringMs: at('gathered') ?? null,
      iceMs: between('met', 'valid'),
      dtlsMs: between('dtls-hello', 'dtls-up'),
      sctpMs: between('dtls-up', 'sctp-up'),
      channelMs: between('sctp-up', 'channel-open'),
    },
    events,
    cause: at('channel-open') !== undefined ? null : end.kind === 'no-pair' ? end.reason : end.kind,
  };
}

/** What happened besides packets, for the ladder. */
const REMARKS: Readonly<Record<string, (event: TimelineEvent) => string>> = {
  offer: ({ bytes }) => `sends its offer (SDP, ${bytes} bytes) by a server that both know`,
  answer: ({ bytes }) => `has the offer, and sends its answer (SDP, ${bytes} bytes); checks begin`,
  met: () => 'has the answer; checks begin',
  valid: ({ local, remote }) => `a pair works: ${local} and ${remote}`,
  selected: () => 'the pair is chosen',
  'dtls-up': () => 'DTLS is up: the certificate is the one in the description',
  'sctp-up': () => 'SCTP is up',
  'channel-open': ({ label }) => `channel "${label}" is open`,
};

/** The packets, with what SCTP says in those that DTLS has sealed, and with remarks. */
function drawn(lab: Lab, sides: readonly Side[]): Diagram {
  const { participants, steps } = diagram(lab.trace);
  const said = new Map<string, string[]>(sides.map(({ host, said: all }) => [host, [...all]]));
  const labels = new Map<number, string>();
  const named = steps.map((step): Step => {
    if (step.kind !== 'packet' || !step.content.startsWith('DTLS data')) return step;
    const label = labels.get(step.id) ?? said.get(step.from)?.shift();
    if (label === undefined) return step;
    labels.set(step.id, label);
    return { ...step, content: `DTLS: SCTP ${label}` };
  });
  const remarks = sides.flatMap(({ host, bornAt, events }) =>
    events.flatMap((event): Step[] => {
      // Of the one who answers, the answer says it.
      const words = event.event === 'met' && host === 'C2' ? undefined : REMARKS[event.event]?.(event);
      if (words === undefined) return [];
      const atMs = bornAt + event.atMs;
      return [{ kind: 'remark', id: -1, at: host, text: `${host}: ${words}`, dropped: false, refused: false, atMs }];
    }),
  );
  return { participants, steps: [...remarks, ...named].sort((one, other) => one.atMs - other.atMs) };
}

export async function playWebrtc(args: Args, context: Context): Promise<Webrtc> {
  const nat2 = args.nat2 ?? 'port-restricted-cone';
  const lab = createLab({ ...networkOf(args, nat2), nat: args.nat });
  const { a, c2, ends, rttMs } = await inside(
    () => lab.run((env, signal) => talk(lab, env, args.rtt, signal), { signal: context.signal }),
    'webrtc',
  );
  return {
    kind: 'webrtc',
    nat: args.nat,
    nat2,
    rttMs: rttMs === null ? null : toMicroseconds(rttMs),
    sides: [told(a, ends[0]), told(c2, ends[1])],
    trace: args.trace ? { ...drawn(lab, [a, c2]), addresses: lab.addresses } : null,
  };
}

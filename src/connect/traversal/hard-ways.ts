/** The hard ways of one session: judged once both NATs are known, run beside the plain way until there is a path. */
import { type Endpoint, familyOf, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import type { Driver } from '../../net/machine.ts';
import { type Clock, NetError, type Random } from '../../net/env.ts';
import { Gate, Waits } from '../../net/wait.ts';
import type { IceEvent, PairView } from '../../ice/agent.ts';
import { attempt, type Means } from './attempts.ts';
import { familiesOf, isNear, type PublicSides, publicSideOf } from './candidates.ts';
import { type Aim, type Description, type Fresh, openPort } from '../signalling/description.ts';
import type { Clocks } from './clocks.ts';
import { type FreshMeans, meetAtOnce } from './fresh-ports.ts';
import type { Governor } from './governor.ts';
import type { Profiler } from './measure.ts';
import { isSymmetric } from '../../nat/profile.ts';
import type { PathKind } from '../../nat/path.ts';
import type { Socket, Sockets } from './sockets.ts';
import { canJudge, type Judgement, judgementOf, LOW_TTL, reasonOf, type Side } from './strategy.ts';

/** What is known of the peer; its description grows. */
export interface Opposite extends PublicSides {
  readonly agent: Driver<IceEvent>;
  /** Which side has the first part: we are `a`. */
  readonly first: Side;
}

export interface HardWaysOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly governor: Governor;
  readonly sockets: Sockets;
  readonly main: Socket;
  readonly profiler: Profiler;
  /** Our side, as it is now. */
  readonly mine: () => Description;
  readonly announce: (part: Pick<Description, 'aim'> | Pick<Description, 'fresh'>) => void;
  /** Where news takes no longer than packets do. */
  readonly clocks: Clocks | undefined;
  readonly note: (event: string, details?: Readonly<Record<string, unknown>>) => void;
  /** For what should not have happened. */
  readonly broken: (error: unknown) => void;
}

export class HardWays {
  readonly #options: HardWaysOptions;
  readonly #waits = new Waits();
  readonly #gate: Gate;
  /** Sockets that listen to one endpoint alone. */
  readonly #narrow = new Map<number, Endpoint>();
  #peer: Opposite | undefined;
  #late: Socket | undefined;
  #lateStarted = false;
  /** The shots of the late socket that are still to come. */
  readonly #shots = new Set<() => void>();
  #judgement: Judgement | undefined;

  constructor(options: HardWaysOptions) {
    this.#options = options;
    this.#gate = new Gate(options.clock);
  }

  get judgement(): Judgement | undefined {
    return this.#judgement;
  }

  /** The one endpoint that this socket listens to. */
  only(socket: number): Endpoint | undefined {
    return this.#narrow.get(socket);
  }

  /** There is a path, or none will be looked for any more. */
  end(): void {
    this.#waits.end();
    for (const cancel of this.#shots) cancel();
    this.#shots.clear();
  }

  /** The peer is there, or told something new. `rttMs`: to the server. */
  peer(peer: Opposite, rttMs: number): void {
    this.#peer = peer;
    this.#gate.notify();
    this.#tryLate(rttMs);
  }

  /** The socket whose first packets shall not arrive has its mapping. */
  late(socket: Socket, rttMs: number): void {
    this.#late = socket;
    this.#tryLate(rttMs);
  }

  /** Sockets whose first packets die on the way: where a router answers early packets, and so poisons the flow, this pair still works. */
  #tryLate(rttMs: number): void {
    const { clock, note } = this.#options;
    const peer = this.#peer;
    const to = peer?.description.late;
    const socket = this.#late;
    if (!peer || !to || !socket || this.#lateStarted || this.#waits.ended) return;
    this.#lateStarted = true;
    note('attempt', {
      strategy: 'low-ttl',
      reason: `First packets that die on the way open our own NAT, and the peer's cannot refuse what never came there.`,
      to: formatEndpoint(to),
    });
    const shootAt = (ms: number, ttl?: number): void => {
      const cancel = clock.after(ms, () => {
        this.#shots.delete(cancel);
        peer.agent.feed({ kind: 'speculate', socket: socket.id, to, ttl });
      });
      this.#shots.add(cancel);
    };
    // A little further each time: a carrier's NAT may lie behind our own.
    for (const [i, ttl] of [LOW_TTL, LOW_TTL + 1, LOW_TTL + 2].entries()) shootAt(i * 40, ttl);
    // The peer may hear of our socket a round trip later than we of its; after that both have sent.
    const later = Math.max(250, 1.5 * rttMs + 50);
    for (const ms of [0, 150, 450, 950, 1_750, 2_750]) shootAt(later + ms);
  }

  /** The judgement, when it has just become possible. */
  decide(): Judgement | undefined {
    const peer = this.#peer;
    const sides = (['a', 'b'] as const).filter(
      (side) => (side === 'a' ? this.#options.mine() : peer?.description)?.blocked,
    );
    if (peer && sides.length > 0 && this.#judgement?.kind !== 'blocked')
      return (this.#judgement = { kind: 'blocked', sides });
    const six = peer && !this.#judgement && this.#apart(peer);
    if (six) return (this.#judgement = { kind: 'apart', six });
    const mine = this.#options.mine().profile;
    const theirs = peer?.description.profile;
    if (!mine || !theirs || !peer || this.#judgement || !canJudge(mine, theirs)) return undefined;
    this.#judgement = judgementOf(mine, theirs, peer.first);
    return this.#judgement;
  }

  /** The side that has IPv6 alone where the other one has IPv4 alone. */
  #apart(peer: Opposite): Side | undefined {
    const description = this.#options.mine();
    // A NAT64 shows only in what servers see.
    if (description.reflexive.length === 0 || !(peer.observed ?? peer.description.reflexive[0])) return undefined;
    const [mine, theirs] = [familiesOf({ observed: undefined, description }), familiesOf(peer)];
    if ([...mine].some((family) => theirs.has(family))) return undefined;
    return mine.has(6) ? 'a' : 'b';
  }

  /** Tries what the judgement asks for. */
  start(judgement: Judgement): void {
    const { mine, note } = this.#options;
    const peer = this.#peer;
    const { profile, reflexive, hosts } = mine();
    const theirs = peer?.description.profile;
    const self = reflexive[0] ?? hosts[0];
    const target = peer && publicSideOf(peer, familyOf(this.#options.main.local.address));
    note('attempt', { strategy: judgement.kind, reason: reasonOf(judgement, 'this side', 'the peer') });
    if (!peer || !profile || !theirs || !self || !target) return;
    this.#run((signal) => attempt(judgement, { mine: profile, theirs, peer: target, self }, this.#means(peer, signal)));
  }

  /** Where both NATs let plain packets through and there is no path after so many milliseconds, something came too early. */
  meetAtOnceAfter(ms: number): void {
    const { clock, clocks, note } = this.#options;
    if (!clocks) return;
    const cancel = clock.after(ms, () => {
      this.#shots.delete(cancel);
      const peer = this.#peer;
      if (!peer || this.#waits.ended) return;
      note('attempt', {
        strategy: 'at-once',
        reason:
          'A router may have answered what came too early: both sides send at one instant, from ports that nobody has sent to.',
      });
      this.#run((signal) => meetAtOnce(this.#freshMeans(peer, clocks, signal)));
    });
    this.#shots.add(cancel);
  }

  /** Beside all else, until the end. */
  #run(way: (signal: AbortSignal) => Promise<void>): void {
    this.#waits.run(way).catch((error: unknown) => {
      if (!this.#waits.ended && !(error instanceof NetError)) this.#options.broken(error);
    });
  }

  #freshMeans(peer: Opposite, clocks: Clocks, signal: AbortSignal): FreshMeans {
    return {
      ...this.#means(peer, signal),
      first: peer.first === 'a',
      announce: (fresh) => this.#options.announce({ fresh }),
      peers: async (round, ms) => {
        const fresh = (): Fresh | undefined => {
          const { fresh: told } = peer.description;
          return told && told.round >= round && isSeenAt(peer, told.address) ? told : undefined;
        };
        await this.#gate.wait(() => fresh() !== undefined, ms, signal);
        return fresh();
      },
      ours: (at) => clocks.ours(at),
      newsMs: () => clocks.newsMs ?? 0,
    };
  }

  #means(peer: Opposite, signal: AbortSignal): Means {
    const { clock, random, governor, sockets, main, profiler, announce, note } = this.#options;
    return {
      clock,
      random,
      signal,
      announce: (aim) => announce({ aim }),
      note,
      main: main.id,
      open: () => sockets.open(this.#waits),
      close: (id) => {
        sockets.close(id);
        this.#narrow.delete(id);
        peer.agent.feed({ kind: 'socket-closed', socket: id });
      },
      turn: () => governor.turn(signal),
      expectOnly: (socket, from) => this.#narrow.set(socket, from),
      probe: (socket, to, ttl) => peer.agent.feed({ kind: 'speculate', socket, to, ttl }),
      sample: (socket) => profiler.sample(socket),
      usedPorts: () => profiler.usedPorts(),
      peerAim: async (round) => {
        const aim = (): Aim | undefined => {
          const { aim: told } = peer.description;
          return told && told.round >= round && isSeenAt(peer, told.address) ? told : undefined;
        };
        while (!(await this.#gate.wait(() => aim() !== undefined, 60_000, signal)));
        return aim() as Aim;
      },
    };
  }

  /** What kind of path a pair is, as far as this side can tell. */
  kindOf({ remote, local, socket, speculative }: PairView): PathKind {
    if (remote.type === 'relay' || local.type === 'relay') return 'relay';
    const description = this.#peer?.description;
    if (description && isNear(remote.endpoint, description)) return 'lan';
    // A router in between may show each side another address of the other: whoever sees the open port tells.
    if (isAt(description?.mapped, remote.endpoint) || isAt(this.#options.mine().mapped, local.endpoint))
      return 'mapped';
    const judgement = this.#now();
    if (judgement?.kind !== 'guess' && judgement?.kind !== 'meet') return 'direct';
    const late = description?.late;
    if (Number(socket) === this.#late?.id && late && sameEndpoint(remote.endpoint, late)) return 'direct';
    // Judged before the filter was known, it may be the plain way after all.
    if (!this.#certain() && !speculative && Number(socket) === this.#options.main.id && remote.type !== 'prflx')
      return 'direct';
    const exact =
      judgement.kind === 'guess'
        ? judgement.foresight.kind === 'exact'
        : judgement.a.kind === 'exact' && judgement.b.kind === 'exact';
    return exact ? 'predicted' : 'birthday';
  }

  /** Whether a router says that it keeps a port open for one of the two, or may still say so. */
  get mapping(): 'open' | 'asked' | 'none' {
    const both = [this.#options.mine().mapped, this.#peer?.description.mapped];
    return both.some((each) => openPort(each)) ? 'open' : both.includes('asked') ? 'asked' : 'none';
  }

  /** What the judgement would be with all that is known by now; what was tried does not change. */
  #now(): Judgement | undefined {
    const mine = this.#options.mine().profile;
    const peer = this.#peer;
    const theirs = peer?.description.profile;
    return this.#judgement && mine && theirs && peer ? judgementOf(mine, theirs, peer.first) : this.#judgement;
  }

  /** The filter that makes a guess necessary is known, not assumed. */
  #certain(): boolean {
    const mine = this.#options.mine().profile;
    const theirs = this.#peer?.description.profile;
    if (!mine || !theirs) return false;
    return (isSymmetric(mine) || mine.complete) && (isSymmetric(theirs) || theirs.complete);
  }
}

function isAt(mapped: Description['mapped'], at: Endpoint): boolean {
  const open = openPort(mapped);
  return open !== undefined && sameEndpoint(open, at);
}

/** Only there we send by the peer's word: it must not have us send to others. */
const isSeenAt = (peer: Opposite, address: string): boolean =>
  publicSideOf(peer, familyOf(address))?.address === address;

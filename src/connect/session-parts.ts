/** What a session is made of, and which part tells which. What concerns the session as a whole comes back by its {@link Hooks}. */
import type { Endpoint } from '../net/address.ts';
import type { Env } from '../net/env.ts';
import type { Waits } from '../net/wait.ts';
import type { PairView } from '../ice/agent.ts';
import { type Deadline, Deadlines } from './deadlines.ts';
import { Fallback } from './fallback.ts';
import { HeldPath } from './held-path.ts';
import { OwnSide } from './own-side.ts';
import { Patience } from './patience.ts';
import { Introductions } from './introductions.ts';
import { Reception } from './reception.ts';
import type { ConnectFailure, SessionOptions } from './session-api.ts';
import type { Signalling } from './signalling/signalling.ts';
import type { Gathered } from './traversal/gather.ts';
import { HardWays } from './traversal/hard-ways.ts';
import { PathInUse } from './traversal/path-in-use.ts';

export interface Hooks {
  readonly due: (name: Deadline) => void;
  /** More is known of this side. */
  readonly measured: () => void;
  /** This relayed pair carries the data now. */
  readonly take: (pair: PairView, rttMs: number | undefined) => void;
  readonly isRelay: (at: Endpoint) => boolean;
  readonly fail: (failure: ConnectFailure) => void;
  /** What should not have happened. */
  readonly broken: (error: unknown) => void;
  readonly note: (event: string, details?: Readonly<Record<string, unknown>>) => void;
}

export interface SessionParts {
  readonly introductions: Introductions;
  readonly deadlines: Deadlines;
  readonly own: OwnSide;
  readonly hard: HardWays;
  readonly path: PathInUse;
  readonly fallback: Fallback;
  readonly patience: Patience;
  readonly held: HeldPath;
  readonly signalling: Signalling;
  readonly reception: Reception;
}

/** Nothing is sent yet. `member`: the one that we are. */
export function partsOf(
  env: Env,
  options: SessionOptions,
  member: Uint8Array,
  waits: Waits,
  gathered: Gathered,
  { due, measured, take, isRelay, fail, broken, note }: Hooks,
): SessionParts {
  const { clock, random } = env;
  const { server, beside, credentials, trusted, secret } = options;
  const { main, other, sockets, governor } = gathered;
  const introductions = new Introductions(secret, member, random, options.party);
  const deadlines = new Deadlines(clock, due);
  const own: OwnSide = new OwnSide({
    env,
    gathered,
    waits,
    server,
    beside,
    credentials,
    trusted,
    key: secret.descriptionKey(member),
    measured,
    late: (socket) => hard.late(socket, own.rttMs),
    note,
  });
  const { profiler, description } = own;
  const hard = new HardWays({
    clock,
    random,
    governor,
    sockets,
    main,
    profiler,
    mine: () => description.current,
    announce: (part) => description.update(part),
    clocks: trusted ? own.clocks : undefined,
    note,
    broken,
  });
  const path = new PathInUse((pair) => hard.kindOf(pair));
  const direct = options.relays === 'refused';
  if (direct) description.note({ relayed: 'refused' });
  const fallback = new Fallback({
    clock,
    sockets,
    waits,
    deadlines,
    path,
    places: options.relays === 'refused' ? [] : (options.relays ?? []),
    plainMs: options.plainMs,
    announce: (relayed) => description.relayed(relayed),
    take,
    note,
    broken,
  });
  description.note({ share: introductions.share, party: options.party });
  const patience = new Patience({ clock, deadlines, hard, path, fallback, plainMs: options.plainMs, fail, note });
  const held = new HeldPath({
    path,
    sockets,
    deadlines,
    hard,
    profiler,
    always: [main, other],
    tidying: (kept) => fallback.release(kept),
    note,
  });
  const signalling = options.makeSignalling({
    main,
    server,
    member,
    observed: (seen) => own.observed(seen),
    send: (...datagram) => sockets.send(main.id, ...datagram),
    beside: other &&
      beside && {
        server: beside,
        send: (...datagram) => sockets.send(other.id, ...datagram),
        answers: own.besideAnswers,
        taken: () => own.crossed(),
      },
    relay: (place) => direct || fallback.relays.offer(place),
    udpPasses: () => own.hasHeard,
    blocked: () => {
      fallback.blocked();
      own.blocked();
    },
  });
  const ofRelay = (socket: number): boolean => fallback.relays.owns(socket);
  const reception = new Reception({ signalling, hard, governor, path, isRelay, ofRelay, direct });
  return { introductions, deadlines, own, hard, path, fallback, patience, held, signalling, reception };
}

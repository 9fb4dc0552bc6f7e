/**
 * The hard ways through a NAT, each as a procedure that runs beside the plain one until that, or it, has found a path.
 * All that they send are ICE checks to guessed endpoints; whatever is answered becomes a pair of the ICE agent.
 */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import type { Clock, Random } from '../../net/env.ts';
import { sleep } from '../../net/wait.ts';
import { type Aim, portsOf, wrapPort } from '../signalling/description.ts';
import type { Socket } from './sockets.ts';
import { ALL_PORTS, type Foresight, type Judgement, LOW_TTL, MOST_PER_SECOND } from './strategy.ts';
import type { Profile } from '../../nat/profile.ts';

/** What an attempt may do. */
export interface Means {
  readonly clock: Clock;
  readonly random: Random;
  /** Of the waits between packets. */
  readonly signal: AbortSignal;
  readonly main: number;
  open(): Promise<Socket>;
  close(id: number): void;
  /** Waits until one more packet may leave. */
  turn(): Promise<void>;
  /** On this socket only that endpoint is listened to from now on. */
  expectOnly(socket: number, from: Endpoint): void;
  /** An ICE check to a guessed endpoint. */
  probe(socket: number, to: Endpoint, ttl?: number): void;
  /** The port that the NAT gives this socket towards the server. */
  sample(socket: Socket): Promise<Endpoint | undefined>;
  /** Public ports of ours that are taken. */
  usedPorts(): readonly number[];
  announce(aim: Aim): void;
  /** The peer's latest aim, once it has one of at least this round. */
  peerAim(round: number): Promise<Aim>;
  note(event: string, details?: Readonly<Record<string, unknown>>): void;
}

export interface Target {
  readonly mine: Profile;
  readonly theirs: Profile;
  /** Where the server sees the peer. */
  readonly peer: Endpoint;
  /** Where it sees us. */
  readonly self: Endpoint;
}

/** Our part in what {@link Judgement} asks for; we are side a. Rejects with the signal's reason. */
export async function attempt(judgement: Judgement, target: Target, means: Means): Promise<void> {
  switch (judgement.kind) {
    case 'crossed':
      return crossed(target, means);
    case 'guess':
      if (judgement.opener === 'b') return probeAims(judgement.foresight, target, means);
      return judgement.foresight.kind === 'exact'
        ? openPredictably(target, means)
        : openMany(judgement.sockets, target, means);
    case 'meet':
      return meet(judgement, target, means);
    default:
  }
}

/** The waits between repetitions of a probe whose loss would be all that is missing. */
const REPEAT_MS = 150;
const SAMPLE_WAIT_MS = 700;
/** Rounds of a prediction: other hosts behind the same NAT may take the port that was meant. */
const ROUNDS = 8;

/** Towards the mapping that the peer has for the server, which the filter leaves open; the answer comes from elsewhere. */
async function crossed({ peer }: Target, { main, probe, clock, signal }: Means): Promise<void> {
  for (;;) {
    probe(main, peer);
    await sleep(clock, REPEAT_MS, signal);
  }
}

/** As the symmetric side, with a counter: opens one mapping between two samples, so that its port is one of those between. Two, in fact: the packets of one die on the way. */
async function openPredictably({ mine, peer, self }: Target, means: Means): Promise<void> {
  const { clock, signal } = means;
  const opened: number[] = [];
  /** Those whose packets must not come to the peer's router before its own. */
  const quiet: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const [before, near, hole, after] = await Promise.all([means.open(), means.open(), means.open(), means.open()]);
    const shoot = (): void => {
      means.probe(near.id, peer, LOW_TTL);
      means.probe(hole.id, peer);
    };
    // The hole is opened between the two samples.
    const sampledBefore = means.sample(before);
    shoot();
    const sampled = Promise.all([sampledBefore, means.sample(after)]);
    opened.push(hole.id);
    quiet.push(near.id);
    // Until both are known the hole is kept open, and the peer may be lucky.
    const ports = await Promise.race([
      sampled,
      sleep(clock, SAMPLE_WAIT_MS, signal).then(() => [undefined, undefined] as const),
    ]);
    const aim = aimBetween(round, mine, near, ports[0], ports[1], self);
    means.close(before.id);
    means.close(after.id);
    if (aim) {
      means.announce(aim);
      means.note('aim', { round, address: aim.address, from: aim.from, step: aim.step, count: aim.count });
    }
    for (let i = 0; i < 6; i++) {
      await sleep(clock, REPEAT_MS, signal);
      for (const id of opened) means.probe(id, peer);
      for (const id of quiet) means.probe(id, peer, LOW_TTL);
    }
  }
  await keepOpen(opened, peer, means);
}

/** Which ports a mapping may have that was made between the two samples. */
function aimBetween(
  round: number,
  { allocation }: Profile,
  near: Socket,
  before: Endpoint | undefined,
  after: Endpoint | undefined,
  self: Endpoint,
): Aim | undefined {
  const address = before?.address ?? after?.address ?? self.address;
  if (allocation.pattern === 'preserving') return { round, address, from: near.local.port, step: 1, count: 2 };
  const step = allocation.step ?? 1;
  if (before && after) {
    const between = Math.round((after.port - before.port) / step) - 1;
    if (between >= 1 && between <= 32)
      return { round, address, from: wrapPort(before.port + step), step, count: between };
    return { round, address, from: wrapPort(before.port + step), step, count: 16 };
  }
  if (before) return { round, address, from: wrapPort(before.port + step), step, count: 8 };
  return after && { round, address, from: wrapPort(after.port - step), step: -step, count: 8 };
}

/** As the symmetric side, without foresight: many mappings, one of which the peer will hit. */
async function openMany(count: number, { peer }: Target, means: Means): Promise<void> {
  const opened: number[] = [];
  for (let i = 0; i < count; i++) {
    const socket = await means.open();
    await means.turn();
    means.probe(socket.id, peer, i % 2 === 0 ? LOW_TTL : undefined);
    opened.push(socket.id);
  }
  means.note('sockets-open', { count });
  await keepOpen(opened, peer, means);
}

/** A mapping that only one side has used lives for half a minute or more (Linux: 30 s). */
const KEEP_OPEN_MS = 8_000;

async function keepOpen(opened: readonly number[], to: Endpoint, means: Means): Promise<void> {
  for (;;) {
    await sleep(means.clock, KEEP_OPEN_MS, means.signal);
    for (const [i, id] of opened.entries()) {
      await means.turn();
      means.probe(id, to, i % 2 === 0 ? LOW_TTL : undefined);
    }
  }
}

/** As the other side: sends to where the peer's mapping may be. */
async function probeAims(foresight: Foresight, target: Target, means: Means): Promise<void> {
  if (foresight.kind !== 'exact') return probeRange(foresight, target, means);
  for (let round = 1; ; ) {
    const aim = await means.peerAim(round);
    round = aim.round + 1;
    means.note('probing', { round: aim.round, address: aim.address, from: aim.from, step: aim.step, count: aim.count });
    for (let i = 0; i < 4; i++) {
      for (const port of portsOf(aim)) {
        await means.turn();
        means.probe(means.main, { address: aim.address, port });
      }
      await sleep(means.clock, REPEAT_MS, means.signal);
    }
  }
}

async function probeRange(foresight: Foresight, { theirs, peer }: Target, means: Means): Promise<void> {
  const [low, high] = foresight.kind === 'block' ? (theirs.allocation.range ?? [1024, 65_535]) : [1024, 65_535];
  means.note('probing', { address: peer.address, from: low, to: high });
  for (let pass = 0; ; pass++) {
    // The estimate of a block may be narrow: after two passes its neighbours are tried too.
    const wider = pass >= 2 ? (high - low + 1) * (pass - 1) : 0;
    const from = Math.max(1024, low - wider);
    const size = Math.min(65_535, high + wider) - from + 1;
    for (const offset of permutation(size, means.random)) {
      await means.turn();
      means.probe(means.main, { address: peer.address, port: from + offset });
    }
  }
}

/** Half of the window of a counter. */
const WINDOW = 8;

/**
 * Both symmetric: each side announces a port that it is about to own, and opens many mappings towards the port that the other
 * one announced. One of each side's has the announced port, and these two meet.
 */
async function meet(judgement: Extract<Judgement, { kind: 'meet' }>, target: Target, means: Means): Promise<void> {
  const count = judgement.sockets.a;
  for (let round = 1; round <= ROUNDS; round++) {
    const { aim, first } = await ownAim(round, judgement.a, target, means);
    means.announce(aim);
    means.note('aim', { round, address: aim.address, port: aim.from });
    const theirs = await means.peerAim(round);
    if (theirs.round > round) {
      // The peer is ahead, and waits for an aim of ours of its round.
      if (first) means.close(first.id);
      round = theirs.round - 1;
      continue;
    }
    const to = { address: theirs.address, port: theirs.from };
    means.note('meeting', { round, to: formatEndpoint(to), sockets: count });
    const opened: number[] = [];
    for (let i = 0; i < count; i++) {
      const socket = i === 0 && first ? first : await means.open();
      await means.turn();
      // Where a filter is easy, all that the peer sends comes in; but only one of its mappings can be answered.
      means.expectOnly(socket.id, to);
      means.probe(socket.id, to, LOW_TTL);
      opened.push(socket.id);
    }
    // Until both sides are through, and then some, for what was lost.
    const slower = (Math.max(judgement.sockets.a, judgement.sockets.b) * 1000) / MOST_PER_SECOND;
    const until = means.clock.now() + slower + 4 * REPEAT_MS;
    while (means.clock.now() < until) {
      await sleep(means.clock, REPEAT_MS, means.signal);
      for (const id of opened) {
        await means.turn();
        means.probe(id, to);
      }
    }
    for (const id of opened) means.close(id);
  }
}

/** A port that one of our next mappings will have, and the socket that must be the first of them. */
async function ownAim(
  round: number,
  foresight: Foresight,
  { mine, self }: Target,
  means: Means,
): Promise<{ aim: Aim; first?: Socket }> {
  const { allocation } = mine;
  if (allocation.pattern === 'preserving') {
    const first = await means.open();
    return { aim: { round, address: self.address, from: first.local.port, step: 1, count: 1 }, first };
  }
  if (foresight.kind === 'block') {
    // Between ports that were seen: that is inside, however well the block's ends are known.
    const used = [...means.usedPorts()]
      .filter((port) => !allocation.range || (port >= allocation.range[0] && port <= allocation.range[1]))
      .sort((x, y) => x - y);
    const [low, high] =
      used.length >= 2 ? [used[0] as number, used[used.length - 1] as number] : (allocation.range ?? [1024, 65_535]);
    let port = low;
    do port = low + means.random.below(high - low + 1);
    while (used.includes(port) && high - low >= 2 * used.length);
    return { aim: { round, address: self.address, from: port, step: 1, count: 1 } };
  }
  const socket = await means.open();
  const now = await means.sample(socket);
  means.close(socket.id);
  const step = allocation.step ?? 1;
  return {
    aim: {
      round,
      address: now?.address ?? self.address,
      from: wrapPort((now ?? self).port + step * WINDOW),
      step: 1,
      count: 1,
    },
  };
}

/** 0 … size − 1 in random order, each once: a walk with a stride that has no factor in common with the size. */
function* permutation(size: number, random: Random): Generator<number, void, void> {
  if (size <= 4096 || size > ALL_PORTS) {
    const all = Array.from({ length: size }, (_, i) => i);
    for (let i = size - 1; i >= 0; i--) {
      const j = random.below(i + 1);
      [all[i], all[j]] = [all[j] as number, all[i] as number];
      yield all[i] as number;
    }
    return;
  }
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
  let stride = 1 + random.below(size - 1);
  while (gcd(stride, size) !== 1) stride = 1 + random.below(size - 1);
  const start = random.below(size);
  for (let i = 0; i < size; i++) yield (start + i * stride) % size;
}

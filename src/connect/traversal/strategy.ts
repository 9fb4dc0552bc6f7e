/**
 * What can open a hole between two NATs, from what both sides measured: one pure judgement, which the session acts on
 * and `pair` prints. Both sides come to the same one, each from its own side.
 */
export { LOW_TTL } from '../../nat/low-ttl.ts';

import { isPortFiltered, isSymmetric, type Profile } from '../../nat/profile.ts';

/** Packets a second that one side sends at most while it tries. */
export const MOST_PER_SECOND = 280;
/** How long hard ways are tried where they can be tried again and again. */
const HARD_MS = 13_000;
/** What a birthday may take. */
const BIRTHDAY_MS = 10_000;
/** Ports that NATs give out at random: 1024 to 65535. */
export const ALL_PORTS = 64_512;
const BIRTHDAY_SOCKETS = 256;
const MOST_SOCKETS = 512;

export type Side = 'a' | 'b';

/** How one side's next public port can be known. */
export type Foresight =
  /** The counter's next one, or the local port itself. */
  | { readonly kind: 'exact' }
  /** One of so many. */
  | { readonly kind: 'block'; readonly size: number }
  | { readonly kind: 'random' };

export type Judgement =
  /** No port has to be guessed. */
  | { readonly kind: 'direct' }
  /** Both symmetric, but their filters let each direction use the other's mapping towards the server. */
  | { readonly kind: 'crossed' }
  /** One port has to be guessed: that of the opener, by the other side. */
  | {
      readonly kind: 'guess';
      readonly opener: Side;
      readonly foresight: Foresight;
      readonly sockets: number;
      readonly probes: number;
      readonly odds: number;
      readonly expectedMs: number;
    }
  /** Both ports have to be right at once: each side opens many mappings towards the one port that the other one aims to own. */
  | {
      readonly kind: 'meet';
      readonly a: Foresight;
      readonly b: Foresight;
      readonly sockets: Readonly<Record<Side, number>>;
      readonly odds: number;
      readonly expectedMs: number;
    }
  | { readonly kind: 'hopeless'; readonly odds: number }
  /** UDP does not pass the network of these: what can't be sent finds no hole. */
  | { readonly kind: 'blocked'; readonly sides: readonly Side[] }
  /** They have no address family in common: one has IPv6 alone, the other one IPv4 alone. */
  | { readonly kind: 'apart'; readonly six: Side }
  /** Too little is known; the plain way is all there is. */
  | { readonly kind: 'unknown' };

function foresightOf({ allocation }: Profile): Foresight {
  switch (allocation.pattern) {
    case 'preserving':
    case 'sequential':
      return { kind: 'exact' };
    case 'block': {
      const [low, high] = allocation.range ?? [1024, 65_535];
      return { kind: 'block', size: high - low + 1 };
    }
    default:
      return { kind: 'random' };
  }
}

const RANK: Readonly<Record<Foresight['kind'], number>> = { exact: 0, block: 1, random: 2 };

/** Whether what is still being measured may change what is worth doing. A cheap prediction need not wait for a filter: if that is an easy one, the plain way wins at once. */
export function canJudge(a: Profile, b: Profile): boolean {
  const [symmetricA, symmetricB] = [isSymmetric(a), isSymmetric(b)];
  if (symmetricA && symmetricB) return a.complete && b.complete;
  if (!symmetricA && !symmetricB) return true;
  const [opener, cone] = symmetricA ? [a, b] : [b, a];
  return cone.complete || foresightOf(opener).kind === 'exact';
}

/** `first`: which side has the first part where both could have it; the two sides must agree on it. */
export function judgementOf(a: Profile, b: Profile, first: Side = 'a'): Judgement {
  if (a.mapping === 'unknown' || b.mapping === 'unknown') return { kind: 'unknown' };
  const [symmetricA, symmetricB] = [isSymmetric(a), isSymmetric(b)];
  if (!symmetricA && !symmetricB) return { kind: 'direct' };
  if (symmetricA !== symmetricB) {
    const [opener, cone] = symmetricA ? (['a', b] as const) : (['b', a] as const);
    return isPortFiltered(cone) ? guess(opener, foresightOf(opener === 'a' ? a : b)) : { kind: 'direct' };
  }
  const [openA, openB] = [a.filtering === 'endpoint-independent', b.filtering === 'endpoint-independent'];
  if ((openA && !isPortFiltered(b)) || (openB && !isPortFiltered(a))) return { kind: 'crossed' };
  const [seenA, seenB] = [foresightOf(a), foresightOf(b)];
  const [opensA, opensB] = [canOpenFor(a, b), canOpenFor(b, a)];
  if (opensA || opensB) {
    const rank = RANK[seenA.kind] - RANK[seenB.kind];
    const chosen = opensA && (!opensB || (rank === 0 ? first === 'a' : rank < 0));
    return chosen ? guess('a', seenA, mappingsOf(b)) : guess('b', seenB, mappingsOf(a));
  }
  return meet(seenA, seenB);
}

/**
 * Of two symmetric sides: whether a hit on one of the opener's ports is enough. It has to let in a port of the other side that
 * nobody knew, and the answer has to pass: from any port, or from the one that was hit, which a mapping by address alone keeps.
 */
const canOpenFor = (opener: Profile, other: Profile): boolean =>
  !isPortFiltered(opener) && (!isPortFiltered(other) || opener.mapping === 'address-dependent');

/** How many mappings a side can have at once: where each probe needs one of its own, a block is soon used up. */
function mappingsOf(prober: Profile): number {
  const foresight = foresightOf(prober);
  return prober.mapping === 'address-and-port-dependent' && foresight.kind === 'block'
    ? Math.floor(foresight.size * 0.9)
    : Number.POSITIVE_INFINITY;
}

function guess(opener: Side, foresight: Foresight, mostProbes = Number.POSITIVE_INFINITY): Judgement {
  if (foresight.kind === 'exact')
    return { kind: 'guess', opener, foresight, sockets: 1, probes: 32, odds: 0.99, expectedMs: 200 };
  const size = foresight.kind === 'block' ? foresight.size : ALL_PORTS;
  // Half of a block is left to the others behind the same NAT.
  const sockets = Math.max(1, Math.min(foresight.kind === 'block' ? 128 : BIRTHDAY_SOCKETS, size >> 1));
  const probes = Math.min(size, mostProbes, Math.round((BIRTHDAY_MS / 1000) * MOST_PER_SECOND));
  const odds = oddsOfBirthday(sockets, probes, size);
  return {
    kind: 'guess',
    opener,
    foresight,
    sockets,
    probes,
    odds,
    expectedMs: Math.round((Math.LN2 * size * 1000) / (sockets * MOST_PER_SECOND)),
  };
}

/** That of `probes` different ports at least one is among `sockets` open ones, all among `size`. */
export const oddsOfBirthday = (sockets: number, probes: number, size: number): number =>
  1 - Math.exp(probes * Math.log1p(-Math.min(sockets / size, 1 - 1e-12)));

function meet(a: Foresight, b: Foresight): Judgement {
  const sockets = { a: meetingSockets(a), b: meetingSockets(b) };
  const odds = share(a) * share(b);
  if (odds < 0.3) return { kind: 'hopeless', odds: Math.min(1, Math.max(share(a), 0)) * Math.min(1, share(b)) };
  return {
    kind: 'meet',
    a,
    b,
    sockets,
    odds,
    expectedMs: 200 + Math.round((Math.max(sockets.a, sockets.b) * 1000) / MOST_PER_SECOND),
  };
}

/** How long an attempt may take, milliseconds: then there is nothing left that was not tried. */
export function patienceMs(judgement: Judgement): number {
  // A block is used up after one round, and nothing can be opened for a second one.
  const once = judgement.kind === 'meet' && (judgement.a.kind === 'block' || judgement.b.kind === 'block');
  return once ? 2_000 + 3 * judgement.expectedMs : HARD_MS;
}

/** How many sockets one side opens towards the other's aim: a window around a counter, nearly all of a block. */
const meetingSockets = (of: Foresight): number =>
  of.kind === 'exact' ? 16 : of.kind === 'block' ? Math.min(MOST_SOCKETS, Math.floor(of.size * 0.95)) : MOST_SOCKETS;

/** The chance that one of those sockets gets the port that was aimed at. */
const share = (of: Foresight): number =>
  of.kind === 'exact' ? 0.97 : Math.min(0.98, meetingSockets(of) / (of.kind === 'block' ? of.size : ALL_PORTS));

/** Why this and nothing else, in one sentence; `a` and `b` are called by these names. */
export function reasonOf(judgement: Judgement, a: string, b: string): string {
  const name = (side: Side): string => (side === 'a' ? a : b);
  switch (judgement.kind) {
    case 'direct':
      return 'No port has to be guessed: the first packets of both sides open the hole.';
    case 'crossed':
      return "Both NATs are symmetric, but their filters let each direction through the other side's mapping towards the server.";
    case 'guess': {
      const [opener, other] = judgement.opener === 'a' ? [a, b] : [b, a];
      if (judgement.foresight.kind === 'exact')
        return `The NAT of ${opener} is symmetric, and ${other}'s filter wants the right port: it is predicted from the ports before and after.`;
      const where =
        judgement.foresight.kind === 'block'
          ? `inside its block of ${judgement.foresight.size} ports`
          : 'among all ports';
      return `The NAT of ${opener} is symmetric with unpredictable ports, and ${other}'s filter wants the right one: ${judgement.sockets} open ports against ${judgement.probes} probes ${where}.`;
    }
    case 'meet':
      return `Both NATs are symmetric and at least one filters by port, so both ports must be right at once: ${name('a')} opens ${judgement.sockets.a} and ${name('b')} ${judgement.sockets.b} mappings towards the port that the other side is about to own.`;
    case 'hopeless':
      return `Both NATs are symmetric, at least one filters by port, and ports that must be right at once are given out at random: the odds are ${percent(judgement.odds)}.`;
    case 'blocked':
      return `UDP does not pass the network of ${judgement.sides.map(name).join(' and ')}: only a relay over TCP or TLS can help.`;
    case 'apart':
      return `${judgement.six === 'a' ? capital(a) : capital(b)} has IPv6 alone and ${judgement.six === 'a' ? b : a} IPv4 alone: only a relay that has both can stand between them.`;
    case 'unknown':
      return 'How one of the NATs maps is unknown: only the plain way is tried.';
  }
}

const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

/** Where no direct way can be found, whatever is tried: a relay is all that is left. */
export const isHopeless = ({ kind }: Judgement): boolean =>
  kind === 'hopeless' || kind === 'blocked' || kind === 'apart';

/** Such as `99.9 %` or `1 in 16,129`. */
export function percent(odds: number): string {
  if (odds >= 0.01) return `${Math.floor(odds * 1000) / 10} %`;
  return odds <= 0 ? 'none' : `1 in ${Math.round(1 / odds).toLocaleString('en-GB')}`;
}

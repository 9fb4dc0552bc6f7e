/** What two NATs allow, from two measurements, without connecting. Pure: the judgement that a session acts on, in a user's words. */
import { isPortFiltered, isSymmetric, type Profile } from '../../nat/profile.ts';
import type { PathKind } from '../../nat/path.ts';
import { type Judgement, judgementOf, reasonOf } from './strategy.ts';

export interface Party {
  /** What it is called in sentences. */
  readonly name: string;
  readonly profile: Profile;
  /** UDP does not pass its network. */
  readonly blocked: boolean;
  /** As servers see it, without port. */
  readonly publicAddress: string | undefined;
  /** To a server, milliseconds. */
  readonly rttMs: number | undefined;
  /** By which protocols its router was seen to open ports, in words; undefined where it was not. */
  readonly opensPorts?: string | undefined;
}

/** Whether they are on one network is not known, nor what a router will open. */
export type PairPath = Exclude<PathKind, 'lan' | 'mapped'>;

export interface PairVerdict {
  /** undefined: too little is known. */
  readonly path: PairPath | undefined;
  /** Of that path, 0–1; with `relay`, of any path without one. */
  readonly odds: number | undefined;
  /** From the second host's start to data both ways. */
  readonly expectedMs: number | undefined;
  readonly reason: string;
  /** What would make it better. */
  readonly advice: readonly string[];
}

/** From the meeting on: the register, a check with its answer, and the proof. */
const PLAIN_RTTS = 2.5;
/** Until both know both NATs; with an unpredictable port also how the other side filters. */
const MEASURED_RTTS = 5;
const FILTER_MS = 600;
const USUAL_RTT_MS = 50;

export function verdictOf(a: Party, b: Party): PairVerdict {
  const sides = (['a', 'b'] as const).filter((side) => (side === 'a' ? a : b).blocked);
  const judgement: Judgement = sides.length > 0 ? { kind: 'blocked', sides } : judgementOf(a.profile, b.profile);
  const rttMs = Math.max(a.rttMs ?? USUAL_RTT_MS, b.rttMs ?? USUAL_RTT_MS);
  const reason = reasonOf(judgement, a.name, b.name);
  const advice = adviceFor(judgement, a, b);
  switch (judgement.kind) {
    case 'direct':
    case 'crossed':
      return { path: 'direct', odds: 1, expectedMs: round(PLAIN_RTTS * rttMs), reason, advice };
    case 'guess':
    case 'meet': {
      const exact =
        judgement.kind === 'guess'
          ? judgement.foresight.kind === 'exact'
          : judgement.a.kind === 'exact' && judgement.b.kind === 'exact';
      const filter = judgement.kind === 'meet' || !exact ? FILTER_MS : 0;
      return {
        path: exact ? 'predicted' : 'birthday',
        odds: judgement.odds,
        expectedMs: round(MEASURED_RTTS * rttMs + filter + judgement.expectedMs),
        reason,
        advice,
      };
    }
    case 'hopeless':
      return { path: 'relay', odds: judgement.odds, expectedMs: undefined, reason, advice };
    case 'blocked':
    case 'apart':
      return { path: 'relay', odds: 0, expectedMs: undefined, reason, advice };
    case 'unknown': {
      const unknown = [a, b].filter(({ profile }) => profile.mapping === 'unknown').map(({ name }) => name);
      return {
        path: undefined,
        odds: undefined,
        expectedMs: undefined,
        reason: `How the NAT of ${unknown.join(' and of ')} maps is not known.`,
        advice: ['Measure again against a server with RFC 5780, such as nat-tool serve on two addresses.'],
      };
    }
  }
}

function adviceFor(judgement: Judgement, a: Party, b: Party): string[] {
  const advice: string[] = [];
  if (a.publicAddress !== undefined && a.publicAddress === b.publicAddress) {
    advice.push(
      `${a.name} and ${b.name} have the same public address ${a.publicAddress}: if they are on one network they reach each other there, without any hole.`,
    );
  }
  if (judgement.kind === 'direct' || judgement.kind === 'crossed') return advice;
  if (judgement.kind === 'blocked') {
    const blocked = judgement.sides.map((side) => (side === 'a' ? a : b).name);
    return [...advice, `Let UDP out of the network of ${blocked.join(' and of ')}.`, RELAY_ADVICE.blocked];
  }
  const symmetric = [a, b].filter(({ profile }) => isSymmetric(profile));
  const openers = [a, b].filter(({ opensPorts }) => opensPorts !== undefined);
  for (const { name, opensPorts } of openers)
    advice.push(
      `${name}: the router opens ports by ${opensPorts}: with nat-tool connect --map there the path is direct.`,
    );
  for (const { name, opensPorts } of symmetric) {
    advice.push(
      `${name}: let the router map endpoint-independently (often called "full cone" or "NAT type open"), or forward a UDP port by hand: then a direct path is certain.${opensPorts === undefined ? ' Whether it opens one when it is asked, nat-tool path says.' : ''}`,
    );
  }
  const filtered =
    symmetric.length === 1 ? [a, b].filter((each) => isPortFiltered(each.profile) && !symmetric.includes(each)) : [];
  for (const { name } of filtered)
    advice.push(`${name}: a filter by address instead of address and port would save the guess.`);
  advice.push('IPv6 on both sides needs no guess.');
  if (judgement.kind === 'hopeless') advice.push(RELAY_ADVICE.hopeless);
  return advice;
}

const RELAY_ADVICE = {
  hopeless: 'nat-tool connect needs a relay for this pair: nat-tool serve --relay where they meet, or --relay.',
  blocked:
    'nat-tool connect needs a relay over TCP or TLS for this pair: nat-tool serve --relay where they meet, or --relay.',
} as const;

const round = (ms: number): number => Math.round(ms / 10) * 10;

/** Who somebody is in a pairing that lasts: which of the two hosts, and in the middle of which session. */

/** One of the two, as they agreed when they were paired. */
export type PairSide = 'a' | 'b';

export interface Party {
  readonly side: PairSide;
  /** Of the session that it wants to go on with, 16 hex digits; empty where it begins one. */
  readonly session: string;
}

/**
 * `own-side`: it is this host itself, a run that has ended without a word, or another one. `other-session`: one of the two has begun anew
 * and knows nothing of what the other one would go on with.
 */
export type Misfit = 'own-side' | 'other-session';

/** Why nothing came of meeting somebody. `absent`: it is there no longer. */
export type Mismeeting = Misfit | 'absent';

/** Why these two cannot go on together. Those without a party have no pairing. */
export function misfitOf(ours: Party | undefined, theirs: Party | undefined): Misfit | undefined {
  if (!ours) return undefined;
  if (theirs?.side === ours.side) return 'own-side';
  return theirs?.session === ours.session ? undefined : 'other-session';
}

const FORM = /^([ab])((?:[0-9a-f]{16})?)$/;

export const formatParty = ({ side, session }: Party): string => side + session;

/** Undefined for anything that {@link formatParty} did not write. */
export function readParty(value: unknown): Party | undefined {
  const [, side, session] = (typeof value === 'string' && FORM.exec(value)) || [];
  return side === undefined ? undefined : { side: side as PairSide, session: session ?? '' };
}

/** What both sides call the path they share. Each knows of evidence that the other lacks; each tells its word, and both come to the same. Pure. */
import { PATH_KINDS, type PathKind } from '../../nat/path.ts';

/** As one byte; 0 is none. */
export const wordOf = (kind: PathKind | undefined): number => (kind === undefined ? 0 : PATH_KINDS.indexOf(kind) + 1);

export const kindIn = (word: number): PathKind | undefined => PATH_KINDS[word - 1];

/**
 * Whoever knows a plainer reason why the path works is right: a side guesses only as long as it does not know that it need not.
 * On one network are two only where each reaches the other at home.
 */
export function agreedKind(mine: PathKind, theirs: PathKind | undefined): PathKind {
  if (theirs === undefined || mine === theirs) return mine;
  const either = (kind: PathKind): boolean => mine === kind || theirs === kind;
  if (either('relay')) return 'relay';
  if (either('lan') || either('direct')) return 'direct';
  return 'predicted';
}

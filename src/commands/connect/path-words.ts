/** The kinds of path, in words. */
import type { PathKind } from '../../nat/path.ts';

const PATHS: Readonly<Record<PathKind, string>> = {
  lan: 'directly, on the same network',
  direct: 'directly, through a hole in each NAT on the way',
  predicted: 'directly, through a predicted port',
  birthday: 'directly, through a port found by many probes',
  relay: 'through a relay',
};

export const pathInWords = (path: PathKind): string => PATHS[path];

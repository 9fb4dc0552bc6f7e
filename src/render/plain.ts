/** `key<TAB>value` lines for cut, grep and awk. Pure. */
import type { Report } from '../report/report.ts';
import { visible } from './words.ts';

type Pair = readonly [key: string, value: string];

/** Nested data as dotted keys, list places as numbers from 0: `table.0.private`. Null is an empty value; empty lists and objects have no line. */
export function flatten(value: unknown, prefix = ''): Pair[] {
  if (value === undefined) return [];
  if (value === null || typeof value !== 'object') return [[prefix, value === null ? '' : String(value)]];
  return Object.entries(value).flatMap(([key, inner]) => flatten(inner, prefix === '' ? key : `${prefix}.${key}`));
}

/** The data first, its keys without a prefix; then the envelope, with the findings. */
export function plainPairs({ data, schema, startedAt, durationMs, outcome, findings }: Report): Pair[] {
  return [...flatten(data), ...flatten({ schema, startedAt, durationMs, outcome, findings })];
}

/** A value never contains a tab or a line break of its own. */
export const renderPlain = (pairs: readonly Pair[]): string =>
  pairs.map(([key, value]) => `${visible(key)}\t${visible(value)}\n`).join('');

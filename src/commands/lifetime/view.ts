/** The report of `lifetime` for people. */
import type { HoleLifetime, Lifetime } from '../../probe/lifetime/conclude.ts';
import type { After } from '../../probe/lifetime/series.ts';
import { type Block, type Cell, fields, grid, text } from '../../render/block.ts';
import type { Report } from '../../report/report.ts';

const AFTER: Readonly<Record<After, string>> = { 'one-packet': 'one packet out', 'both-ways': 'talk both ways' };

/** To a tenth of a second: what is open longer is rounded down, what is gone sooner up. */
const seconds = (ms: number, round: (value: number) => number): string => `${round(ms / 100) / 10} s`;

/** Whole seconds. */
export const wholeSeconds = (ms: number): number => Math.floor(ms / 1000);

export function boundsInWords({ after, aliveMs, deadMs }: Pick<HoleLifetime, 'after' | 'aliveMs' | 'deadMs'>): string {
  const alive = seconds(aliveMs, Math.floor);
  return `after ${AFTER[after]} ${deadMs === null ? `at least ${alive}` : `${alive} to ${seconds(deadMs, Math.ceil)}`}`;
}

const row = ({ after, aliveMs, deadMs, likelyMs }: HoleLifetime): Cell[] => [
  AFTER[after],
  seconds(aliveMs, Math.floor),
  deadMs === null ? { text: 'not seen', tone: 'dim' } : seconds(deadMs, Math.ceil),
  likelyMs === null ? { text: 'unknown', tone: 'dim' } : { text: `${likelyMs / 1000} s`, tone: 'strong' },
];

export function view({ data, findings }: Pick<Report<Lifetime>, 'data' | 'findings'>): Block[] {
  const { holes, refreshedBy, keepaliveMs, server, mappings, packets, tookMs } = data;
  if (holes.length === 0) return [text('How long a hole stays open is unknown.', 'bad')];
  if (findings.some(({ kind }) => kind === 'no-hole-needed'))
    return [text('Open to everybody: there is no hole to keep open, and no keepalive is needed.', 'good')];
  const { answered, unanswered } = keepaliveMs;
  const every = (ms: number): string => `every ${wholeSeconds(ms)} s`;
  const lines: [string, Cell][] = [];
  if (unanswered !== null) lines.push(['Keepalive', `${every(unanswered)} does in any case`]);
  if (answered !== null)
    lines.push([unanswered === null ? 'Keepalive' : '', `${every(answered)} where each is answered, or else repeated`]);
  lines.push(['Refreshed', `by packets from inside: ${refreshedBy.outbound}; from outside: ${refreshedBy.inbound}`]);
  if (server !== null) lines.push(['Server', server]);
  if (data.public !== null) lines.push(['Public side', `${data.public} (of ${data.local})`]);
  lines.push(['Took', `${seconds(tookMs, Math.round)}, ${mappings} holes, ${packets} packets`]);
  return [grid(['A hole, after', 'open at least', 'gone by', 'so probably'], holes.map(row)), fields(lines)];
}

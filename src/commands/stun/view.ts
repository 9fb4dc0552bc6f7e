/** The report of `stun` for people. */
import { least, most } from '../../net/extremes.ts';
import type { ExchangeResult, QueryResult } from '../../probe/query/query.ts';
import { type Block, type Cell, fields, grid, heading, text } from '../../render/block.ts';
import type { Look } from '../command.ts';
import type { Args } from './options.ts';

export interface StunData {
  readonly results: readonly QueryResult[];
}

const round = (ms: number | null): string => (ms === null ? '' : ms < 10 ? ms.toFixed(2) : ms.toFixed(1));

/** The public side, or what is known in its place. */
const outcome = ({ mapped, doubt, detail, error }: QueryResult): Cell =>
  mapped !== null
    ? doubt === null || doubt === 'inside'
      ? mapped
      : { text: `${mapped} (doubted)`, tone: 'bad' }
    : { text: detail ?? error ?? '', tone: 'bad' };

/** `counted`: a series, whose spread is of interest. */
const rtt = ({ rttMs, rttAverageMs, rttMostMs, rttDeviationMs }: QueryResult, counted: boolean): string =>
  rttMs === null
    ? ''
    : counted
      ? `min ${round(rttMs)}, avg ${round(rttAverageMs)}, max ${round(rttMostMs)}, stddev ${round(rttDeviationMs)}`
      : round(rttMs);

/** Single requests are lost or not; repeated ones go on until one is answered, so nothing can be said of their loss. */
function loss({ sent, received }: QueryResult): string {
  const lost = Math.max(0, sent - received);
  return sent === 0 ? 'nothing could be sent' : `${lost} of ${sent} lost (${Math.round((100 * lost) / sent)} %)`;
}

/** One exchange of a series, as ping has it. */
export function exchangeLine({ sequence, from, mapped, rttMs, detail }: ExchangeResult): string {
  const time = rttMs === null ? '' : ` time=${round(rttMs)} ms`;
  return `${from}: ${mapped ?? detail ?? ''} seq=${sequence}${time}`;
}

const [BINS, BAR] = [10, 40];

/** How many round trips were how long; nothing where there is no spread. */
function histogram(rtts: readonly number[]): Block[] {
  const [from, to] = [least(rtts), most(rtts)];
  if (!(to > from)) return [];
  const width = (to - from) / BINS;
  const counts = new Array<number>(BINS).fill(0);
  for (const each of rtts) {
    const bin = Math.min(BINS - 1, Math.floor((each - from) / width));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const top = most(counts, 1);
  return [
    heading('Round trips'),
    grid(
      [{ title: 'From ms', align: 'right' }, { title: 'Answers', align: 'right' }, ''],
      counts.map((count, i) => [
        round(from + i * width),
        String(count),
        '#'.repeat(count === 0 ? 0 : Math.max(1, Math.round((BAR * count) / top))),
      ]),
    ),
  ];
}

const VERDICT_TONES = { yes: 'good', no: 'bad', unknown: 'warn' } as const;

function single(result: QueryResult, counted: boolean, { terminal }: Pick<Look, 'terminal'>): Block[] {
  const { server, address, local, software, other, vetting, attributes, rtts = [] } = result;
  const rows: [string, Cell][] = [
    ['Server', address === server || address === 'unknown' ? server : `${server} (${address})`],
    ['Private side', local ?? 'unknown'],
    ['Public side', result.mapped ?? 'unknown'],
  ];
  if (result.mapped === null) rows.push(['Reason', outcome(result)]);
  if (result.rttMs !== null) rows.push(['RTT ms', rtt(result, counted)]);
  if (counted) rows.push(['Loss', loss(result)]);
  if (software !== null) rows.push(['Software', software]);
  if (other !== null) rows.push(['Other address', other]);
  if (vetting) {
    rows.push(['RFC 5780', { text: vetting.rfc5780, tone: VERDICT_TONES[vetting.rfc5780] }]);
    rows.push(['', vetting.reason]);
    const { addressAndPort, port, address: ip } = vetting.change;
    if (vetting.other !== null)
      rows.push(['CHANGE-REQUEST', `address and port ${addressAndPort}, port alone ${port}, address alone ${ip}`]);
  }
  const blocks: Block[] = [fields(rows), ...(terminal ? histogram(rtts) : [])];
  if (attributes && attributes.length > 0)
    blocks.push(heading('Attributes'), fields(attributes.map(({ name, value }) => [name, value])));
  return blocks;
}

function many(results: readonly QueryResult[], counted: boolean): Block[] {
  const vetted = results.some(({ vetting }) => vetting);
  const answered = results.filter(({ mapped }) => mapped !== null).length;
  return [
    grid(
      [
        'Server',
        'Public side',
        { title: 'RTT ms', align: 'right' },
        ...(counted ? ['Loss'] : []),
        ...(vetted ? ['RFC 5780'] : []),
        'Software',
      ],
      results.map((each) => [
        each.server,
        outcome(each),
        round(each.rttMs),
        ...(counted ? [loss(each)] : []),
        ...(vetted
          ? [each.vetting ? ({ text: each.vetting.rfc5780, tone: VERDICT_TONES[each.vetting.rfc5780] } as const) : '']
          : []),
        each.software ?? '',
      ]),
    ),
    text(`${answered} of ${results.length} servers answered.`),
  ];
}

export function view(
  { data: { results } }: { readonly data: StunData },
  { count, server, servers }: Pick<Args, 'count' | 'server' | 'servers'>,
  look: Pick<Look, 'terminal'>,
): Block[] {
  const [first, ...more] = results;
  if (!first) return [];
  // Of servers that nobody named, only that they are silent is of interest.
  if (more.length > 0 && server.length === 0 && servers === undefined && !results.some(({ mapped }) => mapped !== null))
    return [text(`None of ${results.length} public servers answered.`, 'bad')];
  return more.length === 0 ? single(first, count > 1, look) : many(results, count > 1);
}

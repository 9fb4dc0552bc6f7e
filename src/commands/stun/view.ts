/** The report of `stun` for people. */
import type { QueryResult } from '../../probe/query/query.ts';
import { type Block, type Cell, fields, grid, heading, text } from '../../render/block.ts';

export interface StunData {
  readonly results: readonly QueryResult[];
}

const round = (ms: number | null): string => (ms === null ? '' : ms < 10 ? ms.toFixed(2) : ms.toFixed(1));

/** The public side, or what is known in its place. */
const outcome = ({ mapped, detail, error }: QueryResult): Cell =>
  mapped !== null ? mapped : { text: detail ?? error ?? '', tone: 'bad' };

function rtt({ rttMs, rttAverageMs, rttMostMs, received }: QueryResult): string {
  if (rttMs === null) return '';
  return received > 1 && rttMostMs !== rttMs
    ? `${round(rttMs)} least, ${round(rttAverageMs)} average, ${round(rttMostMs)} most`
    : round(rttMs);
}

/** Single requests are lost or not; repeated ones go on until one is answered, so nothing can be said of their loss. */
const loss = ({ sent, received }: QueryResult): string =>
  sent === 0
    ? ''
    : `${sent - received} of ${sent} lost (${Math.round((100 * (sent - received)) / Math.max(1, sent))} %)`;

const VERDICT_TONES = { yes: 'good', no: 'bad', unknown: 'warn' } as const;

function single(result: QueryResult, counted: boolean): Block[] {
  const { server, address, local, software, other, vetting, attributes } = result;
  const rows: [string, Cell][] = [
    ['Server', address === server || address === 'unknown' ? server : `${server} (${address})`],
    ['Private side', local ?? 'unknown'],
    ['Public side', result.mapped ?? 'unknown'],
  ];
  if (result.mapped === null) rows.push(['Reason', outcome(result)]);
  if (result.rttMs !== null) rows.push(['RTT ms', rtt(result)]);
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
  const blocks: Block[] = [fields(rows)];
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

export function view({ data: { results } }: { readonly data: StunData }): Block[] {
  // A single exchange is repeated until it is answered; only a series says something about loss.
  const counted = results.some(({ received, sent }) => received > 1 || sent > 10);
  const [first, ...more] = results;
  if (!first) return [];
  return more.length === 0 ? single(first, counted) : many(results, counted);
}

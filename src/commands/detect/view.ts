/** The report of `detect` for people. */
import { least } from '../../net/extremes.ts';
import { meaningOf } from '../../nat/meaning.ts';
import type { Behaviour } from '../../probe/detect/conclude.ts';
import { type Block, type Cell, fields, forwardingGrid, grid, heading, text, type Tone } from '../../render/block.ts';
import type { Look } from '../command.ts';

/** What was measured; `ipv6` beside it, null where it was not. */
export interface Detected extends Behaviour {
  readonly ipv6: Behaviour | null;
}

const TONES: Readonly<Partial<Record<Behaviour['type'], Tone>>> = {
  'open-internet': 'good',
  'full-cone': 'good',
  'restricted-cone': 'good',
  'port-restricted-cone': 'good',
  'udp-firewall': 'good',
  symmetric: 'warn',
  'udp-blocked': 'bad',
  unknown: 'warn',
};

function allocationInWords({ portAllocation: { pattern, step, perDestination, range } }: Behaviour): string {
  if (step !== undefined) return `${pattern}, step ${step}${perDestination ? ', a counter for each destination' : ''}`;
  if (range) return `${pattern} ${range[0]}–${range[1]}`;
  return pattern;
}

const inMs = (rttMs: number | null): string => (rttMs === null ? '' : `RTT ${rttMs.toFixed(1)} ms`);

/** Each server with its round trip, the one that told most first. */
function serversInWords({ server, evidence }: Behaviour): [string, string][] {
  const asked = new Map<string, number | null>();
  for (const { test, to } of evidence) if (test === 'mapping-1') asked.set(to, null);
  // The least of all that was asked there: while much is begun at once, an answer may wait for its turn.
  for (const { test, to, rttMs } of evidence)
    if (rttMs !== null && asked.has(to) && /^(?:mapping|allocation)/.test(test))
      asked.set(to, Math.min(rttMs, asked.get(to) ?? rttMs));
  const remarks = [inMs(asked.get(server.address) ?? null), server.software ?? ''].filter((each) => each !== '');
  const name = server.name !== null ? `${server.name}, ${server.address}` : server.address;
  const others = [...asked].filter(([address]) => address !== server.address);
  return [
    ['Server', name + (remarks.length > 0 ? ` (${remarks.join(', ')})` : '')],
    ...others.map(([address, rttMs], i): [string, string] => [
      i === 0 ? 'Also asked' : '',
      `${address} (${rttMs === null ? 'no answer' : inMs(rttMs)})`,
    ]),
  ];
}

/** What to do with the answer: commands, each at the beginning of its line. */
function next({ type, mapping, portAllocation: { pattern } }: Behaviour): [string, string][] {
  if (type === 'udp-blocked' || (type === 'unknown' && mapping === 'unknown')) return [];
  const how =
    type !== 'symmetric'
      ? 'makes a path to another host'
      : pattern === 'sequential'
        ? 'makes a path, and predicts these ports'
        : 'makes a path, and meets random ports by many probes';
  return [
    ['Next', `nat-tool connect: ${how}`],
    ['', 'nat-tool pair A.json B.json: will it? From detect --json on both hosts'],
  ];
}

const known = (word: string): Cell => (word === 'unknown' ? { text: word, tone: 'dim' } : word);

export function view({ data }: { data: Detected }, _args: unknown, { verbosity }: Pick<Look, 'verbosity'>): Block[] {
  const { local, table } = data;
  const own = table.filter((row) => row.private === local);
  const tone = TONES[data.type];
  const blocks: Block[] = [];
  const rows = verbosity > 0 ? [...table, ...(data.ipv6?.table ?? [])] : own;
  if (rows.length > 0) blocks.push(forwardingGrid(rows));
  const meaning = meaningOf(data);
  const lines: [string, Cell][] = [['Type', { text: meaning.words, tone: tone ?? 'strong' }]];
  // Where nothing came back there is nothing to say of the parts.
  if (table.length > 0) lines.push(['Mapping', known(data.mapping)], ['Filtering', known(data.filtering)]);
  // What only a NAT does.
  if (table.length > 0 && data.mapping !== 'none')
    lines.push(['Hairpin', known(data.hairpin)], ['Ports', known(allocationInWords(data))]);
  if (data.server.address !== '') lines.push(...serversInWords(data));
  if (data.ipv6) lines.push(['IPv6', besideInWords(data.ipv6)]);
  blocks.push(fields(lines), text(meaning.advice));
  blocks.push(fields(next(data)));
  if (verbosity > 0)
    blocks.push(
      ...evidenceBlocks('Evidence', data.evidence),
      ...evidenceBlocks('Over IPv6', data.ipv6?.evidence ?? []),
    );
  return blocks;
}

const besideInWords = (measured: Behaviour): Cell => ({
  text: [meaningOf(measured).words, ...(measured.public === null ? [] : [measured.public])].join(', '),
  tone: TONES[measured.type] ?? 'strong',
});

type Evidence = Behaviour['evidence'][number];

const BASELINE = /-baseline$/;

/** As short as a column of 80 has room for. */
const verdictInWords = (verdict: string): string => (verdict === 'no answer came through' ? 'no answer' : verdict);

/** What differs between tests that are shown in one row is their port, and how long they took. */
const alike = (a: Evidence, b: Evidence): boolean => a.test === b.test && a.to === b.to && a.verdict === b.verdict;

function evidenceBlocks(title: string, evidence: readonly Evidence[]): Block[] {
  const groups: Evidence[][] = [];
  for (const row of evidence) {
    const group = row.test === 'allocation' ? groups.find(([first]) => first && alike(first, row)) : undefined;
    if (group) group.push(row);
    else groups.push([row]);
  }
  const rtts = (rows: readonly Evidence[]): string => {
    const known = rows.flatMap(({ rttMs }) => (rttMs === null ? [] : [rttMs]));
    return known.length === 0 ? '' : least(known).toFixed(1);
  };
  const sum = (rows: readonly Evidence[], of: 'sent' | 'received'): number =>
    rows.reduce((all, row) => all + row[of], 0);
  const columns = [
    'Test',
    { title: 'Port', align: 'right' },
    'Server',
    { title: 'Got', align: 'right' },
    { title: 'RTT ms', align: 'right' },
    { title: 'Verdict', wrap: true },
  ] as const;
  const names = shortNames(evidence.map(({ to }) => to));
  const cells = groups.map((rows): Cell[] => {
    const [first = rows[0] as Evidence] = rows;
    return [
      first.test.replace(BASELINE, '') + (rows.length > 1 ? ` ×${rows.length}` : ''),
      portOf(first.from),
      names.size > 0 ? `${names.get(addressOf(first.to))}:${portOf(first.to)}` : first.to,
      `${sum(rows, 'received')}/${sum(rows, 'sent')}`,
      rtts(rows),
      BASELINE.test(first.test) && first.verdict === 'answered' ? 'baseline' : verdictInWords(first.verdict),
    ];
  });
  if (cells.length === 0) return [];
  const legend = [...names].map(([address, name]): [string, string] => [name, address]);
  return [heading(title), ...(legend.length > 0 ? [fields(legend)] : []), grid(columns, cells)];
}

/** What leaves room for the other columns in 80. */
const LONGEST_SERVER = 30;

/** Names for the addresses of servers where they are too long for a column, as IPv6 addresses may be. */
function shortNames(endpoints: readonly string[]): ReadonlyMap<string, string> {
  if (endpoints.every(({ length }) => length <= LONGEST_SERVER)) return new Map();
  return new Map([...new Set(endpoints.map(addressOf))].map((address, i) => [address, `S${i + 1}`]));
}

const addressOf = (endpoint: string): string => endpoint.slice(0, endpoint.lastIndexOf(':')).replace(/^\[|\]$/g, '');

const portOf = (endpoint: string): string => endpoint.slice(endpoint.lastIndexOf(':') + 1);

/** The report of `path` for people: a picture from this host out, one line a box, and what was measured. */
import { type Block, type Cell, fields, grid, text } from '../../render/block.ts';
import type { Layer } from '../../probe/path/layers.ts';
import type { Report } from '../../report/report.ts';
import { isDoubted, type PathData } from './report.ts';

const SOURCES: Readonly<Record<Layer['knownFrom'][number], string>> = {
  gateway: 'routing table',
  'port-mapping': 'port mapping',
  stun: 'STUN',
  'ttl-filter': 'TTL of what opens it',
  'ttl-refusal': 'TTL of what it refuses',
};

const unknown: Cell = { text: 'unknown', tone: 'dim' };

function nameOf({ kind, hop }: Layer, i: number, { layers, cgnat }: PathData): string {
  if (kind === 'filter') return 'firewall';
  const outermost = i === layers.findLastIndex((each) => each.kind === 'nat');
  if (cgnat === 'yes' && outermost && (layers.length > 1 || hop !== 1)) return 'carrier NAT';
  return 'NAT';
}

/** `A ── N (hop 1) ── S (hop 9)`: who stands where. */
function picture(data: PathData): Block {
  const { layers, local, server, hops, interface: name } = data;
  const rows: Cell[][] = [
    ['', 'this host', local ?? unknown, ''],
    ...layers.map((layer, i): Cell[] => [
      layer.hop === null ? '?' : String(layer.hop),
      { text: nameOf(layer, i, data), tone: 'strong' },
      layer.inside ?? '',
      layer.outside ?? '',
      layer.knownFrom.map((each) => SOURCES[each]).join(', '),
    ]),
    [hops === null ? '?' : String(hops), 'server', '', server ?? unknown, ''],
  ].map((row) => [...row, '', ''].slice(0, 5) as Cell[]);
  if (rows[0] && name !== null) rows[0][4] = `interface ${name}`;
  return grid(
    [{ title: 'Hop', align: 'right' }, 'Box', 'Inside', 'Outside', { title: 'Known from', wrap: true }],
    rows,
  );
}

const OFFERED = { pcp: 'PCP', natPmp: 'NAT-PMP', upnp: 'UPnP' } as const;

function offersInWords({ portMapping }: PathData): Cell {
  const by = (answer: string): string[] =>
    (Object.keys(OFFERED) as (keyof typeof OFFERED)[])
      .filter((key) => portMapping[key] === answer)
      .map((key) => OFFERED[key]);
  const [yes, refused] = [by('yes'), by('refused')];
  if (yes.length > 0) return { text: `${yes.join(', ')}: nat-tool map opens a port`, tone: 'good' };
  return refused.length > 0 ? `${refused.join(', ')}, but the router refuses` : { text: 'none offered', tone: 'dim' };
}

const known = (word: string): Cell => (word === 'unknown' ? unknown : word);

export function view({ data, findings }: Pick<Report<PathData>, 'data' | 'findings'>): Block[] {
  if (data.server === null)
    return [text(`The path is unknown: no ${isDoubted(findings) ? 'answer was of use' : 'server answered'}.`, 'bad')];
  const { nats, cgnat, doubleNat, families } = data;
  const count: Cell = nats === null ? unknown : { text: String(nats), tone: nats < 2 ? 'good' : 'warn' };
  return [
    picture(data),
    fields([
      ['NATs', count],
      ['Public side', data.public ?? unknown],
      ['Double NAT', known(doubleNat)],
      ['Carrier NAT', known(cgnat)],
      ['Gateway', data.gateway ?? unknown],
      ['Port mapping', offersInWords(data)],
      ['IPv4, IPv6', `${families.ipv4}, ${families.ipv6}`],
    ]),
  ];
}

/** The reports of `map` for people. */
import { type Block, fields, grid, text, toCopy } from '../../render/block.ts';
import type { Report } from '../../report/report.ts';
import { PROTOCOL_NAMES } from '../../portmap/refusal.ts';
import type { MapData, Mapped, MappingList, Removal } from './report.ts';

export function view({ data }: Report<MapData>): Block[] {
  if ('mappings' in data) return listView(data);
  return 'port' in data ? removalView(data) : mappedView(data);
}

function mappedView(data: Mapped): Block[] {
  if (data.protocol === null) return [text('The port is not open: no router opened it.', 'bad')];
  const sentence = {
    yes: text(`Open: anybody could reach ${data.public ?? 'it'}.`, 'good'),
    no: text('Not open: the router says so, and nothing came in.', 'bad'),
    unknown: text('Mapped; whether it is open was not seen.', 'warn'),
  }[data.open];
  return [
    grid(
      ['Private side', 'Public side', 'Remote', 'By', { title: 'Life', align: 'right' }],
      [
        [
          data.private ?? '',
          data.public ?? '',
          'any',
          PROTOCOL_NAMES[data.protocol],
          data.lifetimeS === 0 ? 'for good' : `${data.lifetimeS} s`,
        ],
      ],
    ),
    sentence,
    text(data.removed ? 'It is removed from the router.' : 'It is still in the router.', data.removed ? 'dim' : 'warn'),
  ];
}

function listView({ external, mappings }: MappingList): Block[] {
  if (!mappings) return [text('The router shows no list.', 'bad')];
  const head = external === null ? [] : [fields([['Router', toCopy(external)]])];
  if (mappings.length === 0) return [...head, text('The router holds no mapping.')];
  return [
    ...head,
    grid(
      ['Private side', 'Public side', 'Protocol', { title: 'Life', align: 'right' }, 'Description'],
      mappings.map((each) => [
        each.private,
        each.public ?? `port ${each.externalPort}`,
        each.transport.toUpperCase(),
        each.lifetimeS === 0 ? 'for good' : `${each.lifetimeS} s`,
        each.description,
      ]),
    ),
  ];
}

const removalView = ({ removed, port, transport }: Removal): Block[] => [
  removed === 'yes'
    ? text(`No mapping of ${transport.toUpperCase()} port ${port} is left.`, 'good')
    : removed === 'none'
      ? text(`${transport.toUpperCase()} port ${port}: the router holds no mapping of it.`, 'warn')
      : text(`${transport.toUpperCase()} port ${port}: nothing was removed.`, 'bad'),
];

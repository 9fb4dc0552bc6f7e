/** The report of `public-ip` for people. */
import { formatEndpoint } from '../../net/address.ts';
import { type Block, fields, forwardingGrid, grid } from '../../render/block.ts';
import type { Report } from '../../report/report.ts';
import type { Look } from '../command.ts';
import type { PublicIp } from './report.ts';

const ms = (rttMs: number): string => `${rttMs.toFixed(1)}`;

export function view({ data }: Report<PublicIp>, { verbosity }: Look): Block[] {
  if (data.address === null) return [fields([['Public address', { text: 'unknown', tone: 'bad' }]])];
  const rows: [string, string][] = [['Public address', data.address]];
  if (data.ipv6 !== null && data.ipv6 !== data.address) rows.push(['and by IPv6', data.ipv6]);
  const blocks: Block[] = [fields(rows)];
  if (data.table.length > 0 && verbosity >= 0) blocks.push(forwardingGrid(data.table));
  blocks.push(
    grid(
      ['Method', 'Source', 'Address', { title: 'RTT ms', align: 'right' }],
      data.answers.map(({ method, source, address, port, rttMs }) => [
        method,
        source,
        {
          text: port === null ? address : formatEndpoint({ address, port }),
          tone: address === data.ipv4 || address === data.ipv6 ? 'strong' : 'bad',
        },
        ms(rttMs),
      ]),
    ),
  );
  return blocks;
}

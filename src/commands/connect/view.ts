/** The report of `connect` for people. */
import { type Block, fields, grid, heading, text } from '../../render/block.ts';
import type { Report } from '../../report/report.ts';
import type { Look } from '../command.ts';
import type { Args } from './options.ts';
import type { ConnectReport } from './report.ts';
import { parseEndpoint } from '../../net/host-port.ts';
import { pathInWords } from './path-words.ts';

export function view(
  { data }: Report<ConnectReport>,
  { generate, exec }: Args,
  { verbosity, terminal }: Look,
): Block[] {
  // A fresh code was all that was wanted, or standard output has had its data, or that of a command.
  if (
    generate ||
    (exec !== undefined && data.path !== null) ||
    (data.path === null && data.timeline.length === 0) ||
    // Of a stream standard output is the data alone, even where that is none.
    (data.bytes ? !terminal || data.bytes.sent + data.bytes.received > 0 : data.sent + data.received > 0)
  )
    return [];
  if (data.path === null) {
    return [text('No path.', 'bad'), ...(verbosity > 0 ? details(data) : [])];
  }
  return [
    fields([
      ['Path', { text: pathInWords(data.path, parseEndpoint(data.remote ?? '')?.address ?? ''), tone: 'good' }],
      ['Private side', data.local ?? ''],
      ['Public side', data.public ?? ''],
      ['Remote', data.remote ?? ''],
      ['RTT ms', data.rttMs === null ? 'unknown' : data.rttMs.toFixed(1)],
      ['Time', `${Math.round(data.sincePeerMs ?? data.elapsedMs)} ms after the other host was there`],
    ]),
    ...(verbosity > 0 ? details(data) : []),
  ];
}

function details({ pairs, timeline }: ConnectReport): Block[] {
  return [
    heading('Pairs'),
    grid(
      ['Private side', 'Remote', 'Type', 'State', { title: 'RTT ms', align: 'right' }],
      pairs.map((each) => [
        each.local,
        each.remote,
        each.type,
        each.nominated ? `${each.state}, chosen` : each.state,
        each.rttMs === null ? '' : each.rttMs.toFixed(1),
      ]),
    ),
    heading('What happened'),
    grid(
      [{ title: 'At', align: 'right' }, 'Event', { title: 'Details', wrap: true }],
      timeline.map(({ atMs, event, ...rest }) => [
        `${atMs} ms`,
        event,
        Object.entries(rest)
          .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
          .join(', '),
      ]),
    ),
  ];
}

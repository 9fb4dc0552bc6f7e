/** The report of `connect` for people. */
import { type Block, fields, forwardingGrid, grid, heading, raw, text } from '../../render/block.ts';
import type { Report } from '../../report/report.ts';
import type { Look } from '../command.ts';
import { type Args, purposeOf } from './options.ts';
import type { ConnectReport, KeptPairing } from './report.ts';
import { parseEndpoint } from '../../net/host-port.ts';
import { pathInWords } from './path-words.ts';
import { amount } from './words.ts';

export function view({ data, durationMs }: Report<ConnectReport>, args: Args, { verbosity, terminal }: Look): Block[] {
  const { generate, kept, forget, exec } = args;
  if (data.code !== null) return [raw(`${data.code}\n`)];
  if (data.pairings) return pairings(data.pairings);
  // A fresh code was all that was wanted, or standard output has had its data, or that of a command.
  if (
    generate ||
    kept ||
    forget !== undefined ||
    (exec !== undefined && data.path !== null) ||
    (data.path === null && data.timeline.length === 0) ||
    // Of a pipe standard output is the data alone, even where that is none, or no path; on a terminal people see how it went.
    (!terminal && isPipe(args))
  )
    return [];
  if (data.path === null) {
    return [text('No path.', 'bad'), ...(verbosity > 0 ? details(data) : [])];
  }
  return [
    forwardingGrid(
      data.table.map((row) => ({ ...row, private: row.private ?? 'unknown' })),
      [{ title: 'Host', of: ({ side }) => (side === 'this' ? 'this one' : 'the other') }],
    ),
    fields([
      ['Path', { text: pathInWords(data.path, parseEndpoint(data.remote ?? '')?.address ?? ''), tone: 'good' }],
      ['RTT ms', data.rttMs === null ? 'unknown' : data.rttMs.toFixed(1)],
      ['Time', `${Math.round(data.sincePeerMs ?? data.elapsedMs)} ms after the other host was there`],
      ...traffic(data, durationMs),
    ]),
    ...(verbosity > 0 ? details(data) : []),
  ];
}

const isPipe = (args: Args): boolean => ['stream', 'datagrams'].includes(purposeOf(args));

/** Of a session that carried something. */
function traffic({ bytes, sent, received, lost, repairs }: ConnectReport, durationMs: number): [string, string][] {
  if (sent + received === 0) return [];
  const datagrams = (count: number): string => `${count} datagram${count === 1 ? '' : 's'}`;
  return [
    ['Session', `${(durationMs / 1000).toFixed(1)} s`],
    ...(bytes
      ? ([
          [
            'Sent',
            `${amount(bytes.sent)}, ${bytes.confirmed === bytes.sent ? 'all' : amount(bytes.confirmed)} confirmed`,
          ],
          ['Received', amount(bytes.received)],
        ] as [string, string][])
      : ([
          ['Sent', datagrams(sent)],
          ['Received', `${datagrams(received)}${lost ? `, ${lost} lost` : ''}`],
        ] as [string, string][])),
    ...(repairs > 0 ? ([['Repairs', String(repairs)]] as [string, string][]) : []),
  ];
}

function pairings(all: readonly KeptPairing[]): Block[] {
  if (all.length === 0) return [text('No pairing is kept.')];
  return [
    grid(
      ['Name', 'Kept since', 'Met last', { title: 'Meet at', wrap: true }],
      all.map(({ name, since, met, server, brokers }) => [
        name,
        day(since),
        day(met),
        since === null
          ? 'cannot be read'
          : [...(server === null ? [] : [server]), ...brokers].join(', ') || 'public brokers',
      ]),
    ),
  ];
}

const day = (instant: string | null): string => instant?.slice(0, 16).replace('T', ' ') ?? '';

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

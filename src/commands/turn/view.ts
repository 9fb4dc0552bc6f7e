/** The report of `turn` for people. */
import type { WatchEvent } from '../../probe/turn-check/watch.ts';
import type { DataResult, TurnResult, TurnStep } from '../../probe/turn-check/result.ts';
import { type Block, type Cell, fields, grid, heading } from '../../render/block.ts';
import { works } from './findings.ts';
import type { Issued } from './login.ts';

export interface TurnData {
  readonly results: readonly TurnResult[];
  /** With `--credential`. */
  readonly credential?: Issued;
}

/** One event of `--watch`. */
export type TurnEvent = WatchEvent & { readonly at: string; readonly server: string; readonly transport: string };

const ms = (value: number | null): string => (value === null ? '' : value < 10 ? value.toFixed(2) : value.toFixed(1));

const verdict = (result: TurnResult): Cell =>
  works(result) ? { text: 'relays', tone: 'good' } : { text: result.cause ?? 'unknown', tone: 'bad' };

const PLAIN: Readonly<Record<TurnStep['step'], string>> = {
  reach: 'Reach the server',
  login: 'Log in',
  allocate: 'Allocate a relayed address',
  permission: 'Permission for this host',
  channel: 'Channel to this host',
  data: 'Data to a second socket and back',
  relay: 'Data between two relays',
  refresh: 'Refresh',
  release: 'Release',
};

const outcome = ({ ok, code }: TurnStep): Cell =>
  ok ? { text: 'ok', tone: 'good' } : { text: code === null ? 'no' : `error ${code}`, tone: 'bad' };

function dataWords({ out, in: back, rttMs }: DataResult): string {
  const each = `${out.received} of ${out.sent} out, ${back.received} of ${back.sent} in`;
  return rttMs === null ? each : `${each}, RTT ${ms(rttMs)} ms`;
}

function single(result: TurnResult): Block[] {
  const { server, address, transport, software, relayed, data, load } = result;
  const rows: [string, Cell][] = [
    [
      'Server',
      `${address === server || address === 'unknown' ? server : `${server} (${address})`}, ${transport.toUpperCase()}`,
    ],
    ['Verdict', verdict(result)],
  ];
  if (software !== null) rows.push(['Software', software]);
  if (relayed !== null) rows.push(['Relayed address', relayed]);
  if (result.mapped !== null) rows.push(['Public side', result.mapped]);
  if (result.username !== null)
    rows.push([
      'Login',
      result.expiresAt === null ? result.username : `${result.username}, good until ${result.expiresAt}`,
    ]);
  if (result.lifetimeS !== null) rows.push(['Lifetime', `${result.lifetimeS} s`]);
  if (data.peer) rows.push(['Through the relay', dataWords(data.peer)]);
  if (result.directRttMs !== null) rows.push(['Direct RTT ms', ms(result.directRttMs)]);
  if (data.relay) rows.push(['Between two relays', dataWords(data.relay)]);
  if (load)
    rows.push([
      'Load',
      `${load.mbitPerSecond.out} Mbit/s out (${load.lossPercent.out} % lost), ${load.mbitPerSecond.in} Mbit/s in (${load.lossPercent.in} % lost)`,
    ]);
  return [
    fields(rows),
    ...(result.steps.length > 0
      ? [
          heading('Steps'),
          grid(
            ['Step', { title: 'After ms', align: 'right' }, 'Result'],
            result.steps.map((step) => [PLAIN[step.step], ms(step.ms), outcome(step)]),
          ),
        ]
      : []),
  ];
}

const many = (results: readonly TurnResult[]): Block[] => [
  grid(
    [
      'Server',
      'By',
      'Verdict',
      'Relayed address',
      { title: 'RTT ms', align: 'right' },
      { title: 'Lost', align: 'right' },
    ],
    results.map((each) => {
      const [peer, relay] = [each.data.peer, each.data.relay];
      const [sent, received] = [(peer?.sent ?? 0) + (relay?.sent ?? 0), (peer?.received ?? 0) + (relay?.received ?? 0)];
      return [
        each.server,
        each.transport.toUpperCase(),
        verdict(each),
        each.relayed ?? '',
        ms(peer?.rttMs ?? relay?.rttMs ?? null),
        sent === 0 ? '' : `${sent - received} of ${sent}`,
      ];
    }),
  ),
];

export function view({ data: { results, credential } }: { readonly data: TurnData }): Block[] {
  if (credential)
    return [
      fields([
        ['Username', { text: credential.username, tone: 'strong', whole: true }],
        ['Password', { text: credential.password, tone: 'strong', whole: true }],
        ['Good until', credential.expiresAt],
      ]),
    ];
  const [first, ...more] = results;
  return first && more.length === 0 ? single(first) : many(results);
}

/** One event of `--watch` on a line. */
export function eventLine(event: TurnEvent): string {
  const head = `${event.at} ${event.server} ${event.transport.toUpperCase()}:`;
  switch (event.event) {
    case 'relaying':
      return `${head} relaying from ${event.result.relayed ?? 'unknown'}`;
    case 'data':
      return `${head} ${event.received} of ${event.sent} came through${event.rttMs === null ? '' : `, RTT ${ms(event.rttMs)} ms`}`;
    case 'lost':
      return `${head} lost, ${event.cause}${event.detail === null ? '' : ` (${event.detail})`}`;
  }
}

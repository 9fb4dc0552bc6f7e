/** The report of `webrtc` for people, in the terminal and on the page. */
import { type Block, type Cell, fields, forwardingGrid, grid, heading } from '../../render/block.ts';
import type { Selected, Side, WebrtcData } from './report.ts';

const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

const THEM = { browser: 'browser', terminal: 'other host' } as const;

/** A channel stood. Neither this nor a cause is in what was interrupted. */
export const isWorking = (data: WebrtcData): data is WebrtcData & { readonly selected: Selected } =>
  data.cause === null && data.channel !== null && data.selected !== null;

/** One line that says it all. */
export function headline(data: WebrtcData): string {
  const { cause, peer } = data;
  if (isWorking(data))
    return `WebRTC works: ${data.selected.relayed ? 'by a relay' : 'directly'}, between the terminal and the ${THEM[peer]}`;
  if (cause === null) return 'not known: it ended too early';
  const words = peer === 'terminal' && cause === 'browser-left' ? 'the other host left' : CAUSE_WORDS[cause];
  return `WebRTC does not work: ${words.replace('the browser', `the ${THEM[peer]}`)}`;
}

/** Each in a few words. */
export const CAUSE_WORDS: Readonly<Record<NonNullable<WebrtcData['cause']>, string>> = {
  'no-browser': 'nobody came',
  'no-webrtc': 'the browser has none',
  'no-candidates': 'the browser offers no way to reach it',
  'no-relay': 'only relays are allowed, and there is none',
  'relay-failed': 'the relay does not help',
  'browser-udp-blocked': 'UDP of the browser is blocked',
  'terminal-udp-blocked': 'UDP of the terminal is blocked',
  'no-public-address': 'no STUN server answers',
  'local-addresses-hidden': 'no way in the local network',
  'ports-must-be-guessed': 'these two NATs let no direct path through',
  'no-path': 'no path between the two',
  'dtls-blocked': 'DTLS is blocked',
  'dtls-failed': 'the DTLS handshake fails',
  'fingerprint-wrong': 'the certificate is not the promised one',
  'sctp-stalled': 'SCTP does not answer',
  'consent-lost': 'the path died',
  'browser-left': 'the page was closed',
};

const NATS: Readonly<Record<NonNullable<Side['nat']>, string>> = {
  none: 'none seen',
  unknown: 'unknown',
  'endpoint-independent': 'maps endpoint-independently',
  'address-dependent': 'maps by address (symmetric)',
  'address-and-port-dependent': 'maps by address and port (symmetric)',
};

export function view(data: WebrtcData): Block[] {
  const { selected, timing, channel, local, remote, peer, table } = data;
  const text = headline(data);
  const verdict: Cell = isWorking(data) ? { text, tone: 'good' } : data.cause === null ? text : { text, tone: 'bad' };
  const rows: [string, Cell][] = [['Verdict', verdict]];
  if (selected) rows.push(['Path', `${selected.local} - ${selected.remote}${selected.relayed ? ', relayed' : ''}`]);
  rows.push(['NAT of the terminal', local.nat === null ? 'unknown' : NATS[local.nat]]);
  rows.push([`NAT of the ${THEM[peer]}`, remote.nat === null ? 'unknown' : NATS[remote.nat]]);
  const times = (
    [
      ['signalling', timing.signallingMs],
      ['ICE', timing.iceMs],
      ['DTLS', timing.dtlsMs],
      ['channel', timing.channelMs],
    ] as const
  ).flatMap(([name, value]) => (value === null ? [] : [`${name} ${ms(value)}`]));
  if (times.length > 0) rows.push(['Times', times.join(', ')]);
  if (channel) {
    const trips = [
      ...(channel.rttMs === null ? [] : [`data ${ms(channel.rttMs)}`]),
      ...(channel.stunRttMs === null ? [] : [`STUN ${ms(channel.stunRttMs)}`]),
    ];
    if (trips.length > 0) rows.push(['Round trip', trips.join(', ')]);
    if (channel.loss) rows.push(['Loss', `${channel.loss.up} % from the ${THEM[peer]}, ${channel.loss.down} % to it`]);
    else if (channel.lossPercent !== null) rows.push(['Loss', `${channel.lossPercent} % there and back`]);
    if (channel.mbitPerSecond)
      rows.push([
        'Carries',
        `${channel.mbitPerSecond.up} Mbit/s from the ${THEM[peer]}, ${channel.mbitPerSecond.down} Mbit/s to it`,
      ]);
  }
  const { camera } = data;
  if (camera && camera.frames > 0)
    rows.push([
      'Camera',
      `${camera.frames} frames of ${camera.width}x${camera.height}, ${camera.missed} missed${camera.framesPerSecond === null ? '' : `, ${camera.framesPerSecond} a second`}`,
    ]);
  return [
    fields(rows),
    ...(table.length > 0
      ? [
          heading('NAT forwarding table'),
          forwardingGrid(table, [
            { title: 'NAT of', of: ({ side }) => (side === 'terminal' ? 'the terminal' : `the ${THEM[peer]}`) },
          ]),
        ]
      : []),
  ];
}

/** Every candidate, and what happened when. */
export function details({ local, remote, peer, timeline }: WebrtcData): Block[] {
  const candidates = [
    ...local.candidates.map((each) => ['the terminal', each.type, each.address, each.protocol]),
    ...remote.candidates.map((each) => [`the ${THEM[peer]}`, each.type, each.address, each.protocol]),
  ];
  return [
    ...(candidates.length > 0 ? [heading('Candidates'), grid(['Of', 'Type', 'Address', 'Over'], candidates)] : []),
    ...(timeline.length > 0
      ? [
          heading('What happened'),
          grid(
            [{ title: 'After ms', align: 'right' }, 'Event', { title: 'Details', wrap: true }],
            timeline.map(({ atMs, event, ...rest }) => [String(Math.round(atMs)), event, detailsOf(rest)]),
          ),
        ]
      : []),
  ];
}

const detailsOf = (rest: Readonly<Record<string, unknown>>): string =>
  Object.entries(rest)
    .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ')
    .slice(0, 200);

/** What `lab webrtc` shows: which pair carries it, what each step took, and why there is no channel where there is none. */
import type { FailureReason } from '../../ice/api.ts';
import { type Block, type Cell, fields, forwardingGrid, grid, text } from '../../render/block.ts';
import type { PeerEnd } from '../../webrtc/peer-api.ts';
import type { Webrtc, WebrtcSide } from './data.ts';
import { viewTrace } from './one.ts';

const CAUSES: Readonly<Record<Exclude<PeerEnd['kind'], 'no-pair'> | FailureReason, string>> = {
  closed: 'it was stopped.',
  'closed-by-peer': 'the other side closed it.',
  'no-pairs': 'the candidates of the two sides do not fit each other.',
  'no-answer': 'nothing of the other side came through.',
  'only-inbound': "the other side's checks came through, but no answer to ours.",
  'asymmetric-path': 'answers came from elsewhere than asked.',
  rejected: 'the other side answered with errors.',
  'not-nominated': 'a pair works, but was never chosen.',
  'consent-lost': 'the path went away.',
  'dtls-silent': 'a pair works, but DTLS did not come to its end.',
  'dtls-failed': 'DTLS failed.',
  'sctp-stalled': 'DTLS is up, but SCTP is not answered.',
  'sctp-failed': 'SCTP was broken.',
};

const STEPS: readonly (readonly [name: string, of: keyof WebrtcSide['timing']])[] = [
  ['Candidates gathered', 'gatheringMs'],
  ['ICE: the first pair that works', 'iceMs'],
  ['DTLS: both are proven', 'dtlsMs'],
  ['SCTP: the association', 'sctpMs'],
  ['Channel open', 'channelMs'],
];

const inMs = (value: number | null): Cell => (value === null ? '-' : value.toFixed(1));
const addressOf = ({ candidates }: WebrtcSide, wanted: string): string =>
  candidates.find(({ type }) => type === wanted)?.address ?? '';

export function viewWebrtc({ nat, nat2, rttMs, sides, trace }: Webrtc): Block[] {
  const [a, c2] = sides;
  const cause = a.cause ?? c2.cause;
  const rows = sides.map((side) => ({
    host: side.host,
    private: addressOf(side, 'host'),
    public: addressOf(side, 'srflx'),
    remote: side.selected?.remote ?? '',
  }));
  return [
    ...(cause === null ? [] : [text(`No channel: ${CAUSES[cause]}`, 'bad')]),
    forwardingGrid(rows, [{ title: 'Host', of: ({ host }) => host }]),
    grid(
      ['Step, ms', ...sides.map(({ host }) => host)],
      STEPS.map(([name, of]) => [name, ...sides.map(({ timing }) => inMs(timing[of]))]),
    ),
    fields([
      ['NATs', `${nat} and ${nat2}`],
      ...(rttMs === null ? [] : [['RTT ms', `${rttMs.toFixed(1)} by the channel`] as const]),
    ]),
    ...viewTrace(trace),
  ];
}

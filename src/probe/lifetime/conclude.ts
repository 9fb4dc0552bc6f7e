/** What a measurement of lifetimes means. Pure: an interrupted run still says what it learnt, and what is not proven is unknown. */
import { formatEndpoint } from '../../net/address.ts';
import { errorWords } from '../../net/error-words.ts';
import { type Finding, finding } from '../../report/finding.ts';
import type { Completeness } from '../../report/report.ts';
import { type Unfit, unfitInWords } from './crossing.ts';
import { likelyBetween } from './grid.ts';
import type { LifetimeFacts } from './measure.ts';
import { refreshes } from './refreshing.ts';
import type { After, AgeSeries } from './series.ts';

/** How long holes of one kind stay open. */
export interface HoleLifetime {
  readonly after: After;
  /** It was open after so long, ms, rounded down; 0 where that was never seen. */
  readonly aliveMs: number;
  /** It was gone after so long, ms, rounded up; null where that was not seen. */
  readonly deadMs: number | null;
  /** The round value between the two, where there is one. */
  readonly likelyMs: number | null;
}

type Answer = 'yes' | 'no' | 'unknown';

/** The result of {@link concludeLifetime}; endpoints as text. */
export interface Lifetime {
  readonly server: string | null;
  readonly local: string | null;
  readonly public: string | null;
  readonly holes: readonly HoleLifetime[];
  readonly refreshedBy: { readonly outbound: Answer; readonly inbound: Answer };
  /** The longest silence to allow, ms: where each keepalive is answered, and repeated when it is not; and where nobody looks whether it arrives. */
  readonly keepaliveMs: { readonly answered: number | null; readonly unanswered: number | null };
  readonly mappings: number;
  readonly packets: number;
  readonly tookMs: number;
}

/** What is known, how completely, and what is to be said of it. */
export interface LifetimeConclusion {
  readonly outcome: Completeness;
  readonly data: Lifetime;
  readonly findings: readonly Finding[];
}

/** Of what is proven: what holds a hole is sent well before its end. */
const ANSWERED_SHARE = 0.8;
/** One of two may be lost, and timers are late. */
const UNANSWERED_MARGIN_MS = 1_000;

/** What the facts prove. */
export function concludeLifetime(facts: LifetimeFacts): LifetimeConclusion {
  const { proven, maxMs } = facts;
  const both = facts.series.find(({ after }) => after === 'both-ways') as AgeSeries;
  const holes = facts.unfiltered
    ? facts.series.map(({ after }) => ({ after, aliveMs: maxMs, deadMs: null, likelyMs: null }))
    : facts.series.filter(({ aliveMs }) => aliveMs > 0).map((series) => lifetimeOf(series));
  const refreshedBy = {
    outbound: refreshes(facts.refreshed, both, 'outbound'),
    inbound: refreshes(facts.refreshed, both, 'inbound'),
  };
  const settled = facts.unfiltered || facts.series.every(({ end }) => end === 'dead' || end === 'outlived');
  const data: Lifetime = {
    server: proven ? formatEndpoint(proven.server) : facts.unfit[0] ? formatEndpoint(facts.unfit[0].server) : null,
    local: proven ? formatEndpoint(proven.local) : null,
    public: proven ? formatEndpoint(proven.public) : null,
    holes,
    refreshedBy,
    keepaliveMs: keepalive(holes, refreshedBy.outbound),
    mappings: proven?.field.mappings ?? 0,
    packets: proven?.field.packets ?? 0,
    tookMs: Math.round(facts.tookMs()),
  };
  const outcome = settled ? 'complete' : holes.length > 0 || facts.stopped ? 'partial' : 'failed';
  return { outcome, data, findings: findingsOf(facts) };
}

function lifetimeOf(series: AgeSeries): HoleLifetime {
  const { after } = series;
  const aliveMs = Math.floor(series.aliveMs);
  const deadMs = series.deadMs === undefined ? null : Math.ceil(series.deadMs);
  return { after, aliveMs, deadMs, likelyMs: deadMs === null ? null : (likelyBetween(aliveMs, deadMs) ?? null) };
}

/** What is not answered holds nothing where only inbound packets refresh. */
function keepalive(holes: readonly HoleLifetime[], outbound: Answer): Lifetime['keepaliveMs'] {
  const of = (after: After): number | undefined => holes.find((each) => each.after === after)?.aliveMs;
  const [one, both] = [of('one-packet'), of('both-ways')];
  const unanswered = one === undefined ? undefined : Math.min(one, both ?? one) / 2 - UNANSWERED_MARGIN_MS;
  return {
    answered: both === undefined ? null : Math.floor(both * ANSWERED_SHARE),
    unanswered: unanswered === undefined || unanswered <= 0 || outbound === 'no' ? null : Math.floor(unanswered),
  };
}

/** Shorter lives than that are not told from a NAT that has lost all that it knew. */
const SHORT_MS = 3_500;

const isTooShort = ({ end, aliveMs, deadMs }: AgeSeries): boolean =>
  deadMs === undefined && aliveMs > 0 && aliveMs < SHORT_MS && (end === 'state-lost' || end === 'exhausted');

const isUnheard = ({ kind }: Unfit): boolean => kind === 'no-answer' || kind === 'refused';

function findingsOf(facts: LifetimeFacts): Finding[] {
  const { proven, opened, series, stopped, maxMs } = facts;
  const findings: Finding[] = [];
  const server = proven ? formatEndpoint(proven.server) : '';
  const silent = facts.unfit.filter(({ unfit }) => unfit.kind === 'no-answer');
  if (!proven && silent.length > 0 && silent.length === facts.unfit.length)
    findings.push(finding('no-answer', { servers: silent.map((each) => formatEndpoint(each.server)) }));
  else if (!proven && facts.unfit.length > 0 && facts.unfit.every(({ unfit }) => isUnheard(unfit)))
    findings.push(
      ...facts.unfit.flatMap((each) =>
        each.unfit.kind === 'refused'
          ? [finding('cannot-send', { server: formatEndpoint(each.server), error: errorWords(each.unfit.error) })]
          : [],
      ),
    );
  else if (!proven && facts.unfit.every(({ unfit }) => unfit.kind === 'doubted' && unfit.doubt === 'inside'))
    findings.push(...facts.unfit.map((each) => finding('server-inside', { server: formatEndpoint(each.server) })));
  else if (!proven && stopped === undefined)
    findings.push(finding('nobody-outside', { reasons: facts.unfit.map(unfitInWords) }));
  if (facts.unfiltered)
    findings.push(finding('no-hole-needed', { local: formatEndpoint((proven as NonNullable<typeof proven>).local) }));
  if (opened?.limited)
    findings.push(finding('holes-refused', { asked: opened.asked, answered: opened.asked - opened.unanswered }));
  if (opened && opened.elsewhere > 0) findings.push(finding('holes-elsewhere', { count: opened.elsewhere }));
  for (const each of series) {
    const { after } = each;
    if (each.differs) findings.push(finding('entries-differ', { after }));
    if (isTooShort(each)) {
      findings.push(finding('holes-short-lived', { after }));
      continue;
    }
    if (each.end === 'state-lost') findings.push(finding('nat-forgot-all', { after }));
    if (each.end === 'vanished') findings.push(finding('holes-vanish', { after, server }));
    if (each.end === 'exhausted') findings.push(finding('holes-exhausted', { after, holes: each.holes }));
    if (each.end === 'untold') findings.push(finding('ages-void', { after }));
    if (each.end === 'outlived') findings.push(finding('outlives-max', { after, maxS: maxMs / 1000 }));
  }
  if (stopped === 'clocks-parted') findings.push(finding('clocks-parted'));
  if (stopped === 'moved') findings.push(finding('public-address-moved', { server }));
  if (stopped === 'interrupted' || stopped === 'out-of-time') findings.push(finding(stopped));
  return findings;
}

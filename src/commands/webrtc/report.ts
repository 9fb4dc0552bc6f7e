/** What `webrtc` found out, as data. Pure. */
import { judgeBoth, type WebrtcCause } from '../../probe/webrtc/cause.ts';
import type { CameraData } from './camera.ts';
import type { CheckResult } from '../../probe/webrtc/check.ts';
import type { Facts } from '../../probe/webrtc/facts.ts';
import { publicSides } from '../../probe/webrtc/facts.ts';
import type { ChannelResult } from '../../probe/webrtc/measure.ts';
import type { SeenCandidate } from '../../probe/webrtc/seen-candidate.ts';
import { reasonOf } from '../../connect/traversal/strategy.ts';
import type { Profile } from '../../nat/profile.ts';
import { formatEndpoint } from '../../net/address.ts';
import { parseEndpoint } from '../../net/host-port.ts';
import { toMicroseconds } from '../../net/round.ts';
import { type Finding, finding } from '../../report/finding.ts';
import type { ForwardingRow } from '../../report/forwarding.ts';
import type { TimelineEvent } from '../../connect/timeline.ts';
import type { WebrtcPeer } from '../../webrtc/peer.ts';

export interface ReportedCandidate {
  readonly type: SeenCandidate['type'];
  /** An endpoint, or a name with a port where the browser hides its address. */
  readonly address: string;
  readonly protocol: 'udp' | 'tcp';
}

export interface Side {
  readonly candidates: readonly ReportedCandidate[];
  /** How its NAT maps; null where that is not known. */
  readonly nat: Profile['mapping'] | null;
}

export interface Selected {
  readonly local: string;
  readonly remote: string;
  readonly rttMs: number | null;
  /** By a relay of either side. */
  readonly relayed: boolean;
}

/** Milliseconds, each from the end of the one before. */
export interface Timing {
  /** From the browser's offer to our answer. */
  readonly signallingMs: number | null;
  readonly iceMs: number | null;
  readonly dtlsMs: number | null;
  readonly channelMs: number | null;
}

/** A row of the forwarding table, and whose NAT holds it. */
export type SidedRow = ForwardingRow & { readonly side: 'browser' | 'terminal' | 'peer' };

export interface WebrtcData {
  readonly peer: 'browser' | 'terminal';
  readonly local: Side;
  readonly remote: Side;
  readonly selected: Selected | null;
  readonly timing: Timing;
  /** From the offer to the channel, or to the cause. */
  readonly elapsedMs: number | null;
  readonly channel: ChannelResult | null;
  readonly cause: WebrtcCause | null;
  readonly table: readonly SidedRow[];
  /** STUN servers that both sides were told of. */
  readonly servers: readonly string[];
  /** With `--camera`. */
  readonly camera?: CameraData;
  /** What happened, in order. */
  readonly timeline: readonly TimelineEvent[];
}

export interface Told {
  readonly peer: 'browser' | 'terminal';
  readonly url: string;
  /** The page runs on this host. */
  readonly sameHost: boolean;
  readonly turn: { readonly server: string; readonly why: string | undefined } | undefined;
}

/** Of an attempt; without one nobody came. */
export function dataOf(
  facts: Facts,
  peer: Pick<WebrtcPeer, 'selected'> | undefined,
  result: CheckResult,
  told: Told,
): WebrtcData {
  const pair = facts.at.valid === undefined ? undefined : peer?.selected;
  return {
    peer: told.peer,
    local: { candidates: facts.local.map(reported), nat: natOf(facts.profile) },
    remote: { candidates: facts.remote.map(reported), nat: natOf(facts.browserProfile) },
    selected: pair
      ? {
          local: formatEndpoint(pair.local.endpoint),
          remote: formatEndpoint(pair.remote.endpoint),
          rttMs: pair.rttMs === undefined ? null : toMicroseconds(pair.rttMs),
          relayed: pair.local.type === 'relay' || isRelayed(facts.remote, formatEndpoint(pair.remote.endpoint)),
        }
      : null,
    timing: timingOf(facts.at),
    elapsedMs: between(facts.at.offer, facts.at.verdict),
    channel: result.channel,
    cause: result.cause,
    table: tableOf(facts),
    servers: facts.options.servers,
    timeline: facts.timeline,
  };
}

const reported = ({ type, address, protocol }: SeenCandidate): ReportedCandidate => ({ type, address, protocol });
const natOf = ({ mapping }: Profile): Side['nat'] => (mapping === 'unknown' ? null : mapping);
const isRelayed = (remote: readonly SeenCandidate[], address: string): boolean =>
  remote.some((each) => each.type === 'relay' && each.address === address);

const between = (from: number | undefined, to: number | undefined): number | null =>
  from === undefined || to === undefined ? null : toMicroseconds(Math.max(0, to - from));

const timingOf = ({ offer, answer, valid, dtls, channel }: Facts['at']): Timing => ({
  signallingMs: between(offer, answer),
  iceMs: between(answer, valid),
  dtlsMs: between(valid, dtls),
  channelMs: between(dtls, channel),
});

const HIDDEN = 'hidden';

/** What both NATs hold, as far as servers told it. */
function tableOf(facts: Facts): SidedRow[] {
  const rows = (side: SidedRow['side'], candidates: readonly SeenCandidate[]): SidedRow[] =>
    candidates
      .filter(({ type, protocol }) => type === 'srflx' && protocol === 'udp')
      .map(({ address, base, server }) => ({
        side,
        private: base
          ? formatEndpoint(base)
          : (candidates.find(({ type }) => type === 'host')?.address.replace(/^[^:]*\.local/, HIDDEN) ?? HIDDEN),
        public: address,
        remote:
          server?.replace(/^(?:stun|turn)s?:/, '').replace(/\?.*$/, '') ??
          facts.options.servers[0]?.replace(/^stun:/, '') ??
          '',
      }));
  return [...rows('terminal', facts.local), ...rows('browser', facts.remote)];
}

/** Why there is no channel, and what is worth knowing beside one that stands. */
export function findingsOf(
  facts: Facts,
  peer: Pick<WebrtcPeer, 'counters'> | undefined,
  data: WebrtcData,
  told: Told,
): Finding[] {
  return [...ofCause(facts, peer, data, told), ...beside(facts, data, told)];
}

function ofCause(
  facts: Facts,
  peer: Pick<WebrtcPeer, 'counters'> | undefined,
  { cause }: WebrtcData,
  told: Told,
): Finding[] {
  const { servers, hasRelay } = facts.options;
  const names = servers.map((each) => each.replace(/^stun:/, ''));
  const blocked = { servers: names, relay: hasRelay };
  switch (cause) {
    case null:
      return [];
    case 'no-browser':
      return told.peer === 'browser' ? [finding('webrtc-no-browser', { url: told.url })] : [finding('webrtc-no-peer')];
    case 'no-webrtc':
      return [finding('webrtc-no-webrtc', { why: facts.incapable ?? 'unknown' })];
    case 'no-candidates':
    case 'no-relay':
    case 'fingerprint-wrong':
    case 'sctp-stalled':
    case 'consent-lost':
      return [finding(`webrtc-${cause}`)];
    case 'browser-left':
      return told.peer === 'terminal' ? [finding('webrtc-peer-left')] : [finding(`webrtc-${cause}`)];
    case 'relay-failed':
      return [
        finding('webrtc-relay-failed', {
          server: told.turn?.server ?? '',
          why: told.turn?.why ?? 'the browser got no relayed address from it',
        }),
      ];
    case 'browser-udp-blocked':
    case 'terminal-udp-blocked':
      return [finding(`webrtc-${cause}`, blocked), ...relayToo(told)];
    case 'no-public-address':
      return [finding('webrtc-no-public-address', { servers: names })];
    case 'local-addresses-hidden':
      return [finding('webrtc-local-addresses-hidden', { servers: names.length })];
    case 'ports-must-be-guessed': {
      const judgement = peer && judgeBoth(facts.evidence(peer.counters));
      if (!judgement || !('odds' in judgement)) return [finding('webrtc-no-path', { came: 0, answered: 0 })];
      const reason = reasonOf(judgement, 'the terminal', told.peer === 'browser' ? 'the browser' : 'the other host');
      return [finding('webrtc-ports-must-be-guessed', { reason, odds: judgement.odds }), ...relayToo(told)];
    }
    case 'no-path':
      return [
        finding('webrtc-no-path', {
          came: peer?.counters.ice.requests ?? 0,
          answered: peer?.counters.ice.answers ?? 0,
        }),
        ...relayToo(told),
      ];
    case 'dtls-blocked':
      return [finding('webrtc-dtls-blocked', { heard: facts.ended?.kind === 'dtls-silent' && facts.ended.heard })];
    case 'dtls-failed':
      return [
        finding('webrtc-dtls-failed', {
          why: facts.ended?.kind === 'dtls-failed' ? facts.ended.error.message : 'unknown',
        }),
      ];
  }
}

/** The relay that was to help did not. */
const relayToo = ({ turn }: Told): Finding[] =>
  turn?.why === undefined ? [] : [finding('webrtc-relay-failed', { server: turn.server, why: turn.why })];

function beside(facts: Facts, { cause, selected, channel }: WebrtcData, told: Told): Finding[] {
  const found: Finding[] = [];
  const [ours, theirs] = [addressesIn(facts.local), addressesIn(facts.remote)];
  const [browser] = theirs.filter((each) => !ours.includes(each));
  const [terminal] = ours;
  if (told.sameHost && browser !== undefined && terminal !== undefined && !theirs.some((each) => ours.includes(each)))
    found.push(finding('webrtc-other-way-out', { browser, terminal }));
  if (cause === null && selected?.relayed) found.push(finding('webrtc-relayed', { server: told.turn?.server ?? '' }));
  if (channel?.loss && (channel.loss.up > 0 || channel.loss.down > 0)) found.push(finding('webrtc-loss', channel.loss));
  if (cause === null && !selected?.relayed && told.turn?.why !== undefined)
    found.push(finding('webrtc-turn-unused', { server: told.turn.server, why: told.turn.why }));
  const count = facts.remote.filter(({ type, endpoint }) => type === 'host' && !endpoint).length;
  if (count > 0) found.push(finding('webrtc-hidden', { count }));
  return found;
}

const addressesIn = (candidates: readonly SeenCandidate[]): string[] =>
  publicSides(candidates).flatMap((each) => parseEndpoint(each)?.address ?? []);

/** All that is seen of one attempt at a connection, as it comes: what the peer's stack tells, what the browser says of itself. */
import { formatEndpoint, scopeOf } from '../../net/address.ts';
import type { Clock } from '../../net/env.ts';
import { Gate } from '../../net/wait.ts';
import { classifyMapping, type Observation } from '../../nat/mapping.ts';
import type { Profile } from '../../nat/profile.ts';
import { parseEndpoint } from '../../net/host-port.ts';
import { formatCandidate } from '../../ice/sdp.ts';
import type { Candidate } from '../../ice/candidate.ts';
import type { TimelineEvent } from '../../connect/timeline.ts';
import type { PeerCounters, PeerEnd } from '../../webrtc/peer-api.ts';
import type { TurnCause } from '../turn-check/result.ts';
import { browserProfile } from './browser-nat.ts';
import type { Evidence, SideEvidence } from './cause.ts';
import { parseSeenCandidate, type SeenCandidate } from './seen-candidate.ts';

/** What is told by strangers is bounded. */
const MOST_CANDIDATES = 64;
const MOST_ERRORS = 16;

/** When what came to stand, on the clock's scale. */
export interface Milestones {
  offer?: number;
  answer?: number;
  valid?: number;
  dtls?: number;
  channel?: number;
  /** The channel stood, or the cause was known why not. */
  verdict?: number;
}

export interface FactsOptions {
  readonly clock: Clock;
  readonly relayOnly: boolean;
  readonly hasRelay: boolean;
  /** As the browser was told of them. */
  readonly servers: readonly string[];
}

const UNKNOWN: Profile = {
  mapping: 'unknown',
  filtering: 'unknown',
  allocation: { pattern: 'unknown' },
  complete: false,
};

export class Facts {
  readonly gate: Gate;
  readonly at: Milestones = {};
  readonly remote: SeenCandidate[] = [];
  readonly local: SeenCandidate[] = [];
  /** Of servers that the browser could not ask. */
  readonly errors: { readonly server: string; readonly code: number }[] = [];
  readonly timeline: TimelineEvent[] = [];
  readonly #sightings: Observation[] = [];
  readonly options: FactsOptions;
  /** Hears of each candidate of ours. */
  onLocal: (candidate: Candidate) => void = () => {};
  remoteGathered = false;
  localGathered = false;
  /** Of this host's NAT, as far as it has been measured beside this. */
  measured: Profile | undefined;
  relay: TurnCause | 'works' | undefined;
  ended: PeerEnd | undefined;
  /** The browser cannot: it says why. */
  incapable: string | undefined;
  /** The page is gone. */
  left = false;

  constructor(options: FactsOptions) {
    this.options = options;
    this.gate = new Gate(options.clock);
  }

  /** What the browser gathered; an empty line: no more will come. False for what is no candidate. */
  remoteCandidate(line: string, server?: string): boolean {
    if (line === '') this.remoteGathered = true;
    else {
      const seen = parseSeenCandidate(line, server);
      if (!seen) return false;
      const known = this.remote.some(
        ({ type, address, protocol }) => type === seen.type && address === seen.address && protocol === seen.protocol,
      );
      if (!known && this.remote.length < MOST_CANDIDATES) this.remote.push(seen);
    }
    this.gate.notify();
    return true;
  }

  localCandidate(candidate: Candidate): void {
    const seen = parseSeenCandidate(formatCandidate(candidate));
    if (seen && this.local.length < MOST_CANDIDATES) this.local.push(seen);
    this.onLocal(candidate);
    this.gate.notify();
  }

  remoteError(server: string, code: number): void {
    if (this.errors.length < MOST_ERRORS) this.errors.push({ server, code });
    this.gate.notify();
  }

  /** An event of the stack's. */
  event(event: TimelineEvent): void {
    const now = this.options.clock.now();
    if (event.event === 'valid') this.at.valid ??= now;
    if (event.event === 'dtls-up') this.at.dtls ??= now;
    if (event.event === 'gathered') this.localGathered = true;
    if (event.event === 'stun-answered') this.#sighted(event);
    if (this.timeline.length < MOST_EVENTS) this.timeline.push(event);
    this.gate.notify();
  }

  /** What a STUN server told the stack. */
  #sighted({ base, server, mapped }: TimelineEvent): void {
    const [local, remote, seen] = [base, server, mapped].map((text) => parseEndpoint(String(text)));
    if (local && remote && seen && this.#sightings.length < MOST_CANDIDATES)
      this.#sightings.push({ local, remote, mapped: seen });
  }

  end(end: PeerEnd): void {
    this.ended = end;
    this.gate.notify();
  }

  /** Of this host's NAT: as measured, or as far as the servers that were asked for candidates tell. */
  get profile(): Profile {
    if (this.measured && this.measured.mapping !== 'unknown') return this.measured;
    const { mapping, dependent } = classifyMapping(
      this.#sightings.filter(({ local }) => local.port === this.#sightings[0]?.local.port),
    );
    return { ...UNKNOWN, mapping: dependent && mapping === 'unknown' ? 'address-and-port-dependent' : mapping };
  }

  /** As far as its candidates tell. */
  get browserProfile(): Profile {
    return browserProfile(this.remote, this.options.servers);
  }

  evidence({ ice }: Pick<PeerCounters, 'ice'>): Evidence {
    const { clock, relayOnly, hasRelay, servers } = this.options;
    return {
      elapsedMs: clock.now() - (this.at.offer ?? clock.now()),
      relayOnly,
      hasRelay,
      servers: servers.length,
      relay: this.relay,
      terminal: sideOf(this.local, this.profile, this.localGathered),
      browser: sideOf(this.remote, this.browserProfile, this.remoteGathered),
      checksIn: ice.requests,
      answersIn: ice.answers,
    };
  }
}

const MOST_EVENTS = 300;

function sideOf(candidates: readonly SeenCandidate[], profile: Profile, gathered: boolean): SideEvidence {
  const udp = candidates.filter(({ protocol }) => protocol === 'udp');
  const hosts = udp.filter(({ type }) => type === 'host');
  return {
    candidates: udp.length,
    hosts: hosts.length,
    hidden: hosts.filter(({ endpoint }) => endpoint === undefined).length,
    mapped: udp.filter(({ type }) => type === 'srflx').length,
    relayed: udp.filter(({ type }) => type === 'relay').length,
    open: hosts.some(({ endpoint }) => endpoint && scopeOf(endpoint.address) === 'public'),
    profile,
    gathered,
  };
}

/** Its public sides, as text. */
export const publicSides = (candidates: readonly SeenCandidate[]): string[] =>
  candidates.flatMap(({ type, endpoint }) => (type === 'srflx' && endpoint ? [formatEndpoint(endpoint)] : []));

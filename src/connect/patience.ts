/** When the search for a path is given up, and with what reason: one ending is due at a time, the latest that was set. */
import type { Clock } from '../net/env.ts';
import { type Deadline, type Deadlines, usualMs } from './deadlines.ts';
import type { Fallback } from './fallback.ts';
import type { ConnectFailure } from './session-api.ts';
import type { HardWays } from './traversal/hard-ways.ts';
import type { PathInUse } from './traversal/path-in-use.ts';
import { isHopeless, type Judgement, patienceMs, reasonOf } from './traversal/strategy.ts';

export interface PatienceOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly hard: HardWays;
  readonly path: Pick<PathInUse, 'current'>;
  readonly fallback: Pick<Fallback, 'begin' | 'want' | 'instead' | 'failure'>;
  /** Of the plain way, from the meeting on; the usual when absent. */
  readonly plainMs: number | undefined;
  readonly fail: (failure: ConnectFailure) => void;
  readonly note: (event: string, details: Readonly<Record<string, unknown>>) => void;
}

/** They end the search for a direct path. */
type SearchEnding = Extract<Deadline, 'nobody-came' | 'plain' | 'hopeless' | 'hard' | 'peer-left'>;

/** What the plain way has at least, however late it turns out that there is no other. */
const LEAST_HOPE_MS = 500;
/** Where no port has to be guessed there is a path by then, unless something was lost or came too early. */
const SLOW_MS = 600;

/** From the meeting on: for the slowest routers, which take seconds for UPnP. Most answer, or are known not to, in one. */
const ASKED_MS = 8_000;

const NOTHING_CAME =
  'A router said that it opened a port, but nothing came in by it: it may be behind another NAT, or not do what it says.';

export class Patience {
  readonly #options: PatienceOptions;
  #metAt = 0;
  #mapping: HardWays['mapping'] = 'none';
  /** A port was opened in a router. */
  #mappedAt = 0;

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  /** The peer is there. */
  met(): void {
    const { clock, deadlines, plainMs } = this.#options;
    this.#metAt = clock.now();
    deadlines.set('plain', plainMs ?? usualMs('plain'));
  }

  /** More is known of one side; without a path yet, begins the hard ways as soon as that is enough. `rttMs`: to the server. */
  decide(rttMs: number, found: boolean): void {
    const { clock, deadlines, hard, plainMs = 0, note } = this.#options;
    const before = this.#mapping;
    this.#mapping = hard.mapping;
    if (before !== 'open' && this.#mapping === 'open') this.#mappedAt = clock.now();
    const judgement = hard.decide();
    if (found) return;
    if (!judgement) {
      if (hard.judgement?.kind === 'hopeless' && this.#mapping !== before) this.#giveUp(hard.judgement);
      return;
    }
    const reason = reasonOf(judgement, 'this side', 'the peer');
    note('judged', { kind: judgement.kind, reason, ...('odds' in judgement && { odds: judgement.odds }) });
    if (judgement.kind === 'direct' || judgement.kind === 'unknown') return hard.meetAtOnceAfter(SLOW_MS + 4 * rttMs);
    if (isHopeless(judgement)) return this.#giveUp(judgement);
    deadlines.set('hard', Math.max(patienceMs(judgement) + 4 * rttMs, plainMs));
    hard.start(judgement);
  }

  /** As long as the plain way was given a chance, and a router that was asked for a port, there is nothing to wait for. */
  #giveUp(judgement: Judgement): void {
    const { clock, deadlines, fallback } = this.#options;
    // No port of a router helps where the two do not come together at all.
    const mapping = judgement.kind === 'hopeless' ? this.#mapping : 'none';
    if (mapping === 'none') fallback.want(reasonOf(judgement, 'this side', 'the peer'));
    const until = {
      none: this.#metAt + usualMs('hopeless'),
      asked: this.#metAt + ASKED_MS,
      open: Math.max(this.#metAt, this.#mappedAt) + usualMs('hopeless'),
    }[mapping];
    deadlines.set('hopeless', Math.max(until - clock.now(), LEAST_HOPE_MS));
  }

  /** One of the deadlines before there is a connection. */
  due(name: SearchEnding | Extract<Deadline, 'relay' | 'chance' | 'relay-late'>): void {
    const { path, fallback, fail } = this.#options;
    switch (name) {
      case 'relay':
        return path.current ? undefined : fallback.begin();
      case 'chance':
        if (!path.current && !this.#isHard) fallback.want('No direct way was found in time.');
        return;
      case 'relay-late':
        return fail(fallback.failure ?? this.failureAt('plain'));
      default: {
        const failure = this.failureAt(name);
        if (!fallback.instead(failure)) fail(failure);
      }
    }
  }

  /** Hard ways are tried: they say themselves when they have had their chance. */
  get #isHard(): boolean {
    const { kind } = this.#options.hard.judgement ?? {};
    return kind === 'guess' || kind === 'meet';
  }

  /** What the search failed of, now that this ending is due. */
  failureAt(ending: SearchEnding): ConnectFailure {
    const { judgement, mapping } = this.#options.hard;
    if (ending === 'nobody-came') return { kind: 'nobody-came' };
    // That the peer gave up as well says less than why.
    if (ending === 'peer-left' && !(judgement && isHopeless(judgement))) return { kind: 'peer-left' };
    if (!judgement) return { kind: 'no-path', judgement, reason: 'The NAT of one side could not be measured.' };
    const kind = isHopeless(judgement) ? 'hopeless' : 'no-path';
    const reason = reasonOf(judgement, 'this side', 'the peer');
    return { kind, judgement, reason: mapping === 'open' ? `${reason} ${NOTHING_CAME}` : reason };
  }
}

/** What becomes of pairs, and with them of the agent (RFC 8445 §7.2.5.3, §8.1): valid, failed, selected, lost. */
import type { Endpoint } from '../net/address.ts';
import type { IceLog, IceState } from './api.ts';
import { type Candidate, peerReflexivePriority } from './candidate.ts';
import type { Checker } from './checker.ts';
import type { CheckList } from './checklist.ts';
import type { Consent } from './consent.ts';
import type { Outbox } from './outbox.ts';
import { isRelayed, type Pair, viewOf } from './pair.ts';
import type { Speculations } from './speculation.ts';

export type PairFailure = Extract<IceLog, { event: 'pair-failed' }>['why'];

export interface SelectionParts {
  readonly list: CheckList;
  readonly checker: Checker;
  readonly speculations: Speculations;
  readonly consent: Consent;
  readonly outbox: Outbox;
  /** What is relayed is used, and better is looked for. */
  readonly relayedLast: boolean;
}

export class Selection {
  readonly #parts: SelectionParts;
  #state: IceState = 'new';
  #selected: Pair | undefined;
  #lastValidAt: number | undefined;

  constructor(parts: SelectionParts) {
    this.#parts = parts;
  }

  get state(): IceState {
    return this.#state;
  }

  /** Nothing will change any more. */
  get final(): boolean {
    return this.#state === 'failed' || this.#state === 'lost' || this.#state === 'closed';
  }

  get selected(): Pair | undefined {
    return this.#selected;
  }

  /** One is selected, and no other is looked for. */
  get settled(): boolean {
    return this.#selected !== undefined && !(this.#parts.relayedLast && isRelayed(this.#selected));
  }

  /** When a pair last became valid; undefined where none is. */
  get validSince(): number | undefined {
    return this.#parts.list.bestValid() && this.#lastValidAt;
  }

  begin(): void {
    this.#state = 'checking';
  }

  /** §7.2.5.3: a check of this pair was answered. */
  succeed(pair: Pair, from: Endpoint, mapped: Endpoint, rttMs: number | undefined, now: number): void {
    const { list, checker, outbox } = this.#parts;
    pair.state = 'succeeded';
    pair.rttMs = rttMs;
    pair.local = list.localAt(mapped) ?? this.#learnLocal(pair, mapped);
    this.#lastValidAt = now;
    if (this.#state === 'checking') this.#state = 'connected';
    checker.succeeded(pair, now);
    list.unfreezeLike(pair);
    outbox.log({ event: 'answered', socket: pair.socket, from, mapped, rttMs, speculative: pair.speculative });
    outbox.push({ kind: 'valid', pair: viewOf(pair), rttMs });
    if (pair.nominateOnSuccess && list.role === 'controlled') this.select(pair, now);
  }

  /** §7.2.5.3.1: the peer sees us at an address that we did not know. */
  #learnLocal({ base, socket }: Pair, mapped: Endpoint): Candidate {
    const candidate: Candidate = {
      ...base,
      foundation: 'p',
      type: 'prflx',
      priority: peerReflexivePriority(base.priority),
      endpoint: mapped,
      related: base.endpoint.port === 0 ? undefined : base.endpoint,
    };
    this.#parts.outbox.log({ event: 'peer-reflexive', side: 'local', candidate, socket });
    return candidate;
  }

  fail(pair: Pair, why: PairFailure): void {
    const { list, checker, outbox } = this.#parts;
    // A nomination that came to nothing takes the pair off the valid list (§8.1.1); a leftover check of a valid pair says nothing.
    if (pair.state === 'succeeded' && checker.nominating !== pair) return;
    pair.state = 'failed';
    checker.forget(pair);
    if (this.#state === 'connected' && !list.bestValid()) this.#state = 'checking';
    outbox.log({ event: 'pair-failed', socket: pair.socket, remote: pair.remote.endpoint, why });
  }

  /** §8.1.1: both sides have agreed on a pair that works. A worse one than the selected is not taken. */
  select(pair: Pair, now: number): void {
    const { checker, speculations, consent, outbox } = this.#parts;
    pair.nominated = true;
    if (this.#selected && (this.#selected === pair || this.#selected.priority >= pair.priority)) return;
    this.#selected = pair;
    this.#state = 'completed';
    if (this.settled) {
      checker.rest();
      speculations.clear();
    } else checker.goOn();
    consent.obtain(now);
    outbox.push({ kind: 'selected', pair: viewOf(pair) });
  }

  /** The selected pair may not be used any more. */
  lose(pair: Pair): void {
    this.end('lost');
    this.#parts.outbox.push({ kind: 'consent-lost', pair: viewOf(pair) });
  }

  end(state: 'failed' | 'lost' | 'closed'): void {
    const { checker, speculations, consent } = this.#parts;
    this.#state = state;
    checker.stop();
    speculations.clear();
    consent.end();
  }
}

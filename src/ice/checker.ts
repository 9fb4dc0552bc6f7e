/** Which check leaves when: triggered ones, ordinary ones and the nomination, paced and sent again (RFC 8445 §6.1.4, §8.1.1, §14). */
import type { Random } from '../net/env.ts';
import { transactionKey } from '../stun/message.ts';
import type { CheckCause, Nomination, Pacing } from './api.ts';
import type { CheckList } from './checklist.ts';
import type { Identity } from './identity.ts';
import type { Outbox } from './outbox.ts';
import { Gcra } from '../net/rate-limit.ts';
import { isRelayed, type Pair } from './pair.ts';
import { type Check, Checks } from './transactions.ts';

/** Checks that the peer's ones may call forth on a pair that never answers: without an end, two agents that hear but do not understand each other would never rest. */
const MAX_TRIGGERS = 16;

export interface CheckerOptions {
  readonly list: CheckList;
  readonly identity: Identity;
  readonly outbox: Outbox;
  readonly random: Random;
  readonly pacing: Pacing;
  readonly nomination: Nomination;
  /** None that is relayed is nominated before {@link Checker.acceptRelayed}. */
  readonly relayedLast: boolean;
}

export class Checker {
  readonly #list: CheckList;
  readonly #identity: Identity;
  readonly #outbox: Outbox;
  readonly #random: Random;
  readonly #pacing: Pacing;
  readonly #nomination: Nomination;
  /** When the next check may leave (RFC 8445 §14.2). */
  readonly #pace: Gcra;
  #due = Number.NEGATIVE_INFINITY;
  readonly #checks: Checks;
  readonly #triggered: Pair[] = [];
  #nominating: Pair | undefined;
  #firstValidAt: number | undefined;
  /** A pair was chosen: only what the peer asks for is checked. */
  #resting = false;
  #relayedToo: boolean;
  /** Sends in all. */
  sent = 0;

  constructor({ list, identity, outbox, random, pacing, nomination, relayedLast }: CheckerOptions) {
    this.#list = list;
    this.#identity = identity;
    this.#outbox = outbox;
    this.#random = random;
    this.#pacing = pacing;
    this.#nomination = nomination;
    this.#relayedToo = !relayedLast;
    this.#pace = new Gcra(pacing.taMs, pacing.immediate);
    this.#checks = new Checks(pacing);
  }

  /** As controlling agent: the pair that is being nominated. */
  get nominating(): Pair | undefined {
    return this.#nominating;
  }

  find(key: string): Check | undefined {
    return this.#checks.get(key);
  }

  /** An answer came: it is awaited no longer. */
  settle(check: Check): void {
    this.#checks.delete(check.key);
  }

  /** §7.3.1.4: the peer's check says that this pair is worth one of ours now. */
  trigger(pair: Pair, now: number): void {
    if (pair.state === 'succeeded' || pair.triggers >= MAX_TRIGGERS) return;
    const running = pair.state === 'in-progress' ? this.#checks.liveOf(pair) : undefined;
    if (running) {
      if (running.cause === 'triggered' && now - running.firstAt < running.rtoMs) return;
      this.#checks.cancel(running, now);
    }
    pair.triggers++;
    pair.state = 'waiting';
    this.enqueue(pair);
  }

  /** Ahead of all ordinary checks. */
  enqueue(pair: Pair): void {
    if (!this.#triggered.includes(pair)) this.#triggered.push(pair);
  }

  /** The pair has its answer. */
  succeeded(pair: Pair, now: number): void {
    this.#firstValidAt ??= now;
    this.#drop(pair);
  }

  /** The pair failed or is gone. */
  forget(pair: Pair): void {
    if (this.#nominating === pair) this.#nominating = undefined;
    this.#drop(pair);
  }

  #drop(pair: Pair): void {
    this.#checks.dropPair(pair);
    const at = this.#triggered.indexOf(pair);
    if (at >= 0) this.#triggered.splice(at, 1);
  }

  /** The role changed: a nomination under way is off. */
  dropNomination(): void {
    if (this.#nominating) this.#checks.dropPair(this.#nominating);
    this.#nominating = undefined;
  }

  /** Relayed pairs may be nominated. */
  acceptRelayed(): void {
    this.#relayedToo = true;
  }

  /** A pair was chosen, and a better one is welcome. */
  goOn(): void {
    this.#nominating = undefined;
  }

  /** §8.1.2. */
  rest(): void {
    this.#resting = true;
    this.#nominating = undefined;
    this.stop();
    this.#list.rest();
  }

  stop(): void {
    this.#triggered.length = 0;
    this.#checks.clear();
  }

  /** Sends again what is due; returns the pairs whose checks have come to nothing. */
  retransmit(now: number): Pair[] {
    const silent: Pair[] = [];
    for (const { kind, check } of this.#checks.advance(now)) {
      if (kind === 'timeout') silent.push(check.pair);
      else this.#transmit(check);
    }
    return silent;
  }

  /** Sends whatever may leave now. */
  sendDue(now: number): void {
    this.#nominate(now);
    while (this.#identity.peer) {
      const work = this.#nextWork();
      if (!work || this.#pace.readyAt(this.#due) > now) return;
      this.#due = this.#pace.spend(this.#due, now);
      if (work.cause === 'triggered') this.#triggered.shift();
      this.#start(work.pair, work.cause, now);
    }
  }

  /** Nothing is under way, and nothing waits. */
  get idle(): boolean {
    return !this.#nominating && this.#checks.nextAt() === undefined && !this.#nextWork();
  }

  /** The next instant at which there is something to do, maybe past; undefined without one. */
  nextAt(): number | undefined {
    if (!this.#identity.peer) return undefined;
    const best = this.#nominable;
    const next = Math.min(
      this.#checks.nextAt() ?? Number.POSITIVE_INFINITY,
      best ? this.#nominationDue(best) : Number.POSITIVE_INFINITY,
      this.#nextWork() ? this.#pace.readyAt(this.#due) : Number.POSITIVE_INFINITY,
    );
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** §6.1.4.2, and the nomination first. */
  #nextWork(): { readonly pair: Pair; readonly cause: CheckCause } | undefined {
    if (this.#nominating && !this.#checks.liveOf(this.#nominating))
      return { pair: this.#nominating, cause: 'nomination' };
    const [triggered] = this.#triggered;
    if (triggered) return { pair: triggered, cause: 'triggered' };
    const ordinary = this.#resting ? undefined : this.#list.next();
    return ordinary && { pair: ordinary, cause: 'ordinary' };
  }

  /** As controlling agent: what would be nominated now. */
  get #nominable(): Pair | undefined {
    if (this.#list.role !== 'controlling' || this.#resting || this.#nominating) return undefined;
    const best = this.#list.bestValid();
    return best && !best.nominated && (this.#relayedToo || !isRelayed(best)) ? best : undefined;
  }

  /** Regular nomination: the best pair that works, as soon as nothing better is worth waiting for. */
  #nominate(now: number): void {
    const best = this.#nominable;
    if (!best || now < this.#nominationDue(best)) return;
    this.#nominating = best;
    this.#outbox.log({ event: 'nominating', socket: best.socket, to: best.remote.endpoint });
  }

  #nominationDue(best: Pair): number {
    const since = this.#firstValidAt ?? Number.NEGATIVE_INFINITY;
    for (const { state, priority } of this.#list) {
      if (priority <= best.priority || state === 'failed' || state === 'succeeded') continue;
      return since + (isRelayed(best) ? this.#nomination.relayWaitMs : this.#nomination.waitMs);
    }
    return since;
  }

  #start(pair: Pair, cause: CheckCause, now: number): void {
    const { peer } = this.#identity;
    if (!peer) return;
    const { taMs, rtoMs, scaleRto } = this.#pacing;
    const { role } = this.#list;
    if (pair.state !== 'succeeded') pair.state = 'in-progress';
    const transactionId = this.#random.bytes(12);
    const data = this.#identity.check(peer, transactionId, role, pair.base, cause === 'nomination');
    const rto = scaleRto ? Math.max(rtoMs, taMs * this.#list.pending) : rtoMs;
    this.#transmit(
      this.#checks.start(
        { key: transactionKey(transactionId), pair, to: pair.remote.endpoint, data, cause, role, rtoMs: rto },
        now,
      ),
    );
  }

  #transmit({ pair, to, data, cause, sends }: Check): void {
    this.sent++;
    this.#outbox.log({ event: 'check', socket: pair.socket, to, cause, attempt: sends });
    this.#outbox.send(pair.socket, to, data);
  }
}

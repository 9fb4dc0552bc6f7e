/** An ICE agent for one component (RFC 8445, 8838, 7675) as a pure, synchronous machine. */
import { type Endpoint, familyOf } from '../net/address.ts';
import type { Machine } from '../net/machine.ts';
import type { Random } from '../net/env.ts';
import { type Decoded, get, mappedAddress, METHOD, transactionKey, unknownRequired } from '../stun/message.ts';
import {
  BOOK_CONSENT,
  BOOK_PACING,
  type FailureReason,
  type IceAction,
  type IceConfig,
  type IceCounters,
  type IceEvent,
  type IceLog,
  type Limits,
  type Nomination,
  type PairView,
  type Role,
  type SocketId,
} from './api.ts';
import { type Candidate, peerReflexivePriority } from './candidate.ts';
import { Checker } from './checker.ts';
import { CheckList } from './checklist.ts';
import { Freshness } from './consent.ts';
import { Identity } from './identity.ts';
import { claimedRole, encodeAnswer, encodeError, encodeKeepalive, UNDERSTOOD } from './messages.ts';
import { Outbox } from './outbox.ts';
import { type Pair, sameTransport, unknownBase, viewOf } from './pair.ts';
import { Replay } from './replay.ts';
import { type Check, type Speculation, Speculations } from './transactions.ts';

export * from './api.ts';

/** `connected`: there is a valid pair; `completed`: one is selected. The last three are final. */
export type IceState = 'new' | 'checking' | 'connected' | 'completed' | 'failed' | 'lost' | 'closed';

const DEFAULT_NOMINATION: Nomination = { waitMs: 50, relayWaitMs: 500 };
const DEFAULT_LIMITS: Limits = { remoteCandidates: 64, peerReflexive: 32, pairs: 100, speculative: 8192 };
const KEEPALIVE_MS = 15_000;
const PATIENCE_MS = 39_500;
const SPECULATION_MS = 5_000;
/** How long a valid pair may wait for the controlling peer's choice. By the book the peer may first let all its other checks run out. */
const UNNOMINATED_MS = 40_000;
/** Role conflicts that we give in to. */
const MAX_CONFLICTS = 16;
/** Checks of the peer that are remembered against replays. */
const REMEMBERED_REQUESTS = 1024;

export class IceAgent implements Machine<IceEvent, IceAction> {
  readonly #random: Random;
  readonly #identity: Identity;
  readonly #list: CheckList;
  readonly #checker: Checker;
  readonly #speculations: Speculations;
  readonly #freshness: Freshness;
  readonly #replay = new Replay(REMEMBERED_REQUESTS);
  readonly #out = new Outbox();
  readonly #patienceMs: number;
  readonly #anyReturnPath: boolean;
  readonly #counters = { speculative: 0, requests: 0, answers: 0, refused: 0, errors: 0, asymmetric: 0, conflicts: 0 };
  #state: IceState = 'new';
  #localEnd = false;
  #remoteEnd = false;
  #selected: Pair | undefined;
  #lastValidAt: number | undefined;
  #wakeAt: number | undefined;

  /** Throws {@link IceInputError}. */
  constructor(config: IceConfig) {
    const { role, random } = config;
    const limits = { ...DEFAULT_LIMITS, ...config.limits };
    const pacing = { ...BOOK_PACING, ...config.pacing };
    this.#random = random;
    this.#identity = new Identity(config.ufrag, config.pwd, config.tieBreaker, random);
    this.#list = new CheckList(role, limits, pacing.freezing);
    this.#checker = new Checker({
      list: this.#list,
      identity: this.#identity,
      outbox: this.#out,
      random,
      pacing,
      nomination: { ...DEFAULT_NOMINATION, ...config.nomination },
    });
    this.#speculations = new Speculations(limits.speculative, config.speculationMs ?? SPECULATION_MS);
    this.#freshness = new Freshness(config.consent ?? BOOK_CONSENT, config.keepaliveMs ?? KEEPALIVE_MS, random);
    this.#patienceMs = config.patienceMs ?? PATIENCE_MS;
    this.#anyReturnPath = config.anyReturnPath ?? false;
  }

  get state(): IceState {
    return this.#state;
  }

  /** May change in a role conflict. */
  get role(): Role {
    return this.#list.role;
  }

  get selected(): PairView | undefined {
    return this.#selected && viewOf(this.#selected);
  }

  get counters(): IceCounters {
    const { speculative, requests, answers, refused } = this.#counters;
    return { checks: this.#checker.sent, speculative, requests, answers, refused };
  }

  /** All pairs, best first. */
  pairs(): PairView[] {
    return this.#list.sorted().map(viewOf);
  }

  wakeAt(): number | undefined {
    return this.#wakeAt;
  }

  wake(now: number): IceAction[] {
    if (!this.#final) this.#pump(now);
    return this.#out.flush();
  }

  /** Throws {@link IceInputError} for credentials that break the grammar, and for our own ones coming back. */
  handle(event: IceEvent, now: number): IceAction[] {
    if (this.#final) return [];
    // A speculative check changes nothing but its own table: no need to look at everything else.
    if (event.kind === 'speculate') this.#speculate(event, now);
    else {
      this.#take(event, now);
      if (!this.#final) this.#pump(now);
    }
    return this.#out.flush();
  }

  get #final(): boolean {
    return this.#state === 'failed' || this.#state === 'lost' || this.#state === 'closed';
  }

  #take(event: Exclude<IceEvent, { kind: 'speculate' }>, now: number): void {
    switch (event.kind) {
      case 'local-candidate':
        for (const pair of this.#list.addLocal(event.socket, event.candidate)) this.#out.logPair(pair);
        return;
      case 'remote-candidate':
        for (const pair of this.#list.addRemote(event.candidate)) this.#out.logPair(pair);
        return;
      case 'local-end':
        this.#localEnd = true;
        return;
      case 'remote-end':
        this.#remoteEnd = true;
        return;
      case 'remote-credentials':
        return this.#meet(event.ufrag, event.pwd, now);
      case 'datagram':
        return this.#receive(event.socket, event.from, event.message, event.at ?? now, now);
      case 'send-failed':
        return this.#unsendable(event.socket, event.to);
      case 'socket-closed':
        return this.#dropSocket(event.socket);
      case 'close':
        return this.#end('closed');
    }
  }

  #meet(ufrag: string, pwd: string, now: number): void {
    if (this.#identity.peer) return;
    this.#identity.meet(ufrag, pwd, now);
    this.#state = 'checking';
  }

  /* ---- what comes in ---- */

  #receive(socket: SocketId, from: Endpoint, message: Decoded, at: number, now: number): void {
    if (message.method !== METHOD.binding || message.classic) return;
    if (message.class === 'request') this.#onRequest(socket, from, message, now);
    else if (message.class !== 'indication') this.#onAnswer(socket, from, message, at, now);
  }

  /** RFC 8445 §7.3. */
  #onRequest(socket: SocketId, from: Endpoint, request: Decoded, now: number): void {
    if (!this.#identity.isRequestOfPeer(request)) return this.#refuse();
    if (this.#replay.isReplay(transactionKey(request.transactionId), socket, from)) return this.#refuse();
    this.#counters.requests++;
    const { key } = this.#identity;
    const answer = (data: Uint8Array) => this.#out.send(socket, from, data);
    const unknown = unknownRequired(request, UNDERSTOOD);
    if (unknown.length > 0) return answer(encodeError(request, 420, key, unknown));
    const priority = get(request, 'PRIORITY');
    if (priority === undefined) return answer(encodeError(request, 400, key));
    if (this.#losesTo(request)) return answer(encodeError(request, 487, key));
    answer(encodeAnswer(request, from, key));
    this.#react(socket, from, priority, get(request, 'USE-CANDIDATE') === true, now);
  }

  /** §7.3.1.1. Whether the peer, not we, has to change its role; otherwise we do where the two are the same. */
  #losesTo(request: Decoded): boolean {
    const claimed = claimedRole(request);
    if (claimed?.role !== this.role) return false;
    const weAreStronger = this.#identity.tieBreaker >= claimed.tieBreaker;
    if (weAreStronger === (this.role === 'controlling')) return true;
    this.#switchRole();
    return false;
  }

  /** §7.3.1.3 to §7.3.1.5: the peer's check shows a path, and asks for ours. */
  #react(socket: SocketId, from: Endpoint, priority: number, useCandidate: boolean, now: number): void {
    const nominates = useCandidate && this.role === 'controlled';
    // Once a pair is chosen, only the peer's choice of another one matters.
    if (this.#selected && !nominates) return;
    const found = this.#list.ensure(socket, from, priority);
    if (!found) return;
    const { pair, learnt } = found;
    if (learnt) this.#out.log({ event: 'peer-reflexive', side: 'remote', candidate: pair.remote, socket });
    if (found.fresh) this.#out.logPair(pair);
    if (!pair.heard || (nominates && !pair.nominated && !pair.nominateOnSuccess))
      this.#out.log({ event: 'checked', socket, from, useCandidate });
    pair.heard = true;
    if (nominates) {
      if (pair.state === 'succeeded') return this.#select(pair, now);
      pair.nominateOnSuccess = true;
    }
    this.#checker.trigger(pair, now);
  }

  /** §7.2.5. */
  #onAnswer(socket: SocketId, from: Endpoint, answer: Decoded, at: number, now: number): void {
    const key = transactionKey(answer.transactionId);
    const check = this.#checker.find(key);
    const consentSentAt = this.#freshness.sentAt(key);
    const asked = check !== undefined || consentSentAt !== undefined || this.#speculations.has(key);
    // The seal first: a forged answer must not use up the transaction.
    if (!asked || !this.#identity.isAnswerOfPeer(answer)) return this.#refuse();
    this.#counters.answers++;
    if (check) return this.#onCheckAnswer(check, socket, from, answer, at, now);
    if (consentSentAt !== undefined) return this.#onConsentAnswer(consentSentAt, socket, from, answer, at, now);
    const speculation = this.#speculations.take(key, now);
    if (speculation) this.#onSpeculationAnswer(speculation, socket, from, answer, at, now);
  }

  #onCheckAnswer(check: Check, socket: SocketId, from: Endpoint, answer: Decoded, at: number, now: number): void {
    const { pair } = check;
    this.#checker.settle(check);
    if (!this.#isSymmetric(pair.socket, check.to, socket, from)) return this.#fail(pair, 'asymmetric');
    if (isRoleConflict(answer)) return this.#onRoleConflict(check);
    const mapped = this.#mappedIn(answer);
    if (!mapped) {
      this.#counters.errors++;
      return this.#fail(pair, 'error');
    }
    const rttMs = check.sends === 1 ? at - check.firstAt : undefined;
    if (check.cause === 'nomination') {
      if (this.#checker.nominating === pair) this.#select(pair, now);
      return;
    }
    if (pair.state !== 'succeeded') this.#succeed(pair, from, mapped, rttMs, now);
  }

  #onRoleConflict({ pair, role }: Check): void {
    if (!this.#givesIn(role)) return this.#fail(pair, 'error');
    pair.heard = true;
    // A pair that works is checked again too, or two agents might both rest in the same role.
    if (pair.state !== 'succeeded') pair.state = 'waiting';
    this.#checker.enqueue(pair);
  }

  /** §7.2.5.1: our check claimed this role, and the peer insists on it. False when that has happened too often. */
  #givesIn(claimed: Role): boolean {
    if (++this.#counters.conflicts > MAX_CONFLICTS) {
      this.#counters.errors++;
      return false;
    }
    if (claimed === this.role) {
      this.#switchRole();
      // §16.1: otherwise two agents with equal numbers would switch together for ever.
      this.#identity.renewTieBreaker();
    }
    return true;
  }

  #onSpeculationAnswer(
    { socket: asked, to, role, at: sentAt }: Speculation,
    socket: SocketId,
    from: Endpoint,
    answer: Decoded,
    at: number,
    now: number,
  ): void {
    if (!this.#isSymmetric(asked, to, socket, from)) return;
    if (isRoleConflict(answer) && this.#givesIn(role)) return this.#speculate({ socket: asked, to }, now);
    const mapped = this.#mappedIn(answer);
    if (!mapped || this.#selected) return;
    const found = this.#list.ensure(asked, to, peerReflexivePriority(unknownBase(familyOf(to.address)).priority));
    if (!found || found.pair.state === 'succeeded') return;
    const { pair, learnt } = found;
    if (found.fresh) {
      pair.speculative = true;
      this.#out.logPair(pair);
    }
    if (learnt) this.#out.log({ event: 'peer-reflexive', side: 'remote', candidate: pair.remote, socket: asked });
    this.#succeed(pair, from, mapped, at - sentAt, now);
  }

  #onConsentAnswer(sentAt: number, socket: SocketId, from: Endpoint, answer: Decoded, at: number, now: number): void {
    const pair = this.#selected;
    if (!pair || answer.class !== 'success' || !this.#isSymmetric(pair.socket, pair.remote.endpoint, socket, from))
      return;
    pair.rttMs = at - sentAt;
    this.#freshness.renew(now);
  }

  /** §7.2.5.2.1. */
  #isSymmetric(asked: SocketId, to: Endpoint, socket: SocketId, from: Endpoint): boolean {
    if (socket === asked && sameTransport(from, to)) return true;
    this.#counters.asymmetric++;
    this.#out.log({ event: 'asymmetric', socket: asked, to, from, accepted: this.#anyReturnPath });
    return this.#anyReturnPath;
  }

  /** Our address as the peer saw it; undefined where the answer is no success that we understand. */
  #mappedIn(answer: Decoded): Endpoint | undefined {
    return answer.class === 'success' && unknownRequired(answer, UNDERSTOOD).length === 0
      ? mappedAddress(answer)
      : undefined;
  }

  /* ---- what becomes of pairs ---- */

  /** §7.2.5.3. */
  #succeed(pair: Pair, from: Endpoint, mapped: Endpoint, rttMs: number | undefined, now: number): void {
    pair.state = 'succeeded';
    pair.rttMs = rttMs;
    pair.local = this.#list.localAt(mapped) ?? this.#learnLocal(pair, mapped);
    this.#lastValidAt = now;
    if (this.#state === 'checking') this.#state = 'connected';
    this.#checker.succeeded(pair, now);
    this.#list.unfreezeLike(pair);
    this.#out.log({ event: 'answered', socket: pair.socket, from, mapped, rttMs, speculative: pair.speculative });
    this.#out.push({ kind: 'valid', pair: viewOf(pair), rttMs });
    if (pair.nominateOnSuccess && this.role === 'controlled') this.#select(pair, now);
  }

  /** §7.2.5.3.1: the peer sees us at an address that we did not know. */
  #learnLocal(pair: Pair, mapped: Endpoint): Candidate {
    const { base, socket } = pair;
    const candidate: Candidate = {
      ...base,
      foundation: 'p',
      type: 'prflx',
      priority: peerReflexivePriority(base.priority),
      endpoint: mapped,
      related: base.endpoint.port === 0 ? undefined : base.endpoint,
    };
    this.#out.log({ event: 'peer-reflexive', side: 'local', candidate, socket });
    return candidate;
  }

  #fail(pair: Pair, why: Extract<IceLog, { event: 'pair-failed' }>['why']): void {
    if (pair === this.#selected) return;
    // A nomination that came to nothing takes the pair off the valid list (§8.1.1); a leftover check of a valid pair says nothing.
    if (pair.state === 'succeeded' && this.#checker.nominating !== pair) return;
    pair.state = 'failed';
    this.#checker.forget(pair);
    if (this.#state === 'connected' && !this.#list.bestValid()) this.#state = 'checking';
    this.#out.log({ event: 'pair-failed', socket: pair.socket, remote: pair.remote.endpoint, why });
  }

  #select(pair: Pair, now: number): void {
    pair.nominated = true;
    if (this.#selected && (this.#selected === pair || this.#selected.priority >= pair.priority)) return;
    this.#selected = pair;
    this.#state = 'completed';
    this.#checker.rest();
    this.#speculations.clear();
    this.#freshness.start(now);
    this.#out.push({ kind: 'selected', pair: viewOf(pair) });
  }

  #unsendable(socket: SocketId, to: Endpoint): void {
    const pair = this.#list.find(socket, to);
    if (pair && pair.state !== 'failed') this.#fail(pair, 'unsendable');
  }

  #dropSocket(socket: SocketId): void {
    this.#speculations.dropSocket(socket);
    for (const pair of this.#list.removeSocket(socket)) {
      this.#checker.forget(pair);
      if (this.#selected === pair) return this.#lose(pair);
    }
  }

  #switchRole(): void {
    this.#list.setRole(this.role === 'controlling' ? 'controlled' : 'controlling');
    this.#checker.dropNomination();
    for (const pair of this.#list) pair.nominateOnSuccess = false;
    this.#out.log({ event: 'role', role: this.role });
  }

  /* ---- what time brings ---- */

  #pump(now: number): void {
    this.#keepFresh(now);
    if (this.#final) return;
    for (const pair of this.#checker.retransmit(now)) this.#fail(pair, 'timeout');
    this.#checker.run(now);
    this.#judge(now);
    this.#wakeAt = this.#final ? undefined : this.#next(now);
  }

  #keepFresh(now: number): void {
    const pair = this.#selected;
    const { peer } = this.#identity;
    const due = pair && this.#freshness.due(now);
    if (!pair || !peer || !due) return;
    if (due === 'expired') return this.#lose(pair);
    if (due === 'keepalive') return this.#out.send(pair.socket, pair.remote.endpoint, encodeKeepalive(this.#random));
    const transactionId = this.#random.bytes(12);
    this.#freshness.sent(transactionKey(transactionId), now);
    this.#out.send(
      pair.socket,
      pair.remote.endpoint,
      this.#identity.check(peer, transactionId, this.role, pair.base, false),
    );
  }

  #speculate({ socket, to, ttl }: Omit<Extract<IceEvent, { kind: 'speculate' }>, 'kind'>, now: number): void {
    const { peer } = this.#identity;
    if (!peer || this.#selected) return;
    const transactionId = this.#random.bytes(12);
    this.#speculations.add(transactionKey(transactionId), { socket, to, role: this.role, at: now });
    this.#counters.speculative++;
    this.#out.send(
      socket,
      to,
      this.#identity.check(peer, transactionId, this.role, unknownBase(familyOf(to.address)), false),
      ttl,
    );
    // The verdict has to wait for the answer.
    if (this.#wakeAt === undefined) this.#wakeAt = this.#next(now);
  }

  /** §8.1.2 and RFC 8863: nothing is left to try, and the time to listen is over. */
  #judge(now: number): void {
    const at = this.#verdictAt();
    if (at === undefined || now < at) return;
    const reason = this.#reason();
    this.#end('failed');
    this.#out.push({ kind: 'failed', reason });
  }

  /** When the verdict will be that it failed, if nothing more happens; undefined while there is work left. */
  #verdictAt(): number | undefined {
    const { peer } = this.#identity;
    if (!peer || this.#selected || !this.#localEnd || !this.#remoteEnd || !this.#checker.idle) return undefined;
    const patience = peer.since + this.#patienceMs;
    // A path that works may be used before it is selected; the peer takes its time to choose.
    if (this.#lastValidAt !== undefined && this.#list.bestValid())
      return Math.max(patience, this.#lastValidAt + UNNOMINATED_MS);
    return Math.max(patience, this.#speculations.endsAt);
  }

  #reason(): FailureReason {
    if (this.#list.bestValid()) return 'not-nominated';
    if (this.#counters.asymmetric > 0 && !this.#anyReturnPath) return 'asymmetric-path';
    if (this.#counters.errors > 0) return 'rejected';
    if (this.#counters.requests > 0) return 'only-inbound';
    return this.#list.size === 0 && this.#counters.speculative === 0 ? 'no-pairs' : 'no-answer';
  }

  #next(now: number): number | undefined {
    const deadlines = [this.#checker.nextAt(), this.#verdictAt(), this.#selected && this.#freshness.nextAt()];
    const next = Math.min(...deadlines.map((at) => at ?? Number.POSITIVE_INFINITY));
    return next === Number.POSITIVE_INFINITY ? undefined : Math.max(next, now);
  }

  #lose(pair: Pair): void {
    this.#end('lost');
    this.#out.push({ kind: 'consent-lost', pair: viewOf(pair) });
  }

  #end(state: 'failed' | 'lost' | 'closed'): void {
    this.#state = state;
    this.#wakeAt = undefined;
    this.#checker.stop();
    this.#speculations.clear();
    this.#freshness.stop();
  }

  #refuse(): void {
    this.#counters.refused++;
  }
}

const isRoleConflict = (answer: Decoded): boolean =>
  answer.class === 'error' && get(answer, 'ERROR-CODE')?.code === 487;

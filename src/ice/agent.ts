/** An ICE agent for one component (RFC 8445, 8838, 7675) as a pure, synchronous machine. */
import { type Endpoint, familyOf } from '../net/address.ts';
import type { Machine } from '../net/machine.ts';
import type { Random } from '../net/ports.ts';
import { shortTermKey } from '../stun/credentials.ts';
import { type Decoded, get, mappedAddress, METHOD, transactionKey, unknownRequired } from '../stun/message.ts';
import {
  BOOK_CONSENT, BOOK_PACING, type CheckCause, type FailureReason, type IceAction, type IceConfig, type IceCounters, type IceEvent, type IceLog,
  type Limits, type Nomination, type Pacing, type PairView, type Role, type SocketId,
} from './api.ts';
import { type Candidate, peerReflexivePriority } from './candidate.ts';
import { CheckList } from './checklist.ts';
import { IceInputError, isPwd, isUfrag } from './credentials.ts';
import { Freshness } from './freshness.ts';
import { claimedRole, encodeAnswer, encodeCheck, encodeError, encodeKeepalive, isAuthenticRequest, isSealed, UNDERSTOOD } from './messages.ts';
import { Pace } from './pace.ts';
import { type Pair, sameTransport, unknownBase, viewOf } from './pair.ts';
import { Replay } from './replay.ts';
import { type Check, Checks, type Speculation, Speculations } from './transactions.ts';

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
/** Checks that the peer's ones may call forth on a pair that never answers: without an end, two agents that hear but do not understand each other would never rest. */
const MAX_TRIGGERS = 16;
/** Role conflicts that we give in to. */
const MAX_CONFLICTS = 16;
/** Checks of the peer that are remembered against replays. */
const REMEMBERED_REQUESTS = 1024;

/** The peer's side of the credentials, ready for use. */
interface Peer {
  readonly username: string;
  readonly key: Uint8Array;
  readonly since: number;
}

export class IceAgent implements Machine<IceEvent, IceAction> {
  readonly #random: Random;
  readonly #ufrag: string;
  readonly #pwd: string;
  readonly #key: Uint8Array;
  readonly #pacing: Pacing;
  readonly #nomination: Nomination;
  readonly #patienceMs: number;
  readonly #anyReturnPath: boolean;
  readonly #list: CheckList;
  readonly #pace: Pace;
  readonly #checks: Checks;
  readonly #speculations: Speculations;
  readonly #freshness: Freshness;
  readonly #replay = new Replay(REMEMBERED_REQUESTS);
  readonly #counters: IceCounters = { checks: 0, speculative: 0, requests: 0, answers: 0, refused: 0 };
  readonly #triggered: Pair[] = [];
  #tieBreaker: bigint;
  #state: IceState = 'new';
  #peer: Peer | undefined;
  #localEnd = false;
  #remoteEnd = false;
  #selected: Pair | undefined;
  /** As controlling agent: the pair that is being nominated. */
  #nominating: Pair | undefined;
  #firstValidAt: number | undefined;
  #lastValidAt: number | undefined;
  #errors = 0;
  #conflicts = 0;
  #asymmetric = 0;
  #wakeAt: number | undefined;
  #out: IceAction[] = [];

  /** Throws {@link IceInputError}. */
  constructor(config: IceConfig) {
    requireCredentials(config.ufrag, config.pwd);
    const { random, tieBreaker } = config;
    if (tieBreaker !== undefined && BigInt.asUintN(64, tieBreaker) !== tieBreaker) throw new IceInputError('tie-breaker', 'a tie-breaker is a number of 64 bits');
    const limits = { ...DEFAULT_LIMITS, ...config.limits };
    this.#random = random;
    this.#ufrag = config.ufrag;
    this.#pwd = config.pwd;
    this.#key = shortTermKey(config.pwd);
    this.#tieBreaker = tieBreaker ?? this.#newTieBreaker();
    this.#pacing = { ...BOOK_PACING, ...config.pacing };
    this.#nomination = { ...DEFAULT_NOMINATION, ...config.nomination };
    this.#patienceMs = config.patienceMs ?? PATIENCE_MS;
    this.#anyReturnPath = config.anyReturnPath ?? false;
    this.#list = new CheckList(config.role, limits, this.#pacing.freezing);
    this.#pace = new Pace(this.#pacing.taMs, this.#pacing.immediate);
    this.#checks = new Checks(this.#pacing);
    this.#speculations = new Speculations(limits.speculative, config.speculationMs ?? SPECULATION_MS);
    this.#freshness = new Freshness(config.consent ?? BOOK_CONSENT, config.keepaliveMs ?? KEEPALIVE_MS, random);
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

  get counters(): Readonly<IceCounters> {
    return this.#counters;
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
    return this.#flush();
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
    return this.#flush();
  }

  get #final(): boolean {
    return this.#state === 'failed' || this.#state === 'lost' || this.#state === 'closed';
  }

  #take(event: Exclude<IceEvent, { kind: 'speculate' }>, now: number): void {
    switch (event.kind) {
      case 'local-candidate':
        return this.#logPairs(this.#list.addLocal(event.socket, event.candidate));
      case 'remote-candidate':
        return this.#logPairs(this.#list.addRemote(event.candidate));
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
    if (this.#peer) return;
    requireCredentials(ufrag, pwd);
    if (pwd === this.#pwd) throw new IceInputError('reflected', "the peer's password is our own");
    this.#peer = { username: `${ufrag}:${this.#ufrag}`, key: shortTermKey(pwd), since: now };
    if (this.#state === 'new') this.#state = 'checking';
  }

  /* ---- what comes in ---- */

  #receive(socket: SocketId, from: Endpoint, message: Decoded, at: number, now: number): void {
    if (message.method !== METHOD.binding || message.classic) return;
    if (message.class === 'request') this.#onRequest(socket, from, message, now);
    else if (message.class !== 'indication') this.#onAnswer(socket, from, message, at, now);
  }

  /** RFC 8445 §7.3. */
  #onRequest(socket: SocketId, from: Endpoint, request: Decoded, now: number): void {
    if (!isAuthenticRequest(request, this.#ufrag, this.#key)) return this.#refuse();
    if (this.#replay.isReplay(transactionKey(request.transactionId), socket, from)) return this.#refuse();
    this.#counters.requests++;
    const answer = (data: Uint8Array) => this.#send(socket, from, data);
    const unknown = unknownRequired(request, UNDERSTOOD);
    if (unknown.length > 0) return answer(encodeError(request, 420, this.#key, unknown));
    const priority = get(request, 'PRIORITY');
    if (priority === undefined) return answer(encodeError(request, 400, this.#key));
    if (this.#losesTo(request)) return answer(encodeError(request, 487, this.#key));
    answer(encodeAnswer(request, from, this.#key));
    this.#react(socket, from, priority, get(request, 'USE-CANDIDATE') === true, now);
  }

  /** §7.3.1.1. Whether the peer, not we, has to change its role; otherwise we do where the two are the same. */
  #losesTo(request: Decoded): boolean {
    const claimed = claimedRole(request);
    if (claimed?.role !== this.role) return false;
    const weAreStronger = this.#tieBreaker >= claimed.tieBreaker;
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
    if (learnt) this.#log({ event: 'peer-reflexive', side: 'remote', candidate: pair.remote, socket });
    if (found.fresh) this.#logPairs([pair]);
    if (!pair.heard || (nominates && !pair.nominated && !pair.nominateOnSuccess)) this.#log({ event: 'checked', socket, from, useCandidate });
    pair.heard = true;
    if (nominates) {
      if (pair.state === 'succeeded') return this.#select(pair, now);
      pair.nominateOnSuccess = true;
    }
    this.#trigger(pair, now);
  }

  /** §7.3.1.4. */
  #trigger(pair: Pair, now: number): void {
    if (pair.state === 'succeeded' || pair.triggers >= MAX_TRIGGERS) return;
    const running = pair.state === 'in-progress' ? this.#checks.liveOf(pair) : undefined;
    if (running) {
      if (running.cause === 'triggered' && now - running.firstAt < running.rtoMs) return;
      this.#checks.cancel(running, now);
    }
    pair.triggers++;
    pair.state = 'waiting';
    this.#queue(pair);
  }

  #queue(pair: Pair): void {
    if (!this.#triggered.includes(pair)) this.#triggered.push(pair);
  }

  /** §7.2.5. */
  #onAnswer(socket: SocketId, from: Endpoint, answer: Decoded, at: number, now: number): void {
    const key = transactionKey(answer.transactionId);
    const check = this.#checks.get(key);
    const consentSentAt = this.#freshness.sentAt(key);
    const peer = this.#peer;
    // Integrity first: a forged answer must not use up the transaction.
    if (!peer || (!check && consentSentAt === undefined && !this.#speculations.has(key)) || !isSealed(answer, peer.key)) return this.#refuse();
    this.#counters.answers++;
    if (check) return this.#onCheckAnswer(check, socket, from, answer, at, now);
    if (consentSentAt !== undefined) return this.#onConsentAnswer(consentSentAt, socket, from, answer, at, now);
    const speculation = this.#speculations.take(key, now);
    if (speculation) this.#onSpeculationAnswer(speculation, socket, from, answer, at, now);
  }

  #onCheckAnswer(check: Check, socket: SocketId, from: Endpoint, answer: Decoded, at: number, now: number): void {
    const { pair } = check;
    this.#checks.delete(check.key);
    if (!this.#isSymmetric(pair.socket, check.to, socket, from)) return this.#fail(pair, 'asymmetric');
    if (answer.class === 'error' && get(answer, 'ERROR-CODE')?.code === 487) return this.#onRoleConflict(check);
    const mapped = this.#mappedIn(answer);
    if (!mapped) {
      this.#errors++;
      return this.#fail(pair, 'error');
    }
    const rttMs = check.sends === 1 ? at - check.firstAt : undefined;
    if (check.cause === 'nomination') {
      if (this.#nominating === pair) this.#select(pair, now);
      return;
    }
    if (pair.state === 'succeeded') return;
    this.#checks.dropPair(pair);
    this.#succeed(pair, from, mapped, rttMs, now);
  }

  /** §7.2.5.1. A pair that works is checked again too, or two agents might both rest in the same role. */
  #onRoleConflict(check: Check): void {
    if (++this.#conflicts > MAX_CONFLICTS) {
      this.#errors++;
      return this.#fail(check.pair, 'error');
    }
    if (check.role === this.role) {
      this.#switchRole();
      // §16.1: otherwise two agents with equal numbers would switch together for ever.
      this.#tieBreaker = this.#newTieBreaker();
    }
    if (check.pair.state !== 'succeeded') check.pair.state = 'waiting';
    this.#queue(check.pair);
  }

  #onSpeculationAnswer({ socket: asked, to, at: sentAt }: Speculation, socket: SocketId, from: Endpoint, answer: Decoded, at: number, now: number): void {
    if (!this.#isSymmetric(asked, to, socket, from)) return;
    const mapped = this.#mappedIn(answer);
    if (!mapped || this.#selected) return;
    const found = this.#list.ensure(asked, to, peerReflexivePriority(unknownBase(familyOf(to.address)).priority));
    if (!found || found.pair.state === 'succeeded') return;
    const { pair, learnt } = found;
    if (found.fresh) {
      pair.speculative = true;
      this.#logPairs([pair]);
    }
    if (learnt) this.#log({ event: 'peer-reflexive', side: 'remote', candidate: pair.remote, socket: asked });
    this.#checks.dropPair(pair);
    this.#succeed(pair, from, mapped, at - sentAt, now);
  }

  #onConsentAnswer(sentAt: number, socket: SocketId, from: Endpoint, answer: Decoded, at: number, now: number): void {
    const pair = this.#selected;
    if (!pair || answer.class !== 'success' || !this.#isSymmetric(pair.socket, pair.remote.endpoint, socket, from)) return;
    pair.rttMs = at - sentAt;
    this.#freshness.renew(now);
  }

  /** §7.2.5.2.1. */
  #isSymmetric(asked: SocketId, to: Endpoint, socket: SocketId, from: Endpoint): boolean {
    if (socket === asked && sameTransport(from, to)) return true;
    this.#asymmetric++;
    this.#log({ event: 'asymmetric', socket: asked, to, from, accepted: this.#anyReturnPath });
    return this.#anyReturnPath;
  }

  /** Our address as the peer saw it; undefined where the answer is no success that we understand. */
  #mappedIn(answer: Decoded): Endpoint | undefined {
    return answer.class === 'success' && unknownRequired(answer, UNDERSTOOD).length === 0 ? mappedAddress(answer) : undefined;
  }

  /* ---- what becomes of pairs ---- */

  /** §7.2.5.3. */
  #succeed(pair: Pair, from: Endpoint, mapped: Endpoint, rttMs: number | undefined, now: number): void {
    pair.state = 'succeeded';
    pair.rttMs = rttMs;
    pair.local = this.#list.localAt(mapped) ?? this.#learnLocal(pair, mapped);
    this.#firstValidAt ??= now;
    this.#lastValidAt = now;
    if (this.#state === 'checking') this.#state = 'connected';
    this.#unqueue(pair);
    this.#list.unfreezeLike(pair);
    this.#log({ event: 'answered', socket: pair.socket, from, mapped, rttMs, speculative: pair.speculative });
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
    this.#log({ event: 'peer-reflexive', side: 'local', candidate, socket });
    return candidate;
  }

  #fail(pair: Pair, why: Extract<IceLog, { event: 'pair-failed' }>['why']): void {
    if (pair === this.#selected) return;
    // A nomination that came to nothing takes the pair off the valid list (§8.1.1); a leftover check of a valid pair says nothing.
    if (pair.state === 'succeeded' && this.#nominating !== pair) return;
    if (this.#nominating === pair) this.#nominating = undefined;
    pair.state = 'failed';
    this.#checks.dropPair(pair);
    this.#unqueue(pair);
    if (this.#state === 'connected' && !this.#bestValid()) this.#state = 'checking';
    this.#log({ event: 'pair-failed', socket: pair.socket, remote: pair.remote.endpoint, why });
  }

  #select(pair: Pair, now: number): void {
    pair.nominated = true;
    this.#nominating = undefined;
    if (this.#selected && (this.#selected === pair || this.#selected.priority >= pair.priority)) return;
    this.#selected = pair;
    this.#state = 'completed';
    this.#triggered.length = 0;
    this.#checks.clear();
    this.#speculations.clear();
    this.#list.rest();
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
      this.#checks.dropPair(pair);
      this.#unqueue(pair);
      if (this.#nominating === pair) this.#nominating = undefined;
      if (this.#selected === pair) return this.#lose(pair);
    }
  }

  #unqueue(pair: Pair): void {
    const at = this.#triggered.indexOf(pair);
    if (at >= 0) this.#triggered.splice(at, 1);
  }

  #switchRole(): void {
    this.#list.setRole(this.role === 'controlling' ? 'controlled' : 'controlling');
    if (this.#nominating) this.#checks.dropPair(this.#nominating);
    this.#nominating = undefined;
    for (const pair of this.#list) pair.nominateOnSuccess = false;
    this.#log({ event: 'role', role: this.role });
  }

  /* ---- what time brings ---- */

  #pump(now: number): void {
    this.#keepFresh(now);
    if (this.#final) return;
    this.#retransmit(now);
    this.#nominate(now);
    this.#check(now);
    this.#judge(now);
    this.#wakeAt = this.#final ? undefined : this.#next(now);
  }

  #keepFresh(now: number): void {
    const pair = this.#selected;
    const due = pair && this.#freshness.due(now);
    if (!pair || !due) return;
    if (due === 'expired') return this.#lose(pair);
    if (due === 'keepalive') return this.#send(pair.socket, pair.remote.endpoint, encodeKeepalive(this.#random));
    const transactionId = this.#random.bytes(12);
    this.#freshness.sent(transactionKey(transactionId), now);
    this.#send(pair.socket, pair.remote.endpoint, this.#request(transactionId, pair.base, false));
  }

  #retransmit(now: number): void {
    for (const { kind, check } of this.#checks.advance(now)) {
      if (kind === 'timeout') this.#fail(check.pair, 'timeout');
      else this.#transmit(check);
    }
  }

  /** §8.1.1, regular nomination: the best pair that works, as soon as nothing better is worth waiting for. */
  #nominate(now: number): void {
    if (this.role !== 'controlling' || this.#selected || this.#nominating || !this.#peer) return;
    const best = this.#bestValid();
    if (!best || now < this.#nominationDue(best)) return;
    this.#nominating = best;
    this.#log({ event: 'nominating', socket: best.socket, to: best.remote.endpoint });
  }

  #nominationDue(best: Pair): number {
    const since = this.#firstValidAt ?? Number.NEGATIVE_INFINITY;
    for (const { state, priority } of this.#list) {
      if (priority <= best.priority || state === 'failed' || state === 'succeeded') continue;
      const relayed = best.remote.type === 'relay' || best.base.type === 'relay';
      return since + (relayed ? this.#nomination.relayWaitMs : this.#nomination.waitMs);
    }
    return since;
  }

  #bestValid(): Pair | undefined {
    let best: Pair | undefined;
    for (const pair of this.#list) if (pair.state === 'succeeded' && (!best || pair.priority > best.priority)) best = pair;
    return best;
  }

  /** §6.1.4.2: the nomination, triggered checks, ordinary ones. */
  #check(now: number): void {
    if (!this.#peer) return;
    for (;;) {
      const nomination = this.#nominating && !this.#checks.liveOf(this.#nominating) ? this.#nominating : undefined;
      const triggered = nomination ? undefined : this.#triggered[0];
      const pair = nomination ?? triggered ?? (this.#selected ? undefined : this.#list.next());
      if (!pair || !this.#pace.take(now)) return;
      if (triggered) this.#triggered.shift();
      this.#start(pair, nomination ? 'nomination' : triggered ? 'triggered' : 'ordinary', now);
    }
  }

  #start(pair: Pair, cause: CheckCause, now: number): void {
    const { taMs, rtoMs, scaleRto } = this.#pacing;
    if (pair.state !== 'succeeded') pair.state = 'in-progress';
    const transactionId = this.#random.bytes(12);
    const check = this.#checks.start(
      {
        key: transactionKey(transactionId),
        pair,
        to: pair.remote.endpoint,
        data: this.#request(transactionId, pair.base, cause === 'nomination'),
        cause,
        role: this.role,
        rtoMs: scaleRto ? Math.max(rtoMs, taMs * this.#list.pending) : rtoMs,
      },
      now,
    );
    this.#transmit(check);
  }

  #transmit({ pair, to, data, cause, sends }: Check): void {
    this.#counters.checks++;
    this.#log({ event: 'check', socket: pair.socket, to, cause, attempt: sends });
    this.#send(pair.socket, to, data);
  }

  #speculate({ socket, to, ttl }: Extract<IceEvent, { kind: 'speculate' }>, now: number): void {
    if (!this.#peer || this.#selected) return;
    const transactionId = this.#random.bytes(12);
    this.#speculations.add(transactionKey(transactionId), { socket, to, at: now });
    this.#counters.speculative++;
    this.#send(socket, to, this.#request(transactionId, unknownBase(familyOf(to.address)), false), ttl);
    // The verdict has to wait for the answer.
    if (this.#wakeAt === undefined) this.#wakeAt = this.#next(now);
  }

  #request(transactionId: Uint8Array, base: Candidate, useCandidate: boolean): Uint8Array {
    const peer = this.#peer as Peer;
    return encodeCheck({
      transactionId, username: peer.username, key: peer.key, role: this.role, tieBreaker: this.#tieBreaker,
      priority: peerReflexivePriority(base.priority), useCandidate,
    });
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
    if (!this.#peer || this.#selected || !this.#localEnd || !this.#remoteEnd || this.#nominating) return undefined;
    if (this.#triggered.length > 0 || this.#checks.nextAt() !== undefined || this.#list.next()) return undefined;
    const patience = this.#peer.since + this.#patienceMs;
    // A path that works may be used before it is selected; the peer takes its time to choose.
    if (this.#lastValidAt !== undefined && this.#bestValid()) return Math.max(patience, this.#lastValidAt + UNNOMINATED_MS);
    return Math.max(patience, this.#speculations.endsAt);
  }

  #reason(): FailureReason {
    if (this.#bestValid()) return 'not-nominated';
    if (this.#asymmetric > 0 && !this.#anyReturnPath) return 'asymmetric-path';
    if (this.#errors > 0) return 'rejected';
    if (this.#counters.requests > 0) return 'only-inbound';
    return this.#list.size === 0 && this.#counters.speculative === 0 ? 'no-pairs' : 'no-answer';
  }

  #next(now: number): number | undefined {
    const deadlines = [this.#checks.nextAt(), this.#verdictAt()];
    if (this.#selected) deadlines.push(this.#freshness.nextAt());
    if (this.#peer && !this.#selected) {
      const best = this.role === 'controlling' && !this.#nominating ? this.#bestValid() : undefined;
      if (best) deadlines.push(this.#nominationDue(best));
    }
    const waiting = this.#triggered.length > 0 || (this.#nominating && !this.#checks.liveOf(this.#nominating)) || (!this.#selected && this.#list.next());
    if (this.#peer && waiting) deadlines.push(this.#pace.readyAt());
    const next = Math.min(...deadlines.map((at) => at ?? Number.POSITIVE_INFINITY));
    return next === Number.POSITIVE_INFINITY ? undefined : Math.max(next, now);
  }

  /* ---- what goes out ---- */

  #lose(pair: Pair): void {
    this.#end('lost');
    this.#out.push({ kind: 'consent-lost', pair: viewOf(pair) });
  }

  #end(state: 'failed' | 'lost' | 'closed'): void {
    this.#state = state;
    this.#wakeAt = undefined;
    this.#triggered.length = 0;
    this.#checks.clear();
    this.#speculations.clear();
    this.#freshness.stop();
  }

  #send(socket: SocketId, to: Endpoint, data: Uint8Array, ttl?: number): void {
    this.#out.push(ttl === undefined ? { kind: 'send', socket, to, data } : { kind: 'send', socket, to, data, ttl });
  }

  #log(entry: IceLog): void {
    this.#out.push({ kind: 'log', entry });
  }

  #logPairs(pairs: readonly Pair[]): void {
    for (const { socket, remote, priority } of pairs) this.#log({ event: 'pair', socket, remote, priority });
  }

  #refuse(): void {
    this.#counters.refused++;
  }

  #flush(): IceAction[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #newTieBreaker(): bigint {
    return new DataView(this.#random.bytes(8).buffer).getBigUint64(0);
  }
}

function requireCredentials(ufrag: string, pwd: string): void {
  if (!isUfrag(ufrag)) throw new IceInputError('ufrag', 'a ufrag has 4 to 256 letters, digits, "+" and "/"');
  if (!isPwd(pwd)) throw new IceInputError('pwd', 'an ICE password has 22 to 256 letters, digits, "+" and "/"');
}

/** An ICE agent for one component (RFC 8445, 8838, 7675) as a pure, synchronous machine: its events, its deadlines. */
import type { Endpoint } from '../net/address.ts';
import type { Random } from '../net/env.ts';
import type { Machine } from '../net/machine.ts';
import { type Decoded, METHOD, transactionKey } from '../stun/message.ts';
import { Answers } from './answers.ts';
import {
  BOOK_CONSENT,
  BOOK_PACING,
  type FailureReason,
  type IceAction,
  type IceConfig,
  type IceCounters,
  type IceEvent,
  type IceState,
  type Limits,
  type Nomination,
  type PairView,
  type IceRole,
  type SocketId,
} from './api.ts';
import { Checker } from './checker.ts';
import { CheckList } from './checklist.ts';
import { Consent } from './consent.ts';
import { Identity } from './identity.ts';
import { encodeKeepalive } from './messages.ts';
import { Outbox } from './outbox.ts';
import { viewOf } from './pair.ts';
import { Requests } from './requests.ts';
import { Roles } from './roles.ts';
import { Selection } from './selection.ts';
import { Speculations } from './speculation.ts';
import { failureReason, givesUpAt, newTally, type CheckTally } from './verdict.ts';

export * from './api.ts';

const DEFAULT_NOMINATION: Nomination = { waitMs: 50, relayWaitMs: 500 };
const DEFAULT_LIMITS: Limits = { remoteCandidates: 64, peerReflexive: 32, pairs: 100, speculative: 8192 };
const KEEPALIVE_MS = 15_000;
const PATIENCE_MS = 39_500;
const SPECULATION_MS = 5_000;

export class IceAgent implements Machine<IceEvent, IceAction> {
  readonly #random: Random;
  readonly #identity: Identity;
  readonly #list: CheckList;
  readonly #checker: Checker;
  readonly #speculations: Speculations;
  readonly #consent: Consent;
  readonly #roles: Roles;
  readonly #selection: Selection;
  readonly #requests: Requests;
  readonly #answers: Answers;
  readonly #outbox = new Outbox();
  readonly #tally: CheckTally = newTally();
  readonly #patienceMs: number;
  readonly #anyReturnPath: boolean;
  #localEnd = false;
  #remoteEnd = false;
  #wakeAt: number | undefined;

  /** Throws {@link IceInputError}. */
  constructor(config: IceConfig) {
    const { role, random } = config;
    const limits = { ...DEFAULT_LIMITS, ...config.limits };
    const pacing = { ...BOOK_PACING, ...config.pacing };
    const [outbox, tally] = [this.#outbox, this.#tally];
    const identity = new Identity(config.ufrag, config.pwd, config.tieBreaker, random);
    const list = new CheckList(role, limits, pacing.freezing, config.isRelay);
    const nomination = { ...DEFAULT_NOMINATION, ...config.nomination };
    const relayedLast = config.relayedLast ?? false;
    const checker = new Checker({ list, identity, outbox, random, pacing, nomination, relayedLast });
    const lifetimeMs = config.speculationMs ?? SPECULATION_MS;
    const speculations = new Speculations({ max: limits.speculative, lifetimeMs, identity, outbox, random });
    const consent = new Consent(config.consent ?? BOOK_CONSENT, config.keepaliveMs ?? KEEPALIVE_MS, random);
    const roles = new Roles(list, identity, checker, outbox, tally);
    const selection = new Selection({ list, checker, speculations, consent, outbox, relayedLast });
    const anyReturnPath = config.anyReturnPath ?? false;
    const parts = { list, identity, checker, speculations, consent, roles, selection, outbox, tally, anyReturnPath };
    this.#random = random;
    this.#identity = identity;
    this.#list = list;
    this.#checker = checker;
    this.#speculations = speculations;
    this.#consent = consent;
    this.#roles = roles;
    this.#selection = selection;
    this.#requests = new Requests(parts);
    this.#answers = new Answers(parts);
    this.#patienceMs = config.patienceMs ?? PATIENCE_MS;
    this.#anyReturnPath = anyReturnPath;
  }

  get state(): IceState {
    return this.#selection.state;
  }

  /** May change in a role conflict. */
  get role(): IceRole {
    return this.#roles.own;
  }

  get selected(): PairView | undefined {
    const { selected } = this.#selection;
    return selected && viewOf(selected);
  }

  get counters(): IceCounters {
    const { speculative, requests, answers, refused } = this.#tally;
    return { checks: this.#checker.sent, speculative, requests, answers, refused };
  }

  /** What the reason would be if it failed now. */
  get reason(): FailureReason {
    const valid = this.#list.bestValid() !== undefined;
    return failureReason(this.#tally, { valid, pairs: this.#list.size, anyReturnPath: this.#anyReturnPath });
  }

  /** All pairs, best first. */
  pairs(): PairView[] {
    return this.#list.sorted().map(viewOf);
  }

  wakeAt(): number | undefined {
    return this.#wakeAt;
  }

  wake(now: number): IceAction[] {
    if (!this.#selection.final) this.#advance(now);
    return this.#outbox.flush();
  }

  /** Throws {@link IceInputError} for credentials that break the grammar, and for our own ones coming back. */
  handle(event: IceEvent, now: number): IceAction[] {
    if (this.#selection.final) return [];
    // A speculative check changes nothing but its own table: no need to look at everything else.
    if (event.kind === 'speculate') this.#speculate(event, now);
    else {
      this.#take(event, now);
      if (this.#selection.final) this.#wakeAt = undefined;
      else this.#advance(now);
    }
    return this.#outbox.flush();
  }

  #take(event: Exclude<IceEvent, { kind: 'speculate' }>, now: number): void {
    switch (event.kind) {
      case 'local-candidate':
        for (const pair of this.#list.addLocal(event.socket, event.candidate)) this.#outbox.logPair(pair);
        return;
      case 'remote-candidate':
        for (const pair of this.#list.addRemote(event.candidate)) this.#outbox.logPair(pair);
        return;
      case 'accept-relayed':
        return this.#checker.acceptRelayed();
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
        return this.#selection.end('closed');
    }
  }

  #meet(ufrag: string, pwd: string, now: number): void {
    if (this.#identity.peer) return;
    this.#identity.meet(ufrag, pwd, now);
    this.#selection.begin();
  }

  #receive(socket: SocketId, from: Endpoint, message: Decoded, at: number, now: number): void {
    if (message.method !== METHOD.binding || message.classic) return;
    if (message.class === 'request') this.#requests.take(socket, from, message, now);
    else if (message.class !== 'indication') this.#answers.take({ socket, from, message, at, now });
  }

  #unsendable(socket: SocketId, to: Endpoint): void {
    const pair = this.#list.find(socket, to);
    if (pair && pair.state !== 'failed') this.#selection.fail(pair, 'unsendable');
  }

  #dropSocket(socket: SocketId): void {
    this.#speculations.dropSocket(socket);
    for (const pair of this.#list.removeSocket(socket)) {
      this.#checker.forget(pair);
      if (this.#selection.selected === pair) return this.#selection.lose(pair);
    }
  }

  #speculate({ socket, to, ttl }: Extract<IceEvent, { kind: 'speculate' }>, now: number): void {
    if (this.#selection.settled) return;
    if (!this.#speculations.send({ socket, to, role: this.role, at: now }, ttl)) return;
    this.#tally.speculative++;
    // The verdict has to wait for the answer.
    if (this.#wakeAt === undefined) this.#wakeAt = this.#nextDeadline(now);
  }

  /* ---- what time brings ---- */

  #advance(now: number): void {
    this.#keepConsent(now);
    if (!this.#selection.final) {
      for (const pair of this.#checker.retransmit(now)) this.#selection.fail(pair, 'timeout');
      this.#checker.sendDue(now);
      this.#giveUpIfOver(now);
    }
    this.#wakeAt = this.#selection.final ? undefined : this.#nextDeadline(now);
  }

  #keepConsent(now: number): void {
    const { selected } = this.#selection;
    const { peer } = this.#identity;
    const due = selected && this.#consent.due(now);
    if (!selected || !peer || !due) return;
    if (due === 'expired') return this.#selection.lose(selected);
    const { socket, remote, base } = selected;
    if (due === 'keepalive') return this.#outbox.send(socket, remote.endpoint, encodeKeepalive(this.#random));
    const transactionId = this.#random.bytes(12);
    this.#consent.ask(transactionKey(transactionId), now);
    this.#outbox.send(socket, remote.endpoint, this.#identity.check(peer, transactionId, this.role, base, false));
  }

  /** Nothing is left to try, and the time to listen is over. */
  #giveUpIfOver(now: number): void {
    const at = this.#givesUpAt();
    if (at === undefined || now < at) return;
    const { reason } = this;
    this.#selection.end('failed');
    this.#outbox.push({ kind: 'failed', reason });
  }

  #givesUpAt(): number | undefined {
    const { peer } = this.#identity;
    if (!peer || this.#selection.selected) return undefined;
    return givesUpAt({
      exhausted: this.#localEnd && this.#remoteEnd && this.#checker.idle,
      patientUntil: peer.since + this.#patienceMs,
      validSince: this.#selection.validSince,
      speculationsEndAt: this.#speculations.endsAt,
    });
  }

  #nextDeadline(now: number): number | undefined {
    const deadlines = [this.#checker.nextAt(), this.#givesUpAt(), this.#selection.selected && this.#consent.nextAt()];
    const next = Math.min(...deadlines.map((at) => at ?? Number.POSITIVE_INFINITY));
    return next === Number.POSITIVE_INFINITY ? undefined : Math.max(next, now);
  }
}

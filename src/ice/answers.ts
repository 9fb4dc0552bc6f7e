/** The answers to our checks: whether they are authentic and came from where we asked, and what they show (RFC 8445 §7.2.5). */
import { type Endpoint, familyOf } from '../net/address.ts';
import { type Decoded, get, mappedAddress, transactionKey, unknownRequired } from '../stun/message.ts';
import type { SocketId } from './api.ts';
import { peerReflexivePriority } from './candidate.ts';
import type { Checker } from './checker.ts';
import type { CheckList } from './checklist.ts';
import type { Consent } from './consent.ts';
import type { Identity } from './identity.ts';
import { UNDERSTOOD } from './messages.ts';
import type { Outbox } from './outbox.ts';
import { sameTransport, unknownBase } from './pair.ts';
import type { Roles } from './roles.ts';
import type { Selection } from './selection.ts';
import type { Speculation, Speculations } from './speculation.ts';
import type { Check } from './transactions.ts';
import type { CheckTally } from './verdict.ts';

export interface AnswersParts {
  readonly list: CheckList;
  readonly identity: Identity;
  readonly checker: Checker;
  readonly speculations: Speculations;
  readonly consent: Consent;
  readonly roles: Roles;
  readonly selection: Selection;
  readonly outbox: Outbox;
  readonly tally: CheckTally;
  readonly anyReturnPath: boolean;
}

/** An answer, where it came in, and when: `at` by the socket's stamp, `now` as it is handled. */
export interface Arrival {
  readonly socket: SocketId;
  readonly from: Endpoint;
  readonly message: Decoded;
  readonly at: number;
  readonly now: number;
}

export class Answers {
  readonly #parts: AnswersParts;

  constructor(parts: AnswersParts) {
    this.#parts = parts;
  }

  take(arrival: Arrival): void {
    const { identity, checker, consent, speculations, tally } = this.#parts;
    const key = transactionKey(arrival.message.transactionId);
    const check = checker.find(key);
    const consentAskedAt = consent.askedAt(key);
    const asked = check !== undefined || consentAskedAt !== undefined || speculations.has(key);
    // The seal first: a forged answer must not use up the transaction.
    if (!asked || !identity.isAnswerOfPeer(arrival.message)) {
      tally.refused++;
      return;
    }
    tally.answers++;
    if (check) return this.#ofCheck(check, arrival);
    if (consentAskedAt !== undefined) return this.#ofConsent(consentAskedAt, arrival);
    const speculation = speculations.take(key, arrival.now);
    if (speculation) this.#ofSpeculation(speculation, arrival);
  }

  #ofCheck(check: Check, arrival: Arrival): void {
    const { checker, selection, tally } = this.#parts;
    const { pair } = check;
    const { from, message, at, now } = arrival;
    checker.settle(check);
    if (!this.#isSymmetric(pair.socket, check.to, arrival)) return selection.fail(pair, 'asymmetric');
    if (isRoleConflict(message)) return this.#onRoleConflict(check);
    const mapped = mappedIn(message);
    if (!mapped) {
      tally.errors++;
      return selection.fail(pair, 'error');
    }
    const rttMs = check.sends === 1 ? at - check.firstAt : undefined;
    if (check.cause === 'nomination') {
      if (checker.nominating === pair) selection.select(pair, now);
      return;
    }
    if (pair.state !== 'succeeded') selection.succeed(pair, from, mapped, rttMs, now);
  }

  #onRoleConflict({ pair, role }: Check): void {
    const { checker, roles, selection } = this.#parts;
    if (!roles.givesIn(role)) return selection.fail(pair, 'error');
    pair.heard = true;
    // A pair that works is checked again too, or two agents might both rest in the same role.
    if (pair.state !== 'succeeded') pair.state = 'waiting';
    checker.enqueue(pair);
  }

  /** Only an answer from where the selected pair leads renews the consent (RFC 7675 §5.1). */
  #ofConsent(askedAt: number, arrival: Arrival): void {
    const { consent, selection } = this.#parts;
    const pair = selection.selected;
    if (!pair || arrival.message.class !== 'success') return;
    if (!this.#isSymmetric(pair.socket, pair.remote.endpoint, arrival)) return;
    pair.rttMs = arrival.at - askedAt;
    consent.renew(arrival.now);
  }

  #ofSpeculation({ socket, to, role, at: sentAt }: Speculation, arrival: Arrival): void {
    const { list, roles, selection, speculations, outbox, tally } = this.#parts;
    const { from, message, at, now } = arrival;
    if (!this.#isSymmetric(socket, to, arrival)) return;
    if (isRoleConflict(message) && roles.givesIn(role)) {
      if (!selection.settled && speculations.send({ socket, to, role: roles.own, at: now })) tally.speculative++;
      return;
    }
    const mapped = mappedIn(message);
    if (!mapped || selection.settled) return;
    const found = list.ensure(socket, to, peerReflexivePriority(unknownBase(familyOf(to.address)).priority));
    if (!found || found.pair.state === 'succeeded') return;
    const { pair, learnt } = found;
    if (found.fresh) {
      pair.speculative = true;
      outbox.logPair(pair);
    }
    if (learnt) outbox.log({ event: 'peer-reflexive', side: 'remote', candidate: pair.remote, socket });
    selection.succeed(pair, from, mapped, at - sentAt, now);
  }

  /** §7.2.5.2.1. */
  #isSymmetric(asked: SocketId, to: Endpoint, { socket, from }: Arrival): boolean {
    const { tally, outbox, anyReturnPath } = this.#parts;
    if (socket === asked && sameTransport(from, to)) return true;
    tally.asymmetric++;
    outbox.log({ event: 'asymmetric', socket: asked, to, from, accepted: anyReturnPath });
    return anyReturnPath;
  }
}

/** Our address as the peer saw it; undefined where the answer is no success that we understand. */
const mappedIn = (answer: Decoded): Endpoint | undefined =>
  answer.class === 'success' && unknownRequired(answer, UNDERSTOOD).length === 0 ? mappedAddress(answer) : undefined;

const isRoleConflict = (answer: Decoded): boolean =>
  answer.class === 'error' && get(answer, 'ERROR-CODE')?.code === 487;

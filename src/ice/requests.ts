/** The peer's checks: whether they are its own, the answer, and what they ask of us (RFC 8445 §7.3). */
import type { Endpoint } from '../net/address.ts';
import { type Decoded, get, transactionKey, unknownRequired } from '../stun/message.ts';
import type { SocketId } from './api.ts';
import type { Checker } from './checker.ts';
import type { CheckList } from './checklist.ts';
import type { Identity } from './identity.ts';
import { encodeAnswer, encodeError, UNDERSTOOD } from './messages.ts';
import type { Outbox } from './outbox.ts';
import { Replay } from './replay.ts';
import type { Roles } from './roles.ts';
import type { Selection } from './selection.ts';
import type { CheckTally } from './verdict.ts';

/** Checks of the peer that are remembered against replays. */
const REMEMBERED = 1024;

export interface RequestsParts {
  readonly list: CheckList;
  readonly identity: Identity;
  readonly checker: Checker;
  readonly roles: Roles;
  readonly selection: Selection;
  readonly outbox: Outbox;
  readonly tally: CheckTally;
}

export class Requests {
  readonly #parts: RequestsParts;
  readonly #replay = new Replay(REMEMBERED);

  constructor(parts: RequestsParts) {
    this.#parts = parts;
  }

  take(socket: SocketId, from: Endpoint, request: Decoded, now: number): void {
    const { identity, roles, outbox, tally } = this.#parts;
    if (
      !identity.isRequestOfPeer(request) ||
      this.#replay.isReplay(transactionKey(request.transactionId), socket, from)
    ) {
      tally.refused++;
      return;
    }
    tally.requests++;
    const { key } = identity;
    const answer = (data: Uint8Array) => outbox.send(socket, from, data);
    const unknown = unknownRequired(request, UNDERSTOOD);
    if (unknown.length > 0) return answer(encodeError(request, 420, key, unknown));
    const priority = get(request, 'PRIORITY');
    if (priority === undefined) return answer(encodeError(request, 400, key));
    if (roles.winsOver(request)) return answer(encodeError(request, 487, key));
    answer(encodeAnswer(request, from, key));
    this.#react(socket, from, priority, get(request, 'USE-CANDIDATE') === true, now);
  }

  /** §7.3.1.3 to §7.3.1.5: the peer's check shows a path, and asks for ours. */
  #react(socket: SocketId, from: Endpoint, priority: number, useCandidate: boolean, now: number): void {
    const { list, checker, roles, selection, outbox } = this.#parts;
    const nominates = useCandidate && roles.own === 'controlled';
    // Once a pair is chosen, only the peer's choice of another one matters.
    if (selection.settled && !nominates) return;
    const found = list.ensure(socket, from, priority);
    if (!found) return;
    const { pair, learnt } = found;
    if (learnt) outbox.log({ event: 'peer-reflexive', side: 'remote', candidate: pair.remote, socket });
    if (found.fresh) outbox.logPair(pair);
    if (!pair.heard || (nominates && !pair.nominated && !pair.nominateOnSuccess))
      outbox.log({ event: 'checked', socket, from, useCandidate });
    pair.heard = true;
    if (nominates) {
      if (pair.state === 'succeeded') return selection.select(pair, now);
      pair.nominateOnSuccess = true;
    }
    checker.trigger(pair, now);
  }
}

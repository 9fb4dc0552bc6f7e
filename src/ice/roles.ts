/** Which of the two agents chooses, and what happens when both think that they do (RFC 8445 §6.1.1, §7.2.5.1, §7.3.1.1). */
import type { Decoded } from '../stun/message.ts';
import type { IceRole } from './api.ts';
import type { Checker } from './checker.ts';
import type { CheckList } from './checklist.ts';
import type { Identity } from './identity.ts';
import { claimedRole } from './messages.ts';
import type { Outbox } from './outbox.ts';
import type { CheckTally } from './verdict.ts';

/** Role conflicts that we give in to: a peer that answers each check with one must not keep us turning. */
const MAX_CONFLICTS = 16;

export class Roles {
  readonly #list: CheckList;
  readonly #identity: Identity;
  readonly #checker: Checker;
  readonly #outbox: Outbox;
  readonly #tally: CheckTally;

  constructor(list: CheckList, identity: Identity, checker: Checker, outbox: Outbox, tally: CheckTally) {
    this.#list = list;
    this.#identity = identity;
    this.#checker = checker;
    this.#outbox = outbox;
    this.#tally = tally;
  }

  get own(): IceRole {
    return this.#list.role;
  }

  /** §7.3.1.1. Whether the peer, not we, has to change its role; otherwise we do where the two are the same. */
  winsOver(request: Decoded): boolean {
    const claimed = claimedRole(request);
    if (claimed?.role !== this.own) return false;
    const stronger = this.#identity.tieBreaker >= claimed.tieBreaker;
    if (stronger === (this.own === 'controlling')) return true;
    this.#switch();
    return false;
  }

  /** §7.2.5.1: our check claimed this role, and the peer insists on it. False when that has happened too often. */
  givesIn(claimed: IceRole): boolean {
    if (++this.#tally.conflicts > MAX_CONFLICTS) {
      this.#tally.errors++;
      return false;
    }
    if (claimed === this.own) {
      this.#switch();
      // §16.1: otherwise two agents with equal numbers would switch together for ever.
      this.#identity.renewTieBreaker();
    }
    return true;
  }

  #switch(): void {
    this.#list.setRole(this.own === 'controlling' ? 'controlled' : 'controlling');
    this.#checker.dropNomination();
    for (const pair of this.#list) pair.nominateOnSuccess = false;
    this.#outbox.log({ event: 'role', role: this.own });
  }
}

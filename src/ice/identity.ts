/** Who we are to the peer, and who it is to us: what seals our checks and proves the peer's. */
import type { Random } from '../net/env.ts';
import { shortTermKey } from '../stun/credentials.ts';
import type { Decoded } from '../stun/message.ts';
import type { IceRole } from './api.ts';
import { type Candidate, peerReflexivePriority } from './candidate.ts';
import { IceInputError, isPwd, isUfrag } from './credentials.ts';
import { encodeCheck, isAuthenticRequest, isSealed } from './messages.ts';

export interface PeerLogin {
  readonly username: string;
  readonly key: Uint8Array;
  /** When its credentials came. */
  readonly since: number;
}

export class Identity {
  /** Seals the peer's checks and our answers. */
  readonly key: Uint8Array;
  readonly #ufrag: string;
  readonly #pwd: string;
  readonly #random: Random;
  #tieBreaker: bigint;
  #peer: PeerLogin | undefined;

  /** Throws {@link IceInputError}. */
  constructor(ufrag: string, pwd: string, tieBreaker: bigint | undefined, random: Random) {
    requireGrammar(ufrag, pwd);
    if (tieBreaker !== undefined && BigInt.asUintN(64, tieBreaker) !== tieBreaker)
      throw new IceInputError('tie-breaker', 'a tie-breaker is a number of 64 bits');
    this.key = shortTermKey(pwd);
    this.#ufrag = ufrag;
    this.#pwd = pwd;
    this.#random = random;
    this.#tieBreaker = tieBreaker ?? freshTieBreaker(random);
  }

  get peer(): PeerLogin | undefined {
    return this.#peer;
  }

  get tieBreaker(): bigint {
    return this.#tieBreaker;
  }

  renewTieBreaker(): void {
    this.#tieBreaker = freshTieBreaker(this.#random);
  }

  /** Throws {@link IceInputError}. */
  meet(ufrag: string, pwd: string, now: number): void {
    requireGrammar(ufrag, pwd);
    if (pwd === this.#pwd) throw new IceInputError('reflected', "the peer's password is our own");
    this.#peer = { username: `${ufrag}:${this.#ufrag}`, key: shortTermKey(pwd), since: now };
  }

  isRequestOfPeer(message: Decoded): boolean {
    return isAuthenticRequest(message, this.#ufrag, this.key);
  }

  isAnswerOfPeer(message: Decoded): boolean {
    return this.#peer !== undefined && isSealed(message, this.#peer.key);
  }

  /** A check from that base. */
  check(peer: PeerLogin, transactionId: Uint8Array, role: IceRole, base: Candidate, useCandidate: boolean): Uint8Array {
    const { username, key } = peer;
    return encodeCheck({
      transactionId,
      username,
      key,
      role,
      tieBreaker: this.#tieBreaker,
      priority: peerReflexivePriority(base.priority),
      useCandidate,
    });
  }
}

function requireGrammar(ufrag: string, pwd: string): void {
  if (!isUfrag(ufrag)) throw new IceInputError('ufrag', 'a ufrag has 4 to 256 letters, digits, "+" and "/"');
  if (!isPwd(pwd)) throw new IceInputError('pwd', 'an ICE password has 22 to 256 letters, digits, "+" and "/"');
}

function freshTieBreaker(random: Random): bigint {
  const bytes = random.bytes(8);
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
}

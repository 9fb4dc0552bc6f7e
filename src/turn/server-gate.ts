/** The server's side of the long-term credential mechanism (RFC 8489 §9.2.4): who asks, and what is answered to those who have not said so. */
import type { Endpoint } from '../net/address.ts';
import type { Random } from '../net/env.ts';
import { type RateLimit, SourceLimiter } from '../net/rate-limit.ts';
import { type Attribute, attribute } from '../stun/attributes.ts';
import { isOpaqueString, longTermKey } from '../stun/credentials.ts';
import { checkIntegrity, isSealed } from '../stun/integrity.ts';
import { type Decoded, encode, get, type Seal } from '../stun/message.ts';
import { Nonces } from './nonce.ts';
import type { Key } from './server-allocation.ts';
import type { Login, Users } from './users.ts';

/** Challenges and refusals of one source: a household that logs in anew, all at once. */
const CHALLENGE_LIMIT: RateLimit = { perSecond: 20, burst: 100 };
/** An answer to a source that may be forged is at most so many times as long as the request. */
const MOST_TIMES = 3;

export type Admission =
  | { readonly kind: 'admitted'; readonly key: Key; readonly login: Login | undefined; readonly seal: Seal }
  /** To be answered so, unless nothing is to be answered. */
  | { readonly kind: 'turned-away'; readonly code: number; readonly answer: Uint8Array | undefined };

export class Admissions {
  readonly #realm: string;
  readonly #users: Users;
  readonly #nonces: Nonces;
  readonly #limiter: SourceLimiter;

  constructor(options: { readonly realm: string; readonly users: Users; readonly random: Random }) {
    this.#realm = options.realm;
    this.#users = options.users;
    this.#nonces = new Nonces(options.random);
    this.#limiter = new SourceLimiter(CHALLENGE_LIMIT, options.random);
  }

  /** `known`: the key of the allocation that this client has; its password counts as it was then, so that no running session ends because a secret was replaced. */
  admit(
    request: Decoded,
    from: Endpoint,
    known: Key | undefined,
    fingerprint: boolean,
    now: number,
    date: number,
  ): Admission {
    const turnAway = (code: number, ...attributes: Attribute[]): Admission => ({
      kind: 'turned-away',
      code,
      answer: this.#answer(request, from, code, attributes, fingerprint, now),
    });
    const challenge = (code: 401 | 438): Admission =>
      turnAway(code, attribute('REALM', this.#realm), attribute('NONCE', this.#nonces.for(from, now)));
    if (!isSealed(request)) return challenge(401);
    const username = get(request, 'USERNAME');
    const nonce = get(request, 'NONCE');
    if (username === undefined || nonce === undefined || get(request, 'REALM') === undefined) return turnAway(400);
    if (!this.#nonces.isGood(nonce, from, now)) return challenge(438);
    if (get(request, 'REALM') !== this.#realm) return challenge(401);
    const strong = get(request, 'MESSAGE-INTEGRITY-SHA256') !== undefined;
    const admitted = (key: Key, login?: Login): Admission => ({
      kind: 'admitted',
      key,
      login,
      seal: { key: key.bytes, sha256: strong, fingerprint },
    });
    if (known?.username === username)
      return checkIntegrity(request, known.bytes) === 'valid' ? admitted(known) : challenge(401);
    const login = isOpaqueString(username) ? this.#users(username, date) : undefined;
    for (const password of login?.passwords ?? []) {
      const bytes = longTermKey(username, this.#realm, password, 'MD5');
      if (checkIntegrity(request, bytes) === 'valid') return admitted({ username, bytes }, login);
    }
    return challenge(401);
  }

  /** Short, for it may go to somebody who asked for nothing: no SOFTWARE, no words. */
  #answer(
    { method, transactionId, bytes }: Decoded,
    from: Endpoint,
    code: number,
    attributes: readonly Attribute[],
    fingerprint: boolean,
    now: number,
  ): Uint8Array | undefined {
    if (!this.#limiter.allow(this.#limiter.keyOf(from.address), now)) return undefined;
    const answer = encode(
      {
        class: 'error',
        method,
        transactionId,
        attributes: [attribute('ERROR-CODE', { code, reason: '' }), ...attributes],
      },
      { fingerprint },
    );
    return answer.length <= MOST_TIMES * bytes.length ? answer : undefined;
  }
}

/**
 * The login of an allocation (RFC 8656 §5, RFC 8489 §9.2): the first request goes bare and is challenged; realm, nonce and key then serve every
 * request until the server wants another nonce.
 */
import { attribute } from '../stun/attributes.ts';
import { challengedSealing, type Credentials, firstSealing, type Sealing } from '../stun/authentication.ts';
import { type Decoded, get } from '../stun/message.ts';

export class TurnLogin {
  readonly #credentials: Credentials | undefined;
  #sealing: Sealing;
  #realm: string | undefined;

  /** Throws CredentialError. */
  constructor(credentials: Credentials | undefined) {
    this.#credentials = credentials;
    this.#sealing = firstSealing(credentials);
  }

  /** How a request is sealed now. */
  get sealing(): Sealing {
    return this.#sealing;
  }

  /** Whether requests carry a login. */
  get isSealed(): boolean {
    return this.#sealing.seal.key !== undefined;
  }

  /** Takes a 401 or 438; false where there is nothing to answer it with. A 438 may leave out the realm, which stays then. */
  renew(challenge: Decoded): boolean {
    const realm = get(challenge, 'REALM') ?? this.#realm;
    const whole =
      realm === undefined || get(challenge, 'REALM') !== undefined
        ? challenge
        : { ...challenge, attributes: [...challenge.attributes, attribute('REALM', realm)] };
    const sealing = challengedSealing(this.#credentials, whole);
    if (!sealing) return false;
    this.#sealing = sealing;
    this.#realm = realm;
    return true;
  }
}

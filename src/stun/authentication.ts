/** The client's side of the short-term and long-term credential mechanisms (RFC 8489 §9): what goes into a request, what an answer must show. */
import { type Attribute, attribute, type PasswordAlgorithm } from './attributes.ts';
import {
  choosePasswordAlgorithm,
  isOpaqueString,
  longTermKey,
  nonceFeatures,
  opaqueString,
  PASSWORD_ALGORITHM,
  shortTermKey,
  userHash,
} from './credentials.ts';
import { checkIntegrity } from './integrity.ts';
import { type Decoded, get, type Seal } from './message.ts';

/** A user name and password (RFC 8489 §9). */
export interface Credentials {
  /** `long-term` waits for the server's challenge; `short-term` is agreed beforehand, as in ICE. */
  readonly kind: 'short-term' | 'long-term';
  readonly username: string;
  readonly password: string;
}

/** How a request authenticates itself, and what its answers must satisfy. */
export interface Sealing {
  /** In front of everything that the request carries itself. */
  readonly attributes: readonly Attribute[];
  /** Without `key` the request is not authenticated. */
  readonly seal: Seal;
  /** False: treat the answer as if it had never come. */
  accepts(answer: Decoded): boolean;
}

/** A challenge, a stale nonce, one more for a server that changes its mind. */
export const MOST_CHALLENGES = 3;

const UNSEALED: Sealing = { attributes: [], seal: {}, accepts: () => true };

/** How to send the first request. Throws CredentialError. */
export function firstSealing(credentials: Credentials | undefined): Sealing {
  if (credentials?.kind !== 'short-term') {
    if (credentials) for (const each of [credentials.username, credentials.password]) opaqueString(each);
    return UNSEALED;
  }
  const key = shortTermKey(credentials.password);
  return {
    attributes: [attribute('USERNAME', credentials.username)],
    // Not knowing which of the two the server understands, a client sends both (§9.1.2).
    seal: { key, sha1: true, sha256: true },
    accepts: (answer) => checkIntegrity(answer, key) === 'valid',
  };
}

/** How to answer a 401 or 438; undefined where these credentials or this challenge allow none. The credentials have passed {@link firstSealing}. */
export function challengedSealing(credentials: Credentials | undefined, challenge: Decoded): Sealing | undefined {
  const realm = get(challenge, 'REALM');
  const nonce = get(challenge, 'NONCE');
  if (credentials?.kind !== 'long-term' || realm === undefined || nonce === undefined || !isOpaqueString(realm))
    return undefined;
  const { username, password } = credentials;
  const features = nonceFeatures(nonce);
  const offered = get(challenge, 'PASSWORD-ALGORITHMS');
  // The nonce promises the list: somebody on the way took it out to have us use the weaker hash (§9.2.5).
  if (features?.passwordAlgorithms && !offered) return undefined;
  const chosen = features?.passwordAlgorithms && offered ? choice(offered) : undefined;
  if (features?.passwordAlgorithms && !chosen) return undefined;
  const key = longTermKey(username, realm, password, chosen?.hash ?? 'MD5');
  return {
    attributes: [
      features?.usernameAnonymity ? attribute('USERHASH', userHash(username, realm)) : attribute('USERNAME', username),
      attribute('REALM', realm),
      attribute('NONCE', nonce),
      ...(chosen && offered
        ? [attribute('PASSWORD-ALGORITHMS', offered), attribute('PASSWORD-ALGORITHM', chosen.algorithm)]
        : []),
    ],
    seal: chosen ? { key, sha256: true } : { key, sha1: true },
    accepts: (answer) => {
      const verdict = checkIntegrity(answer, key);
      if (verdict !== 'absent') return verdict === 'valid';
      // A server that does not accept our key, or has forgotten it, has none to seal with.
      const code = get(answer, 'ERROR-CODE')?.code;
      return answer.class === 'error' && (code === 401 || code === 438);
    },
  };
}

function choice(offered: readonly PasswordAlgorithm[]) {
  const hash = choosePasswordAlgorithm(offered.map(({ algorithm }) => algorithm));
  const algorithm = hash && offered.find((each) => each.algorithm === PASSWORD_ALGORITHM[hash]);
  return hash && algorithm ? { hash, algorithm } : undefined;
}

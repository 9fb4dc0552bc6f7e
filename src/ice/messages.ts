/** The four messages of ICE (RFC 8445 §7, §11), sealed; and the reading of a peer's check. */
import type { Endpoint } from '../net/address.ts';
import type { Random } from '../net/env.ts';
import { type Attribute, type AttributeName, attribute } from '../stun/attributes.ts';
import { checkFingerprint, checkIntegrity } from '../stun/integrity.ts';
import { encodeBinding } from '../stun/binding.ts';
import { type Decoded, get } from '../stun/message.ts';
import type { IceRole } from './api.ts';

export interface CheckFields {
  readonly transactionId: Uint8Array;
  /** `remote:local`. */
  readonly username: string;
  /** From the peer's password. */
  readonly key: Uint8Array;
  readonly role: IceRole;
  readonly tieBreaker: bigint;
  readonly priority: number;
  readonly useCandidate: boolean;
}

export function encodeCheck({
  transactionId,
  username,
  key,
  role,
  tieBreaker,
  priority,
  useCandidate,
}: CheckFields): Uint8Array {
  const attributes: Attribute[] = [
    attribute('USERNAME', username),
    attribute('PRIORITY', priority),
    attribute(role === 'controlling' ? 'ICE-CONTROLLING' : 'ICE-CONTROLLED', tieBreaker),
  ];
  if (useCandidate) attributes.push(attribute('USE-CANDIDATE', true));
  return encodeBinding('request', transactionId, attributes, { key, fingerprint: true });
}

/** `key` from our own password, as in the request. */
export const encodeAnswer = ({ transactionId }: Decoded, from: Endpoint, key: Uint8Array): Uint8Array =>
  encodeBinding('success', transactionId, [attribute('XOR-MAPPED-ADDRESS', from)], { key, fingerprint: true });

const REASONS = { 400: 'Bad Request', 420: 'Unknown Attribute', 487: 'Role Conflict' } as const;

export function encodeError(
  { transactionId }: Decoded,
  code: keyof typeof REASONS,
  key: Uint8Array,
  unknown: readonly number[] = [],
): Uint8Array {
  const attributes: Attribute[] = [attribute('ERROR-CODE', { code, reason: REASONS[code] })];
  if (unknown.length > 0) attributes.push(attribute('UNKNOWN-ATTRIBUTES', [...unknown]));
  return encodeBinding('error', transactionId, attributes, { key, fingerprint: true });
}

/** A keepalive (§11). Nobody answers it. */
export const encodeKeepalive = (random: Random): Uint8Array =>
  encodeBinding('indication', random.bytes(12), [], { fingerprint: true });

/** What a plain ICE agent understands of what it must understand. */
export const UNDERSTOOD: ReadonlySet<AttributeName> = new Set<AttributeName>([
  'USERNAME',
  'MESSAGE-INTEGRITY',
  'MESSAGE-INTEGRITY-SHA256',
  'ERROR-CODE',
  'UNKNOWN-ATTRIBUTES',
  'MAPPED-ADDRESS',
  'XOR-MAPPED-ADDRESS',
  'PRIORITY',
  'USE-CANDIDATE',
  'REALM',
  'NONCE',
]);

/** Whether a request is the peer's: for our ufrag, and sealed with our password. */
export function isAuthenticRequest(message: Decoded, ufrag: string, key: Uint8Array): boolean {
  return (get(message, 'USERNAME')?.startsWith(`${ufrag}:`) ?? false) && isSealed(message, key);
}

/** Both attributes are a must in ICE (RFC 8445 §7.1). The cheaper one is looked at first. */
export const isSealed = (message: Decoded, key: Uint8Array): boolean =>
  checkFingerprint(message) === 'valid' && checkIntegrity(message, key) === 'valid';

/** The role that a check claims, with its tie-breaker. */
export function claimedRole(message: Decoded): { readonly role: IceRole; readonly tieBreaker: bigint } | undefined {
  const controlling = get(message, 'ICE-CONTROLLING');
  if (controlling !== undefined) return { role: 'controlling', tieBreaker: controlling };
  const controlled = get(message, 'ICE-CONTROLLED');
  return controlled === undefined ? undefined : { role: 'controlled', tieBreaker: controlled };
}

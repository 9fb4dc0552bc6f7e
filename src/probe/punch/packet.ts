/**
 * What `punch` sends unless told otherwise: a STUN Binding request (RFC 8489) with FINGERPRINT and a SOFTWARE attribute that begins with
 * "nat-tool ". Whoever knows it answers with a Binding success that says how the sender looked from there; any STUN server would do the
 * same. It is not authenticated: it proves that packets pass, not who sent them.
 */
import type { Endpoint } from '../../net/address.ts';
import { attribute } from '../../stun/attributes.ts';
import { checkFingerprint } from '../../stun/integrity.ts';
import { encodeBinding } from '../../stun/binding.ts';
import { type Decoded, get, METHOD, type MessageClass, tryDecode } from '../../stun/message.ts';

/** Who speaks: `punch` sends probes itself, `listen` only answers them. */
export type Speaker = 'punch' | 'listen';

const MARKS: Readonly<Record<Speaker, string>> = { punch: 'nat-tool punch', listen: 'nat-tool listen' };

export type PunchPacket =
  /** Wants an answer. */
  | { readonly kind: 'request'; readonly message: Decoded }
  /** Says that its sender has been answered; also sent to keep the hole open. */
  | { readonly kind: 'indication'; readonly message: Decoded };

const write = (kind: MessageClass, transactionId: Uint8Array, speaker: Speaker, mapped?: Endpoint): Uint8Array =>
  encodeBinding(
    kind,
    transactionId,
    [...(mapped ? [attribute('XOR-MAPPED-ADDRESS', mapped)] : []), attribute('SOFTWARE', MARKS[speaker])],
    { fingerprint: true },
  );

/** `transactionId` has 12 random bytes. */
export const punchRequest = (transactionId: Uint8Array): Uint8Array => write('request', transactionId, 'punch');

export const punchIndication = (transactionId: Uint8Array, speaker: Speaker = 'punch'): Uint8Array =>
  write('indication', transactionId, speaker);

/** The answer to a request that came from `from`. */
export const punchAnswer = ({ transactionId }: Decoded, from: Endpoint, speaker: Speaker): Uint8Array =>
  write('success', transactionId, speaker, from);

/** Who answered; undefined for a STUN server of another make. */
export function answeredBy(message: Decoded): Speaker | undefined {
  const software = get(message, 'SOFTWARE');
  return software === MARKS.punch ? 'punch' : software === MARKS.listen ? 'listen' : undefined;
}

/** One of ours, or undefined for everything else, which is somebody's payload. Cheap for what is not STUN. */
export function readPunch(data: Uint8Array): PunchPacket | undefined {
  const message = tryDecode(data);
  if (
    !message ||
    message.method !== METHOD.binding ||
    answeredBy(message) === undefined ||
    checkFingerprint(message) !== 'valid'
  )
    return undefined;
  return message.class === 'request' || message.class === 'indication' ? { kind: message.class, message } : undefined;
}

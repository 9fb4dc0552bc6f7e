/**
 * The keys that both sides derive (HKDF, RFC 5869): from the code that they share where they meet and look for each other, and, for the data, from
 * what they have agreed on in this run too (`exchange.ts`), so that who records it all and learns the code later reads nothing.
 */
import { hkdfSync } from 'node:crypto';
import { credentialsFrom, type IceCredentials } from '../../ice/credentials.ts';

/** Everything that follows from the shared secret. Pure; the secret itself never leaves this host. */
export interface Secret {
  /** 16 bytes: the name of the room at the rendezvous, from which the secret cannot be learnt. */
  room(generation?: number): Uint8Array;
  /** 16 bytes: the name of the topic at brokers, as {@link room} at a rendezvous. */
  topic(generation?: number): Uint8Array;
  /** Seals all that is said at brokers. 32 bytes. */
  meetingKey(generation?: number): Uint8Array;
  /** Seals what this member tells the peer through the rendezvous. 32 bytes. */
  descriptionKey(member: Uint8Array): Uint8Array;
  /** ICE user name fragment and password of this member. */
  iceOf(member: Uint8Array): IceCredentials;
  /** Data from one member to the other, AES-256, 32 bytes. `agreed`: by the exchange of this run, 32 bytes. */
  dataKey(from: Uint8Array, to: Uint8Array, agreed: Uint8Array): Uint8Array;
  /** For both sides to meet again, by what they have agreed on in this run, 32 bytes. `lower`, `higher`: the members, in order. */
  pairingKey(lower: Uint8Array, higher: Uint8Array, agreed: Uint8Array): Uint8Array;
  /** With which the peer seals what it says at brokers, where that is not the same key. 32 bytes. */
  theirMeetingKey?(generation: number): Uint8Array;
  /** It comes of an exchange itself, so that the descriptions need none. */
  readonly exchanged?: true;
}

/** The keys of both sides, from the code that they share or from other key material (80 bits and more). */
export function deriveSecret(material: Uint8Array | string): Secret {
  const bytes = typeof material === 'string' ? new TextEncoder().encode(material) : material;
  const derive = (purpose: string, length: number, ...context: readonly Uint8Array[]): Uint8Array =>
    expand(bytes, `1 ${purpose}`, length, context);
  return {
    room: (generation = 0) => derive(`room ${generation}`, 16),
    topic: (generation = 0) => derive(`topic ${generation}`, 16),
    meetingKey: (generation = 0) => derive(`meeting ${generation}`, 32),
    descriptionKey: (member) => derive('description', 32, member),
    iceOf: (member) => credentialsFrom(derive('ice', 24, member)),
    dataKey: (from, to, agreed) => expand(new Uint8Array([...bytes, ...agreed]), '2 data', 32, [from, to]),
    pairingKey: (lower, higher, agreed) =>
      expand(new Uint8Array([...bytes, ...agreed]), '1 pairing', 32, [lower, higher]),
  };
}

/** `purpose`: with the version of what it is for. */
export function expand(
  material: Uint8Array,
  purpose: string,
  length: number,
  context: readonly Uint8Array[],
): Uint8Array {
  const info = new Uint8Array([
    ...new TextEncoder().encode(`nat-tool connect ${purpose} `),
    ...context.flatMap((each) => [each.length, ...each]),
  ]);
  return new Uint8Array(hkdfSync('sha256', material, 'nat-tool', info, length));
}

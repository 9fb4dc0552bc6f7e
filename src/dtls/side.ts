/** What both roles of a handshake do alike. */
import { timingSafeEqual } from 'node:crypto';
import { joined } from '../net/bytes.ts';
import type { Random } from '../net/env.ts';
import { acceptCertificate, type Fingerprint, type Identity, type PeerCertificate } from './certificate.ts';
import { demand, DtlsError } from './error.ts';
import type { Part } from './flight.ts';
import { encodeMessage, type HandshakeMessage, type Heard } from './fragments.ts';
import { HANDSHAKE, readCertificate } from './messages.ts';
import { extendedMasterSecret, type Role, sha256, verifyData, type WriteKey, writeKeys } from './prf.ts';

/** What a role asks of the connection that it is in. */
export interface Host {
  readonly identity: Identity;
  readonly random: Random;
  readonly expected: readonly Fingerprint[] | 'any';
  /** Sends it, and keeps it until it is answered. `answered`: the peer owes an answer. */
  flight(parts: readonly Part[], answered: boolean): void;
  /** From now on records of epoch 1 can be read and written. */
  secure(keys: Readonly<Record<Role, WriteKey>>): void;
  /** The peer is who it was announced to be, and both have the same keys. */
  finished(peer: PeerCertificate): void;
}

/** A role: fed with the peer's messages in their order. Throws {@link DtlsError}. */
export interface Side {
  /** Types of message that end a flight of the peer's: where one comes again, ours was lost. */
  readonly ends: readonly number[];
  take(message: Heard): void;
}

/** All messages that hashes are made of, in their order (RFC 5246 §7.4.9, RFC 7627 §3). */
export class Transcript {
  readonly #messages: Uint8Array[] = [];
  #sent = 0;

  /** HelloVerifyRequest, and what came before it, do not count (RFC 6347 §4.2.1). */
  clear(): void {
    this.#messages.length = 0;
  }

  heard(message: HandshakeMessage): void {
    this.#messages.push(encodeMessage(message));
  }

  /** A message of ours, with its number. */
  say(type: number, body: Uint8Array, epoch: 0 | 1 = 0): Part {
    const message = { type, sequence: this.#sent++, body, epoch };
    this.#messages.push(encodeMessage(message));
    return message;
  }

  get bytes(): Uint8Array {
    return joined(this.#messages);
  }

  get hash(): Uint8Array {
    return sha256(this.bytes);
  }
}

/** Both randoms, and what follows from them. */
export class Secrets {
  readonly #master: Uint8Array;

  constructor(premaster: Uint8Array, transcript: Transcript) {
    this.#master = extendedMasterSecret(premaster, transcript.hash);
  }

  keys(clientRandom: Uint8Array, serverRandom: Uint8Array): Readonly<Record<Role, WriteKey>> {
    return writeKeys(this.#master, clientRandom, serverRandom);
  }

  /** The body of Finished, now. */
  verifyData(role: Role, transcript: Transcript): Uint8Array {
    return verifyData(this.#master, role, transcript.hash);
  }

  /** Throws {@link DtlsError} `finished`. */
  check(role: Role, transcript: Transcript, body: Uint8Array): void {
    const right = this.verifyData(role, transcript);
    const same = right.length === body.length && timingSafeEqual(right, body);
    demand(same, 'finished', 'the two sides did not see the same handshake');
  }
}

export const acceptedCertificate = ({ body }: HandshakeMessage, { expected }: Host): PeerCertificate =>
  acceptCertificate(readCertificate(body), expected);

const NAMES = new Map<number, string>(Object.entries(HANDSHAKE).map(([name, type]) => [type, name]));

export const outOfTurn = ({ type }: HandshakeMessage): DtlsError =>
  new DtlsError('unexpected', `${NAMES.get(type) ?? `message ${type}`} out of turn`);

/** The start of an association (RFC 9260 §5): INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, and what happens where both sides begin at once. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Random } from '../net/env.ts';
import { CHUNK, type Init, initValue, PARAMETER, type Parameter, parametersOf, parseInit, u32 } from './chunks.ts';
import type { RawChunk } from './packet.ts';

/** One side, as both know it. */
export interface Side {
  /** Stands in what is sent to it. */
  readonly tag: number;
  /** Its first TSN. */
  readonly tsn: number;
}

/** What the peer said of itself. */
export interface PeerSide extends Side {
  /** Bytes that it has room for. */
  readonly window: number;
  /** RFC 3758. */
  readonly forwardTsn: boolean;
  /** It takes packets without a checksum (RFC 9653). */
  readonly zeroChecksum: boolean;
}

export interface HandshakeOptions {
  readonly random: Random;
  readonly window: number;
  /** Whether packets without a checksum are taken: something below tells what is damaged. */
  readonly zeroChecksum: boolean;
}

/** A chunk to be sent. */
export interface Reply {
  readonly type: number;
  readonly value: Uint8Array;
  /** Of the packet. */
  readonly tag: number;
}

const STREAMS = 65_535;
/** RFC 9653 §5.1: what tells of damage is DTLS. Our own envelope does the same. */
const BY_DTLS = 1;
/** RFC 9260 §16 (Valid.Cookie.Life). */
const COOKIE_MS = 60_000;
const MAC_BYTES = 32;
const COOKIE_BYTES = 32 + MAC_BYTES;

export class Handshake {
  readonly ours: Side;
  readonly #options: HandshakeOptions;
  readonly #secret: Uint8Array;

  constructor(options: HandshakeOptions) {
    const { random } = options;
    const view = new DataView(random.bytes(8).buffer);
    this.ours = { tag: view.getUint32(0) || 1, tsn: view.getUint32(4) };
    this.#options = options;
    this.#secret = random.bytes(MAC_BYTES);
  }

  init(): Reply {
    return { type: CHUNK.init, value: this.#about([]), tag: 0 };
  }

  /** To the peer's INIT: everything that is to be known of it goes into the cookie. Throws SctpFormatError. */
  answer(chunk: RawChunk, now: number): Reply {
    const peer = peerOf(parseInit(chunk));
    const flags = (peer.forwardTsn ? 1 : 0) | (peer.zeroChecksum ? 2 : 0);
    const seconds = Math.floor(now);
    const known = u32(this.ours.tag, this.ours.tsn, peer.tag, peer.tsn, peer.window, flags, seconds / 2 ** 32, seconds);
    const cookie = new Uint8Array(COOKIE_BYTES);
    cookie.set(known);
    cookie.set(this.#mac(known), known.length);
    return { type: CHUNK.initAck, value: this.#about([{ type: PARAMETER.cookie, value: cookie }]), tag: peer.tag };
  }

  /** From INIT ACK: the peer, and its cookie, to be sent back. Throws SctpFormatError; undefined where there is no cookie. */
  accepted(chunk: RawChunk): { readonly peer: PeerSide; readonly cookie: Uint8Array } | undefined {
    const init = parseInit(chunk);
    const cookie = init.parameters.find(({ type }) => type === PARAMETER.cookie)?.value;
    return cookie && { peer: peerOf(init), cookie };
  }

  /** From a cookie of ours; undefined where it is not, or too old. */
  returned(cookie: Uint8Array, now: number): PeerSide | undefined {
    if (cookie.length !== COOKIE_BYTES) return undefined;
    const known = cookie.subarray(0, COOKIE_BYTES - MAC_BYTES);
    if (!timingSafeEqual(this.#mac(known), cookie.subarray(COOKIE_BYTES - MAC_BYTES))) return undefined;
    const view = new DataView(known.buffer, known.byteOffset, known.length);
    const at = (nth: number): number => view.getUint32(4 * nth);
    if (now - (at(6) * 2 ** 32 + at(7)) > COOKIE_MS) return undefined;
    const flags = at(5);
    return {
      tag: at(2),
      tsn: at(3),
      window: at(4),
      forwardTsn: (flags & 1) !== 0,
      zeroChecksum: (flags & 2) !== 0,
    };
  }

  #about(more: readonly Parameter[]): Uint8Array {
    const { window, zeroChecksum } = this.#options;
    return initValue({
      ...this.ours,
      window,
      outbound: STREAMS,
      inbound: STREAMS,
      parameters: [
        { type: PARAMETER.forwardTsn, value: new Uint8Array() },
        { type: PARAMETER.supportedExtensions, value: Uint8Array.of(CHUNK.reconfig, CHUNK.forwardTsn) },
        ...(zeroChecksum ? [{ type: PARAMETER.zeroChecksum, value: u32(BY_DTLS) }] : []),
        ...more,
      ],
    });
  }

  #mac(known: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#secret).update(known).digest();
  }
}

function peerOf({ tag, tsn, window, parameters }: Init): PeerSide {
  const zero = parameters.find(({ type }) => type === PARAMETER.zeroChecksum)?.value;
  return {
    tag,
    tsn,
    window,
    forwardTsn: parameters.some(({ type }) => type === PARAMETER.forwardTsn),
    zeroChecksum: zero?.length === 4 && zero[3] === BY_DTLS,
  };
}

/** Of an ERROR chunk: the peer's cookie was too old (RFC 9260 §3.3.10.3). Throws SctpFormatError. */
export const saysStaleCookie = ({ value }: RawChunk): boolean => parametersOf(value).some(({ type }) => type === 3);

/** What people paste over a chat: this side's half of the secret, and what it tells of itself, as one word with a check. Pure. */
import { createHash } from 'node:crypto';
import { SHARE_BYTES } from '../channel/key-exchange.ts';
import { MEMBER_BYTES, MOST_PAYLOAD } from '../../rendezvous/protocol.ts';

const PREFIX = 'nt3.';
const CHECK_BYTES = 4;
/** Characters: what a chat shows in two lines, and a QR code of 49 modules holds. */
const GOOD_LENGTH = 160;

/** Bytes of payload with which a token is no longer than that. */
export const GOOD_PAYLOAD = Math.floor(((GOOD_LENGTH - PREFIX.length) * 3) / 4) - SHARE_BYTES - CHECK_BYTES;

/** Text that is no token. */
export class TokenError extends Error {
  readonly kind: 'no-token' | 'damaged' | 'own' | 'other-version';
  constructor(kind: TokenError['kind'], message: string) {
    super(message);
    this.name = 'TokenError';
    this.kind = kind;
  }
}

export interface Token {
  /** This side's public half of the exchange that the keys follow from. */
  readonly share: Uint8Array;
  readonly payload: Uint8Array;
}

const checkOf = (bytes: Uint8Array): Uint8Array =>
  createHash('sha256').update('nat-tool token').update(bytes).digest().subarray(0, CHECK_BYTES);

/** What a side is known by: its share is random in each run, and so is that. */
export const memberOf = (share: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update('nat-tool member').update(share).digest().subarray(0, MEMBER_BYTES));

export function formatToken({ share, payload }: Token): string {
  const bytes = Buffer.concat([share, payload]);
  return PREFIX + Buffer.concat([bytes, checkOf(bytes)]).toString('base64url');
}

/** White space anywhere in it does not matter: chats break lines. Throws {@link TokenError}. */
export function parseToken(text: string): Token {
  const whole = text.replace(/\s/g, '');
  const body = whole.slice(PREFIX.length);
  if (/^nt\d+\./.test(whole) && !whole.startsWith(PREFIX))
    throw new TokenError('other-version', 'the token is of another version of nat-tool: both hosts need the same');
  if (!whole.startsWith(PREFIX) || !/^[A-Za-z0-9_-]*$/.test(body))
    throw new TokenError('no-token', `a token begins with ${PREFIX} and goes on with letters, digits, - and _`);
  const bytes = new Uint8Array(Buffer.from(body, 'base64url'));
  const end = bytes.length - CHECK_BYTES;
  if (
    end < SHARE_BYTES ||
    end > SHARE_BYTES + MOST_PAYLOAD ||
    !Buffer.from(checkOf(bytes.subarray(0, end))).equals(bytes.subarray(end))
  ) {
    throw new TokenError('damaged', 'the token is damaged: part of it is missing or changed');
  }
  return { share: bytes.slice(0, SHARE_BYTES), payload: bytes.slice(SHARE_BYTES, end) };
}

/** What people paste over a chat: who this side is, its half of the secret, and what it tells of itself, as one word with a check. Pure. */
import { createHash } from 'node:crypto';
import { SHARE_BYTES } from '../channel/key-exchange.ts';
import { MEMBER_BYTES, MOST_PAYLOAD } from '../../rendezvous/protocol.ts';

const PREFIX = 'nt2.';
const CHECK_BYTES = 4;
const HEAD = MEMBER_BYTES + SHARE_BYTES;

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
  readonly member: Uint8Array;
  /** This side's public half of the exchange that the keys follow from. */
  readonly share: Uint8Array;
  readonly payload: Uint8Array;
}

const checkOf = (bytes: Uint8Array): Uint8Array =>
  createHash('sha256').update('nat-tool token').update(bytes).digest().subarray(0, CHECK_BYTES);

export function formatToken({ member, share, payload }: Token): string {
  const bytes = Buffer.concat([member, share, payload]);
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
    end < HEAD ||
    end > HEAD + MOST_PAYLOAD ||
    !Buffer.from(checkOf(bytes.subarray(0, end))).equals(bytes.subarray(end))
  ) {
    throw new TokenError('damaged', 'the token is damaged: part of it is missing or changed');
  }
  return {
    member: bytes.slice(0, MEMBER_BYTES),
    share: bytes.slice(MEMBER_BYTES, HEAD),
    payload: bytes.slice(HEAD, end),
  };
}

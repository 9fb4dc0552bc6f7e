/**
 * Time-limited logins ("A REST API For Access To TURN Services", draft-uberti-behave-turn-rest; `use-auth-secret` of coturn): the user
 * name says until when, the password follows from it and a secret that the TURN server shares with whoever hands logins out.
 */
import { createHmac } from 'node:crypto';

/** What a time-limited user name says. */
export interface RestName {
  /** Unix time, seconds. */
  readonly expiresAt: number;
  /** Whom it was handed to; empty where it does not say. */
  readonly name: string;
}

/** Nine to eleven digits: from 1973 to 5138. Shorter numbers are names like any other. */
const FORM = /^(\d{9,11})(?::(.*))?$/su;

/** Undefined where the user name is no `EXPIRY[:NAME]`. */
export function restName(username: string): RestName | undefined {
  const [, time, name = ''] = FORM.exec(username) ?? [];
  return time === undefined ? undefined : { expiresAt: Number(time), name };
}

/** base64(HMAC-SHA1(secret, user name)). */
export const restPassword = (secret: string, username: string): string =>
  createHmac('sha1', secret).update(username, 'utf8').digest('base64');

/** A login that holds until `expiresAt`, Unix time in whole seconds. */
export function restLogin(
  secret: string,
  { expiresAt, name }: RestName,
): { readonly username: string; readonly password: string } {
  const username = name === '' ? String(expiresAt) : `${expiresAt}:${name}`;
  return { username, password: restPassword(secret, username) };
}

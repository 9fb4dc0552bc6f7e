/** What a terminal and the page tell each other by way of a server that must not read it: AES-256-GCM with keys that follow from the code in the link. */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { Random } from '../../net/env.ts';

/** As in page/sealed-line.js. */
const SALT = 'nat-tool';
const [NONCE, TAG] = [12, 16];

export interface WebKeys {
  /** Of the box, 22 characters. */
  readonly room: string;
  /** What the terminal seals with, and what the browser does. */
  readonly terminal: Uint8Array;
  readonly browser: Uint8Array;
}

export function webKeys(code: string): WebKeys {
  const derive = (purpose: string, length: number): Uint8Array =>
    new Uint8Array(hkdfSync('sha256', code, SALT, `nat-tool web ${purpose}`, length));
  return {
    room: Buffer.from(derive('room', 16)).toString('base64url'),
    terminal: derive('terminal', 32),
    browser: derive('browser', 32),
  };
}

export function sealWords(key: Uint8Array, room: string, words: unknown, random: Random): string {
  const nonce = random.bytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(room));
  const text = Buffer.concat([cipher.update(JSON.stringify(words), 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, text, cipher.getAuthTag()]).toString('base64url');
}

/** Undefined for what was not sealed with that key, or is no object. */
export function openWords(
  key: Uint8Array,
  room: string,
  sealed: string,
): Readonly<Record<string, unknown>> | undefined {
  const bytes = Buffer.from(sealed, 'base64url');
  if (bytes.length < NONCE + TAG) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE), { authTagLength: TAG });
  decipher.setAAD(Buffer.from(room));
  decipher.setAuthTag(bytes.subarray(-TAG));
  try {
    const text = Buffer.concat([decipher.update(bytes.subarray(NONCE, -TAG)), decipher.final()]).toString();
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** A pairing that lasts, as it is stored: what two hosts have in common, under a name of this one's own. */
import { type Store, StoreError } from '../../net/env.ts';
import { isStoreName } from '../../net/store.ts';
import { CodeError, parseCode } from '../code.ts';
import type { PairSide } from './party.ts';

/** Where both meet: at a server, by brokers of one's own, or, with neither, by the built-in ones. As the options are written. */
export interface KeptPlace {
  readonly server: string | null;
  readonly brokers: readonly string[];
  /** Who tells the public side where there is no server; the built-in ones where there are none. */
  readonly stun: readonly string[];
}

export interface Pairing extends KeptPlace {
  /** What this host calls the other one. */
  readonly name: string;
  /** 32 bytes that only these two have. */
  readonly key: Uint8Array;
  readonly side: PairSide;
  /** When it was made, and when the two met last: ISO 8601, UTC. */
  readonly since: string;
  readonly met: string;
}

const VERSION = 1;
const KIND = 'pairs';
const KEY_BYTES = 32;
const MOST_NAMES = 16;
const MOST_TEXT = 512;

/** In lower case, for some systems tell no other one in names of files; undefined for what is none, or looks like a code. */
export function pairingName(text: string): string | undefined {
  const name = text.toLowerCase();
  return isStoreName(name) && !looksLikeCode(name) ? name : undefined;
}

/** A code, or one with a letter that is wrong. */
export function looksLikeCode(text: string): boolean {
  try {
    parseCode(text);
    return true;
  } catch (error) {
    return error instanceof CodeError && (error.kind === 'mistyped' || error.kind === 'weak');
  }
}

export const pairingsIn = (store: Store): Promise<string[]> => store.list(KIND);

export const forgetPairing = (store: Store, name: string): Promise<boolean> => store.remove(`${KIND}/${name}`);

/** Undefined where there is none of that name. Rejects with StoreError. */
export async function readPairing(store: Store, name: string): Promise<Pairing | undefined> {
  const data = await store.read(`${KIND}/${name}`);
  if (!data) return undefined;
  const pairing = decoded(name, data);
  if (!pairing)
    throw new StoreError(`${store.place}/${KIND}/${name} holds no pairing: it is damaged, or of another version`);
  return pairing;
}

/** Rejects with StoreError. */
export async function writePairing(store: Store, { name, key, ...rest }: Pairing): Promise<void> {
  const text = JSON.stringify({ v: VERSION, key: Buffer.from(key).toString('base64url'), ...rest }, undefined, 2);
  await store.write(`${KIND}/${name}`, new TextEncoder().encode(`${text}\n`));
}

function decoded(name: string, data: Uint8Array): Pairing | undefined {
  try {
    const value = JSON.parse(new TextDecoder().decode(data)) as Record<string, unknown>;
    const { v, key: text, side, since, met, server, brokers, stun } = value;
    const key = typeof text === 'string' ? new Uint8Array(Buffer.from(text, 'base64url')) : undefined;
    if (v !== VERSION || key?.length !== KEY_BYTES || (side !== 'a' && side !== 'b')) return undefined;
    if (!isText(since) || !isText(met) || !(server === null || isText(server))) return undefined;
    if (!areNames(brokers) || !areNames(stun)) return undefined;
    return { name, key, side, since, met, server, brokers, stun };
  } catch {
    return undefined;
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= MOST_TEXT;

const areNames = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length <= MOST_NAMES && value.every(isText);

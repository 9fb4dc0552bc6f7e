/**
 * What `lifetime` found, remembered for the network that it was found in: whoever keeps a hole open there later need not guess. A network
 * is its router and its public address; names in the store are digests of both, so that a file does not tell where its owner was.
 */
import { createHash } from 'node:crypto';
import { addressBytes, type Family, familyOf } from '../../net/address.ts';
import { type Env, StoreError } from '../../net/env.ts';
import type { HoleLifetime, Lifetime } from './conclude.ts';

/** Of a measurement, as far as it is of use later. */
export interface KnownLifetime extends Pick<Lifetime, 'keepaliveMs'> {
  readonly measuredAt: Date;
  readonly holes: readonly Pick<HoleLifetime, 'after' | 'aliveMs' | 'deadMs'>[];
}

type MemoryEnv = Pick<Env, 'clock' | 'gateways' | 'store'>;

const KIND = 'lifetimes';
/** Routers get new firmware, and addresses new owners. */
const KEPT_MS = 30 * 86_400_000;
/** Networks that are remembered, the latest; and bytes of a file. */
const MOST_NETWORKS = 32;
const MOST_BYTES = 4_096;
const MOST_MS = 86_400_000;

/** The name of the network with that public address, which is behind the router that the system sends to first. */
async function networkOf({ gateways }: Pick<Env, 'gateways'>, address: string, signal: AbortSignal): Promise<string> {
  const family: Family = familyOf(address);
  const way = (await gateways(signal)).find((each) => each.family === family);
  // An IPv6 host has many addresses in its network, and changes them.
  const network = family === 6 ? addressBytes(address)?.subarray(0, 8).join('.') : address;
  return createHash('sha256')
    .update(`${way?.address ?? way?.interface ?? ''} ${network}`)
    .digest('hex')
    .slice(0, 32);
}

/** Remembers a result that says something. Rejects with StoreError, or with the signal's reason. */
export async function remember(env: MemoryEnv, found: Lifetime, address: string, signal: AbortSignal): Promise<void> {
  const { clock, store } = env;
  const { keepaliveMs } = found;
  const holes = found.holes.map(({ after, aliveMs, deadMs }) => ({ after, aliveMs, deadMs }));
  if (holes.length === 0) return;
  const name = await networkOf(env, address, signal);
  const text = JSON.stringify({ measuredAt: clock.date().toISOString(), holes, keepaliveMs });
  await store.write(`${KIND}/${name}`, new TextEncoder().encode(text));
  await forgetSome(env, name);
}

/** What is known of the network with that public address of ours; undefined where nothing is, or it is too old, or cannot be read. Rejects with the signal's reason. */
export async function recall(env: MemoryEnv, address: string, signal: AbortSignal): Promise<KnownLifetime | undefined> {
  // Systems take a while to tell their routes.
  const names = await env.store.list(KIND).catch(unreadable);
  return names.length > 0 ? read(env, await networkOf(env, address, signal)) : undefined;
}

/** The interval that holds a hole there though nobody answers, ms; undefined where it is not known. Rejects with the signal's reason. */
export const keepaliveAt = async (...where: Parameters<typeof recall>): Promise<number | undefined> =>
  (await recall(...where))?.keepaliveMs.unanswered ?? undefined;

async function forgetSome(env: MemoryEnv, latest: string): Promise<void> {
  const { store } = env;
  const names = (await store.list(KIND)).filter((name) => name !== latest);
  const dated = await Promise.all(
    names.map(async (name) => ({ name, at: (await read(env, name))?.measuredAt.getTime() ?? 0 })),
  );
  const kept = dated
    .filter(({ at }) => at > 0)
    .sort((a, b) => b.at - a.at)
    .slice(0, MOST_NETWORKS - 1);
  for (const each of dated) if (!kept.includes(each)) await store.remove(`${KIND}/${each.name}`);
}

function unreadable(error: unknown): [] {
  if (error instanceof StoreError) return [];
  throw error;
}

async function read({ clock, store }: MemoryEnv, name: string): Promise<KnownLifetime | undefined> {
  try {
    const data = await store.read(`${KIND}/${name}`);
    const known = data && data.length <= MOST_BYTES ? parsed(new TextDecoder().decode(data)) : undefined;
    const age = known && clock.date().getTime() - known.measuredAt.getTime();
    return age !== undefined && age >= -KEPT_MS && age <= KEPT_MS ? known : undefined;
  } catch (error) {
    if (error instanceof StoreError) return undefined;
    throw error;
  }
}

const isMs = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MOST_MS;
const isMsOrNull = (value: unknown): value is number | null => value === null || isMs(value);

/** A file of ours, unless somebody else has been at it. */
function parsed(text: string): KnownLifetime | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { measuredAt, holes, keepaliveMs } = (found ?? {}) as Partial<Record<keyof KnownLifetime, unknown>>;
  const at = new Date(typeof measuredAt === 'string' ? measuredAt : Number.NaN);
  const { answered, unanswered } = (keepaliveMs ?? {}) as Partial<Record<keyof Lifetime['keepaliveMs'], unknown>>;
  if (Number.isNaN(at.getTime()) || !Array.isArray(holes) || holes.length > 2) return undefined;
  if (!isMsOrNull(answered) || !isMsOrNull(unanswered)) return undefined;
  const all = holes.map((each: Partial<Record<keyof HoleLifetime, unknown>> | null) => {
    const { after, aliveMs, deadMs } = each ?? {};
    if ((after !== 'one-packet' && after !== 'both-ways') || !isMs(aliveMs) || !isMsOrNull(deadMs)) return undefined;
    return { after, aliveMs, deadMs } as const;
  });
  if (all.includes(undefined)) return undefined;
  return { measuredAt: at, holes: all.filter((each) => each !== undefined), keepaliveMs: { answered, unanswered } };
}

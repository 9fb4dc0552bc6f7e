/** Pairings that last, as `connect` uses them: kept after one code, met again by name, listed and forgotten. */
import type { Connection } from '../../connect/connection.ts';
import { agreeToKeep } from '../../connect/kept/agree.ts';
import {
  forgetPairing,
  type KeptPlace,
  type Pairing,
  pairingName,
  pairingsIn,
  readPairing,
  writePairing,
} from '../../connect/kept/pairing.ts';
import { StoreError } from '../../net/env.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { type Context, UsageError } from '../command.ts';
import type { ConnectEvent } from './events.ts';
import type { KeptPairing } from './report.ts';

const SHAPE = 'a name of up to 64 letters, digits, dots, dashes and underscores, not like a code';

export function parsePairingName(text: string, argument: string): string {
  const name = pairingName(text);
  if (name === undefined) throw UsageError.expected(argument, SHAPE, text);
  return name;
}

type Here = Pick<Context<ConnectEvent>, 'env' | 'signal' | 'note'>;

/** Before anybody is told a code: a pairing is never replaced unasked. Rejects with UsageError. */
export async function refuseKnownName(name: string, { env }: Here): Promise<void> {
  if (await orUsage(readPairing(env.store, name)))
    throw new UsageError(
      `--keep: a pairing is kept as ${name} already`,
      `nat-tool connect ${name} uses it, nat-tool connect --forget ${name} removes it.`,
    );
}

/** Undefined where nothing is kept under that name. Rejects with UsageError. */
export const findPairing = (name: string, { env }: Here): Promise<Pairing | undefined> =>
  orUsage(readPairing(env.store, name));

/** For those who mistype one. */
export async function knownNames({ env }: Here): Promise<string> {
  const names = await pairingsIn(env.store).catch(ignored([]));
  return names.length > 0 ? `Kept pairings: ${names.join(', ')}.` : '';
}

/** Both hosts store what they have in common; says why not where they do not. Rejects with the signal's reason. */
export async function keepAs(
  name: string,
  connection: Connection,
  place: KeptPlace,
  { env, signal, note }: Here,
): Promise<Finding | undefined> {
  const { pairing: key, first, peerKeeps } = connection;
  if (!key || !peerKeeps) return finding('not-kept', { why: 'the other host did not ask for it (--keep NAME)' });
  const { clock, store } = env;
  const since = clock.date().toISOString();
  const side = first ? 'a' : 'b';
  let stored = false;
  try {
    const came = await agreeToKeep(
      clock,
      connection,
      async () => {
        await writePairing(store, { name, key, side, since, met: since, ...place });
        stored = true;
      },
      signal,
    );
    if (came === 'not-wanted') return finding('not-kept', { why: 'nothing more was heard of the other host' });
    if (came === 'unconfirmed') {
      await forgetPairing(store, name);
      return finding('not-kept', { why: 'the other host did not say that it has stored it' });
    }
  } catch (error) {
    if (stored && signal.aborted) await forgetPairing(store, name).catch(ignored(false));
    if (!(error instanceof StoreError)) throw error;
    return finding('not-kept', { why: error.message });
  }
  note(`Kept as ${name}: from now on the two hosts meet without a code. `, `nat-tool connect ${name}`);
  return undefined;
}

/** Where it cannot be stored, nothing is lost but when the two met last. */
export async function noteMeeting(pairing: Pairing, { env }: Here): Promise<void> {
  await writePairing(env.store, { ...pairing, met: env.clock.date().toISOString() }).catch(ignored(undefined));
}

export async function listPairings({ env }: Here): Promise<KeptPairing[]> {
  const found: KeptPairing[] = [];
  for (const name of await orUsage(pairingsIn(env.store))) {
    const { since, met, server, brokers } = (await readPairing(env.store, name).catch(ignored(undefined))) ?? {};
    found.push({ name, since: since ?? null, met: met ?? null, server: server ?? null, brokers: brokers ?? [] });
  }
  return found;
}

/** False where there was none. */
export const forget = (name: string, { env }: Here): Promise<boolean> => orUsage(forgetPairing(env.store, name));

async function orUsage<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof StoreError) throw new UsageError(error.message);
    throw error;
  }
}

const ignored =
  <T>(instead: T) =>
  (error: unknown): T => {
    if (error instanceof StoreError) return instead;
    throw error;
  };

/**
 * Checks one TURN server over one transport: reach, login, allocation, permission, channel, data from this host through the relay and back to it,
 * between two relays, refresh, release. No peer is needed: a second socket of this host is one. Whatever goes wrong is in the result.
 */
import { type Endpoint, familyOf, formatEndpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { errorWords } from '../../net/error-words.ts';
import { interleaved, staggered } from '../../net/stagger.ts';
import { findTurnServer } from '../../turn/open.ts';
import { restName } from '../../turn/rest-login.ts';
import { formatTurnServer, type TurnServerName } from '../../turn/uri.ts';
import { ServerAddress } from './server-address.ts';
import { weightOf } from './cause.ts';
import type { CheckEnv, TurnCheckOptions } from './options.ts';
import { blankResult, errorIn, type TurnResult } from './result.ts';

/** Rejects with nothing of the network's: a signal that aborts ends it with what is known, and the relay is released all the same. Rejects with CredentialError. */
export async function checkTurn(
  env: CheckEnv,
  name: TurnServerName,
  options: TurnCheckOptions,
  signal: AbortSignal,
): Promise<TurnResult> {
  const { transport, credentials, timeoutMs } = options;
  const expiry = credentials && restName(credentials.username)?.expiresAt;
  const blank: TurnResult = {
    ...blankResult(formatTurnServer(name), transport),
    username: credentials?.username ?? null,
    expiresAt: expiry === undefined ? null : new Date(expiry * 1000).toISOString(),
  };
  const family = options.source === undefined ? options.family : familyOf(options.source);
  const deadline = env.clock.now() + timeoutMs;
  let endpoints: Endpoint[];
  try {
    endpoints = await findTurnServer(env, name, transport, family, timeoutMs, signal);
  } catch (error) {
    if (signal.aborted) return blank;
    if (!(error instanceof NetError)) throw error;
    return { ...blank, cause: 'no-answer', error: errorIn(error), detail: errorWords(error) };
  }
  const candidates = interleaved(endpoints, ({ address }) => familyOf(address)).map(
    (endpoint) => new ServerAddress(env, name, endpoint, options, { ...blank, address: formatEndpoint(endpoint) }),
  );
  try {
    const good = ({ relay }: ServerAddress): boolean => relay !== undefined;
    // Together no longer than one alone: a name with six dead addresses is dead just so.
    const allocate = (each: ServerAddress, within: AbortSignal): Promise<ServerAddress> =>
      each.allocate(Math.max(timeoutMs / 2, deadline - env.clock.now()), within);
    // One that was heard speaks for the name: it would ask for the same login elsewhere.
    const enough = (outcome: PromiseSettledResult<ServerAddress>): boolean =>
      outcome.status === 'fulfilled' && outcome.value.wasHeard;
    const best = await staggered(candidates, allocate, { clock: env.clock, signal, good, enough });
    if (!good(best)) return mostTelling(candidates.map((each) => each.result()));
    return await best.prove(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    return (candidates.find(({ relay }) => relay) ?? (candidates[0] as ServerAddress)).result();
  } finally {
    await Promise.all(candidates.map((each) => each.end()));
  }
}

/** The first of those that say most; those that were not waited for say nothing. */
const mostTelling = (results: readonly TurnResult[]): TurnResult =>
  results
    .filter(({ cause }) => cause !== null)
    .reduce((best, each) => (weightOf(each.cause) > weightOf(best.cause) ? each : best));

/** Data between two allocations of ours: what two need who are both relayed. */
import { type Endpoint, familyOf } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { TurnError } from '../../turn/failure.ts';
import { relayAt } from '../../turn/open.ts';
import type { RelaySocket } from '../../turn/relay-socket.ts';
import { converse, type End, endOf } from './conversation.ts';
import type { DataResult } from './result.ts';
import type { CheckEnv, TurnCheckOptions } from './options.ts';
import { AllocationAnswers } from './steps.ts';

export interface Between {
  readonly data: DataResult | null;
  /** With which the second allocation, or one of the permissions, was refused. */
  readonly code: number | undefined;
  /** To be released. */
  readonly other: RelaySocket | undefined;
}

interface Held {
  readonly relay: RelaySocket;
  readonly here: AllocationAnswers;
  readonly client: End;
  readonly graceMs: number;
  readonly proven: (at: number) => void;
}

/** `here`: what the server says to `relay`. Rejects with the signal's reason; then nothing is left of the second allocation. */
export async function betweenRelays(
  env: CheckEnv,
  { server, domain }: { readonly server: Endpoint; readonly domain: string },
  options: TurnCheckOptions,
  { relay, here, client, graceMs, proven }: Held,
  signal: AbortSignal,
): Promise<Between> {
  let answers: AllocationAnswers | undefined;
  let other: RelaySocket;
  try {
    const begun = (each: ConstructorParameters<typeof AllocationAnswers>[1]): void => {
      answers = new AllocationAnswers(env.clock, each);
    };
    other = await relayAt(
      env,
      server,
      domain,
      { ...options, relayFamily: familyOf(relay.local.address), peers: [relay.local], begun },
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    const code = error instanceof TurnError && error.ending.why === 'refused' ? error.ending.code : undefined;
    if (error instanceof TurnError || error instanceof NetError) return { data: null, code, other: undefined };
    throw error;
  }
  try {
    const there = answers as AllocationAnswers;
    relay.relay.feed({ kind: 'bind', to: other.local });
    const known = (said: AllocationAnswers, address: string) =>
      said.until(() => said.permission(address) !== 'pending', options.timeoutMs, signal);
    await Promise.all([known(here, other.local.address), known(there, relay.local.address)]);
    const denied = [here.permission(other.local.address), there.permission(relay.local.address)].find(
      (code) => typeof code === 'number' && code !== 0,
    );
    if (typeof denied === 'number') return { data: null, code: denied, other };
    const data = await converse(
      env,
      { ...client, to: other.local },
      { ...endOf(other), to: relay.local },
      { count: options.count, graceMs, proven },
      signal,
    );
    return { data, code: undefined, other };
  } catch (error) {
    other.close();
    throw error;
  }
}

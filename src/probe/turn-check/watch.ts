/** A relay that is held and used for as long as one likes, and what becomes of it. */
import type { Env } from '../../net/env.ts';
import { sleep } from '../../net/wait.ts';
import { endingWords } from '../../turn/failure.ts';
import type { TurnServerName } from '../../turn/uri.ts';
import { checkTurn } from './check.ts';
import { converse } from './conversation.ts';
import type { HeldRelay, TurnCheckOptions } from './options.ts';
import type { TurnCause, TurnResult } from './result.ts';

/** What happens while a relay is watched. */
export type WatchEvent =
  /** It relays: for the first time, or again. */
  | { readonly event: 'relaying'; readonly result: TurnResult }
  | { readonly event: 'data'; readonly sent: number; readonly received: number; readonly rttMs: number | null }
  /** It does not, or no more. */
  | { readonly event: 'lost'; readonly cause: TurnCause; readonly detail: string | null };

/** Datagrams each way in one round. */
const ROUND = 2;
const GRACE_MS = 600;
/** How long a server may take to say whether it still knows the allocation. */
const ASK_MS = 1_500;

type Lost = Pick<TurnResult, 'cause' | 'detail'>;

/** Until the signal aborts: one round of data every so often, and a fresh relay when the one before is lost. Resolves to the last result, with the cause of the last loss. */
export async function watchTurn(
  env: Pick<Env, 'clock' | 'random' | 'udp' | 'tcp' | 'resolver'>,
  name: TurnServerName,
  options: TurnCheckOptions,
  everyMs: number,
  emit: (event: WatchEvent) => void,
  signal: AbortSignal,
): Promise<TurnResult> {
  let lost: TurnCause | null = null;
  let told: TurnCause | null = null;
  for (;;) {
    const result = await checkTurn(
      env,
      name,
      {
        ...options,
        meanwhile: async (held, within) => {
          emit({ event: 'relaying', result: held.result });
          told = null;
          return hold(env, held, everyMs, emit, within);
        },
      },
      signal,
    );
    if (result.cause !== null && !signal.aborted) {
      lost = result.cause;
      if (told !== lost) emit({ event: 'lost', cause: result.cause, detail: result.detail });
      told = lost;
      await sleep(env.clock, everyMs, signal).catch(() => {});
    }
    if (signal.aborted) return { ...result, cause: lost ?? result.cause };
  }
}

async function hold(
  env: Pick<Env, 'clock' | 'random'>,
  held: HeldRelay,
  everyMs: number,
  emit: (event: WatchEvent) => void,
  signal: AbortSignal,
): Promise<Lost> {
  const { relay, client, peer, answers } = held;
  const talk = () => converse(env, client, peer, { count: ROUND, graceMs: GRACE_MS }, signal);
  for (;;) {
    // An allocation that ends is known of at once.
    await answers.until(() => false, everyMs, signal);
    if (!answers.ended) {
      const { sent, received, rttMs, out, in: back } = await talk();
      emit({ event: 'data', sent, received, rttMs });
      if (out.received > 0 && back.received > 0) continue;
      answers.refresh = undefined;
      relay.relay.feed({ kind: 'refresh', timeoutMs: ASK_MS });
      await answers.until(() => answers.refresh !== undefined, ASK_MS, signal);
    }
    if (answers.ended) return { cause: 'allocation-lost', detail: endingWords(await relay.relay.over) };
    if (answers.refresh?.code !== 0) return { cause: 'no-answer', detail: 'the server has fallen silent' };
    const again = await permittedAnew(held, signal);
    if (again !== 0) return { cause: 'permission-lost', detail: `the permission was not renewed (error ${again})` };
    const { out, in: back } = await talk();
    if (out.received > 0 && back.received > 0)
      return { cause: 'permission-lost', detail: 'data went again once the permission had been renewed' };
    if (answers.ended) continue;
    return back.received > 0
      ? { cause: 'relay-one-way', detail: null }
      : { cause: 'relay-ports-closed', detail: 'the allocation and its permission stand' };
  }
}

async function permittedAnew({ relay, answers, client }: HeldRelay, signal: AbortSignal): Promise<number | undefined> {
  const address = client.to?.address;
  if (address === undefined) return 0;
  answers.forget(address);
  relay.relay.feed({ kind: 'permit', addresses: [address], anew: true });
  await answers.until(() => answers.permission(address) !== 'pending', ASK_MS, signal);
  const code = answers.permission(address);
  return code === 'pending' ? undefined : code;
}

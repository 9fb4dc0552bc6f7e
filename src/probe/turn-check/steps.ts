/** The steps of a check as they end, and what the server said to each request. */
import type { Clock } from '../../net/env.ts';
import { toMicroseconds } from '../../net/round.ts';
import { Gate } from '../../net/wait.ts';
import type { AllocationAction } from '../../turn/allocation-api.ts';
import type { Relay } from '../../turn/relay.ts';
import type { TurnStep, TurnStepName } from './result.ts';

const ORDER: readonly TurnStepName[] = [
  'reach',
  'login',
  'allocate',
  'permission',
  'channel',
  'data',
  'relay',
  'refresh',
  'release',
];

export class Steps {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #done = new Map<TurnStepName, TurnStep>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.now();
  }

  /** The first end of a step counts. */
  add(step: TurnStepName, ok: boolean, code: number | null = null, at = this.#clock.now()): void {
    if (!this.#done.has(step)) this.#done.set(step, { step, ms: toMicroseconds(at - this.#startedAt), ok, code });
  }

  /** When it ended; 0 where it has not. */
  atMs(step: TurnStepName): number {
    return this.#done.get(step)?.ms ?? 0;
  }

  list(): TurnStep[] {
    return ORDER.flatMap((step) => this.#done.get(step) ?? []);
  }
}

/** What became of the requests of one allocation: 0 for success, undefined for silence. */
export class AllocationAnswers {
  readonly #gate: Gate;
  readonly #permissions = new Map<string, number | undefined>();
  refresh: { readonly code: number | undefined } | undefined;
  ended = false;

  constructor(clock: Clock, relay: Relay, steps?: Steps) {
    this.#gate = new Gate(clock);
    relay.observe((action, at) => {
      this.#note(action);
      if (steps) tell(action, at, steps);
      this.#gate.notify();
    });
  }

  /** What was said to a permission, alone or with a channel; `pending` where nothing has been yet. */
  permission(address: string): number | undefined | 'pending' {
    return this.#permissions.has(address) ? this.#permissions.get(address) : 'pending';
  }

  forget(address: string): void {
    this.#permissions.delete(address);
  }

  /** Resolves as soon as the condition holds, the allocation is over, or after `ms`. */
  async until(done: () => boolean, ms: number, signal: AbortSignal): Promise<void> {
    await this.#gate.wait(() => this.ended || done(), ms, signal);
  }

  #note(action: AllocationAction): void {
    if (action.kind === 'over') this.ended = true;
    if (action.kind !== 'answered') return;
    if (action.request === 'refresh') this.refresh = { code: action.code };
    if (action.request !== 'permit' && action.request !== 'bind') return;
    // A channel that is refused for its own sake leaves the permission open.
    const decides = action.request === 'permit' || action.code === 0 || action.code === 403 || action.code === 443;
    for (const address of action.addresses)
      if (decides && this.#permissions.get(address) !== 0) this.#permissions.set(address, action.code);
  }
}

function tell(action: AllocationAction, at: number, steps: Steps): void {
  switch (action.kind) {
    case 'challenged':
      return steps.add('reach', true, null, at);
    case 'ready':
      steps.add('reach', true, null, at);
      steps.add('login', true, null, at);
      return steps.add('allocate', true, null, at);
    case 'answered': {
      const ok = action.code === 0;
      const code = action.code || null;
      if (action.request === 'permit') steps.add('permission', ok, code, at);
      if (action.request === 'bind') {
        if (ok || code === 403 || code === 443) steps.add('permission', ok, code, at);
        steps.add('channel', ok, code, at);
      }
      if (action.request === 'refresh') steps.add('refresh', ok, code, at);
      if (action.request === 'release') steps.add('release', ok || code === 437, code, at);
      return;
    }
  }
}

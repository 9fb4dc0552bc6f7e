/** An ICE agent for one component (RFC 8445, 8838, 7675) as a pure, synchronous machine. */
import type { Machine } from '../net/machine.ts';
import type { IceAction, IceConfig, IceCounters, IceEvent, PairView, Role } from './api.ts';

export * from './api.ts';

/** `connected`: there is a valid pair; `completed`: one is selected. The last three are final. */
export type IceState = 'new' | 'checking' | 'connected' | 'completed' | 'failed' | 'lost' | 'closed';

export class IceAgent implements Machine<IceEvent, IceAction> {
  constructor(config: IceConfig) {
    void config;
  }

  get state(): IceState {
    throw new Error('not yet');
  }

  /** May change in a role conflict. */
  get role(): Role {
    throw new Error('not yet');
  }

  get selected(): PairView | undefined {
    throw new Error('not yet');
  }

  get counters(): Readonly<IceCounters> {
    throw new Error('not yet');
  }

  /** All pairs, best first. */
  pairs(): PairView[] {
    throw new Error('not yet');
  }

  handle(_event: IceEvent, _now: number): IceAction[] {
    throw new Error('not yet');
  }

  wakeAt(): number | undefined {
    throw new Error('not yet');
  }

  wake(_now: number): IceAction[] {
    throw new Error('not yet');
  }
}

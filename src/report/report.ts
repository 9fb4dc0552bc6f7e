import type { Finding } from './finding.ts';

/** What a command found out, as data. Additive change keeps the schema's number; a rename, removal or new type raises it. */
export interface Report<Data = unknown> {
  /** `nat-tool/<command>@<version>`. */
  readonly schema: `nat-tool/${string}@${number}`;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** `partial`: interrupted, or part of the question could not be asked; `failed`: nothing could be learnt. */
  readonly outcome: Outcome;
  readonly data: Data;
  readonly findings: readonly Finding[];
}

export type Outcome = 'complete' | 'partial' | 'failed';

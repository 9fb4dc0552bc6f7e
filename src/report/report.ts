import type { Clock } from '../net/env.ts';
import type { Finding } from './finding.ts';
import { toMicroseconds } from '../net/round.ts';

/** What a command found out, as data. Additive change keeps the schema's number; a rename, removal or new type raises it. */
export interface Report<Data = unknown> {
  /** `nat-tool/<command>@<version>`. */
  readonly schema: `nat-tool/${string}@${number}`;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** `partial`: interrupted, or part of the question could not be asked; `failed`: nothing could be learnt. */
  readonly outcome: Completeness;
  readonly data: Data;
  readonly findings: readonly Finding[];
}

export type Completeness = 'complete' | 'partial' | 'failed';

/** Starts the stopwatch of a report; the returned function closes it. `durationMs` is to the microsecond. */
export function startReport(clock: Clock, schema: Report['schema']) {
  const startedAt = clock.date().toISOString();
  const start = clock.now();
  return <Data>(outcome: Completeness, data: Data, findings: readonly Finding[] = []): Report<Data> => ({
    schema,
    startedAt,
    durationMs: toMicroseconds(clock.now() - start),
    outcome,
    data,
    findings,
  });
}

/** When an agent gives up, and what it then says of the reason (RFC 8445 §8.1.2, RFC 8863). Pure. */
import type { FailureReason } from './api.ts';

/** What happened so far, in numbers. */
export interface CheckTally {
  /** Speculative checks sent. */
  speculative: number;
  /** Authenticated requests of the peer. */
  requests: number;
  /** Authenticated answers to checks of ours. */
  answers: number;
  /** STUN messages that were not authentic, or answered nothing that was asked. */
  refused: number;
  /** Answers that were errors, or made no sense. */
  errors: number;
  /** Answers from elsewhere than asked. */
  asymmetric: number;
  /** Role conflicts that the peer insisted on. */
  conflicts: number;
}

export const newTally = (): CheckTally => ({
  speculative: 0,
  requests: 0,
  answers: 0,
  refused: 0,
  errors: 0,
  asymmetric: 0,
  conflicts: 0,
});

/** How long a valid pair may wait for the controlling peer's choice. By the book the peer may first let all its other checks run out. */
const UNNOMINATED_MS = 40_000;

export interface Prospects {
  /** Nothing is left to check, and nothing further will come of either side. */
  readonly exhausted: boolean;
  /** Until when the peer's own checks are waited for (RFC 8863). */
  readonly patientUntil: number;
  /** When a pair last became valid; undefined where none is. */
  readonly validSince: number | undefined;
  /** Until when a speculative check may be answered. */
  readonly speculationsEndAt: number;
}

/** When the verdict will be that it failed, if nothing more happens; undefined while there is work left. */
export function givesUpAt({ exhausted, patientUntil, validSince, speculationsEndAt }: Prospects): number | undefined {
  if (!exhausted) return undefined;
  // A path that works may be used before it is selected; the peer takes its time to choose.
  if (validSince !== undefined) return Math.max(patientUntil, validSince + UNNOMINATED_MS);
  return Math.max(patientUntil, speculationsEndAt);
}

export function failureReason(
  tally: CheckTally,
  { valid, pairs, anyReturnPath }: { readonly valid: boolean; readonly pairs: number; readonly anyReturnPath: boolean },
): FailureReason {
  if (valid) return 'not-nominated';
  if (tally.asymmetric > 0 && !anyReturnPath) return 'asymmetric-path';
  if (tally.errors > 0) return 'rejected';
  if (tally.requests > 0) return 'only-inbound';
  return pairs === 0 && tally.speculative === 0 ? 'no-pairs' : 'no-answer';
}

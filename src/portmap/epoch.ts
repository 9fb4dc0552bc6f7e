/** Whether a router has lost its mappings since it was last heard: what its count of seconds tells. Pure. */

/** The count as it was heard. */
export interface EpochSighting {
  /** Seconds, as the router says. */
  readonly epoch: number;
  /** ms on the client's clock. */
  readonly at: number;
}

/**
 * RFC 6887 §8.5: a count that fell by more than a second, or that ran at another pace than our own clock, by more than a sixteenth
 * and two seconds. RFC 6886 §3.6 allows an eighth and two seconds; the stricter rule does for both, as a mapping asked for
 * once too often costs nothing.
 */
export function hasRestarted(before: EpochSighting, now: EpochSighting): boolean {
  if (now.epoch + 1 < before.epoch) return true;
  const ours = Math.floor((now.at - before.at) / 1000);
  const theirs = now.epoch - before.epoch;
  return ours + 2 < theirs - Math.floor(theirs / 16) || theirs + 2 < ours - Math.floor(ours / 16);
}

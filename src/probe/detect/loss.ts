/**
 * How many unanswered sends make silence a fact. The exchanges that a working path must answer (controls) estimate the
 * chance that one exchange is lost; the silence of a test then needs so many sends that loss alone is no explanation.
 */

/** The chance we accept that a run of losses passes for a filter. */
const ACCEPTED = 1e-6;
/** Enough at 10 % one-way loss (0.19⁷ ≈ 9e-6) even where the controls happened to lose nothing. */
export const FEWEST_SENDS = 7;
/** Where even this many are too few, the answer is `unknown`. */
export const MOST_SENDS = 40;

/** Sends needed, from what the controls saw: `sent` exchanges tried and `received` of them answered. Laplace's estimate, so that no loss in few tries does not count as none. */
export function sendsForSilence(controls: { readonly sent: number; readonly received: number }): number {
  const lost = Math.max(0, controls.sent - controls.received);
  const q = (lost + 1) / (controls.sent + 2);
  const needed = Math.ceil(Math.log(ACCEPTED) / Math.log(q));
  return Math.max(FEWEST_SENDS, needed);
}

/** One measurement in the simulated network, and what is wrong with its bounds. */
import type { NatParts } from '../../../src/lab/nat-parts.ts';
import { Lab, type LabOptions } from '../../../src/lab/topology.ts';
import { concludeLifetime, type LifetimeConclusion } from '../../../src/probe/lifetime/conclude.ts';
import { type LifetimeFacts, type LifetimeOptions, measureLifetime } from '../../../src/probe/lifetime/measure.ts';

export interface Measured extends LifetimeConclusion {
  readonly facts: LifetimeFacts;
  readonly lab: Lab;
}

export async function measure(
  options: LabOptions,
  { maxMs = 330_000, ...more }: Partial<LifetimeOptions> = {},
  during?: (lab: Lab) => void,
): Promise<Measured> {
  const lab = new Lab(options);
  during?.(lab);
  const facts = await lab.run((env, signal) => measureLifetime(env, { servers: lab.servers, maxMs, ...more }, signal));
  return { ...concludeLifetime(facts), facts, lab };
}

/** How long a hole lives that was left alone after that. */
export function lifetimeOf(boxes: readonly NatParts[], after: 'one-packet' | 'both-ways'): number {
  return Math.min(
    ...boxes.map(({ filtering, lifetimes: { unrepliedMs, streamMs, filterMs } }) => {
      const mapping = after === 'one-packet' ? unrepliedMs : streamMs;
      const filters = filtering !== 'none' && filtering !== 'endpoint-independent';
      return filters && filterMs !== undefined ? Math.min(mapping, filterMs) : mapping;
    }),
  );
}

/** Bounds that the truth is outside of. */
export const wrongBounds = ({ data }: LifetimeConclusion, boxes: readonly NatParts[]): string[] =>
  data.holes.flatMap(({ after, aliveMs, deadMs }) => {
    const truth = lifetimeOf(boxes, after);
    return aliveMs > truth || (deadMs !== null && deadMs < truth)
      ? [`${after}: ${aliveMs}–${deadMs}, not ${truth}`]
      : [];
  });

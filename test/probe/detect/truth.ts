import type { Truth } from '../../../src/lab/nat-truth.ts';
import { Lab, type LabOptions } from '../../../src/lab/topology.ts';
import { measureBehaviour } from '../../../src/probe/detect/behaviour.ts';
import type { Credentials } from '../../../src/stun/client.ts';
import { type Conclusion, conclude } from '../../../src/probe/detect/conclude.ts';

/** Words in which a verdict contradicts the truth; `unknown` contradicts nothing. */
export function contradictions(truth: Truth, { data }: Conclusion): string[] {
  const words = (['type', 'mapping', 'filtering', 'hairpin'] as const).filter(
    (word) => data[word] !== 'unknown' && data[word] !== truth[word],
  );
  const { pattern, step } = data.portAllocation;
  const wrongPattern = pattern !== 'unknown' && pattern !== truth.portAllocation.pattern;
  const wrongStep = step !== undefined && truth.portAllocation.step !== undefined && step !== truth.portAllocation.step;
  return [
    ...words.map((word) => `${word} ${data[word]} for ${truth[word]}`),
    ...(wrongPattern || wrongStep ? [`ports ${pattern} ${step ?? ''} for ${truth.portAllocation.pattern}`] : []),
  ];
}

export interface Measured extends Conclusion {
  readonly truth: Truth;
  readonly lab: Lab;
}

/** Measures A's NAT with all the lab's servers; the abort comes at that virtual time. */
export async function measure(
  options: LabOptions,
  { abortAtMs, credentials }: { abortAtMs?: number; credentials?: Credentials } = {},
): Promise<Measured> {
  const lab = new Lab(options);
  const family = (lab.servers[0]?.address.includes(':') ? 6 : 4) as 4 | 6;
  const measurement = await lab.run(
    (env, signal) => measureBehaviour(env, family, { servers: lab.servers, credentials, timeoutMs: 8000 }, signal),
    abortAtMs === undefined ? {} : { abortAtMs },
  );
  return { ...conclude(measurement), truth: lab.truth, lab };
}

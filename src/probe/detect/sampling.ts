/** Fresh sockets: samples of how the NAT picks ports, and the two ends of the hairpin test. */
import { type Endpoint, familyOf, sameButZone, sameEndpoint } from '../../net/address.ts';
import { mapBounded } from '../../net/wait.ts';
import { hairpinTest } from './hairpin.ts';
import type { BehaviourFacts } from './facts.ts';
import { judge, mappingOf, SOCKETS_TO_BELIEVE } from './judgement.ts';
import { type Series, sendUntil, settled } from './series.ts';
import type { ProbeSocket } from './probes.ts';

/** RFC 5780 §5 and RFC 8489 §6.2 allow ten transactions outstanding to a server: the other tests take five, or later seven. */
export const SAMPLES_AT_ONCE = 3;
const MORE_SAMPLES = 5;
const MOST_AT_ONCE = 10;
export const SAMPLE_GAPS: readonly number[] = [100, 100, 150, 150, 200, 250, 300];

export async function sample(
  { probes, samples }: BehaviourFacts,
  server: Endpoint,
  count: number,
  atOnce: number,
  signal: AbortSignal,
): Promise<void> {
  const sockets: ProbeSocket[] = [];
  for (let i = 0; i < count; i++) sockets.push(await probes.open(signal));
  samples.push(...sockets);
  await mapBounded(sockets, atOnce, (socket) => {
    const series = probes.begin({ kind: 'allocation' }, socket, server);
    return sendUntil(series, SAMPLE_GAPS, () => settled(series), signal);
  }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

export async function sampleAndHairpin(
  m: BehaviourFacts,
  binding: Series,
  started: Promise<void> | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { probes } = m;
  await (started ?? sample(m, binding.to, SAMPLES_AT_ONCE, SAMPLES_AT_ONCE, signal));
  const preserved = probes.observations().filter(({ local, mapped }) => local.port === mapped.port).length;
  // Ports that are all preserved will go on being so. Unanswered filtering tests go on being asked.
  const atOnce = m.tests.every((test) => test.otherAddress === 'passed' && test.otherPort === 'passed')
    ? MORE_SAMPLES
    : SAMPLES_AT_ONCE;
  const pooled = judge(m).pool.size > 1;
  const more = preserved > SAMPLES_AT_ONCE && !pooled ? undefined : sample(m, binding.to, MORE_SAMPLES, atOnce, signal);
  await Promise.all([more, hairpin(m, binding.to, signal)]);
}

async function hairpin(m: BehaviourFacts, server: Endpoint, signal: AbortSignal): Promise<void> {
  const { probes, samples } = m;
  const ends = samples.flatMap((socket) => {
    const seen = probes.observations(socket)[0];
    // Behind a NAT64 the public side is of the other family, which this socket cannot send to.
    const reachable = seen && familyOf(seen.mapped.address) === probes.family;
    return reachable && !sameButZone(seen.local, seen.mapped) ? [{ socket, seen }] : [];
  });
  const [a, b] = ends;
  if (!a || !b) return;
  const filtersNothing = () => m.tests.some((test) => test.otherAddress === 'passed');
  m.hairpin = await hairpinTest(probes, a, b, probes.roundTripMs(), filtersNothing, signal);
  // Where mappings depend on the destination the probes were new flows: one more shows whether the NAT still takes any.
  if (m.hairpin.outcome !== 'heard' && mappingOf(m).dependent) await sample(m, server, 1, 1, signal);
}

/**
 * Where the NAT has several public addresses, flows of one socket may have got the same one by chance: asks the other endpoints that
 * the mapping socket asked from further sockets too.
 */
export async function compareOnMoreSockets(m: BehaviourFacts, signal: AbortSignal): Promise<void> {
  const { probes, samples, x } = m;
  const { pool, verdict } = judge(m);
  if (pool.size < 2 || !x || verdict.dependent) return;
  const asked = probes.series.filter((each) => each.mux === x.mux && probes.believes(each));
  const flows = samples.slice(0, SOCKETS_TO_BELIEVE).flatMap((socket) => {
    const done = probes.observations(socket).map(({ remote }) => remote);
    return asked
      .filter(({ to }) => !done.some((each) => sameEndpoint(each, to)))
      .map(({ to, server }) => ({ socket, to, server }));
  });
  await mapBounded(flows, MOST_AT_ONCE, ({ socket, to, server }) => {
    const series = probes.begin({ kind: 'allocation' }, socket, to, { server });
    return sendUntil(series, SAMPLE_GAPS, () => settled(series) || mappingOf(m).dependent, signal);
  });
}

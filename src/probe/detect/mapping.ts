/** Mapping tests (RFC 5780 §4.3): the same socket asks further endpoints of a server, and whoever contradicts another is heard in full. */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import type { BehaviourFacts } from './facts.ts';
import { judge } from './judgement.ts';
import type { ProbeSocket } from './probes.ts';
import { usableOther } from './search.ts';
import { type Series, sendUntil, settled } from './series.ts';

const AGAIN_GAPS: readonly number[] = [60, 100, 150, 200];
/** How long the last guess at a next port is waited for, at least. */
const NEAR_PORT_MS = 80;

/** Tests II and III, and the fourth combination, all at once; what has been answered already is not asked again. */
export async function testMapping(
  { probes }: BehaviourFacts,
  x: ProbeSocket,
  { to: asked, server }: Series,
  other: Endpoint,
  signal: AbortSignal,
): Promise<void> {
  const remotes = [
    { number: 2, to: other },
    { number: 3, to: { address: other.address, port: asked.port } },
    { number: 4, to: { address: asked.address, port: other.port } },
  ] as const;
  // The second address may be reached by another interface than the first.
  await probes.route([other], signal);
  const gap = Math.max(40, 1.5 * probes.roundTripMs());
  const gaps = [1, 1, 1, 1, 1.5, 1.5, 2, 2, 3, 3].map((factor) => factor * gap);
  const seen = probes.observations(x).map(({ remote }) => remote);
  const fresh = remotes.filter(
    ({ to }, i) =>
      !seen.some((each) => sameEndpoint(each, to)) && remotes.findIndex((each) => sameEndpoint(each.to, to)) === i,
  );
  await Promise.all(
    fresh.map(({ number, to }) => {
      const series = probes.begin({ kind: 'mapping', number }, x, to, { server });
      return sendUntil(series, gaps, () => settled(series), signal);
    }),
  );
}

/** A server on one address may answer on the next port too, as our own does: that tells whether the NAT goes by the port. Undefined where it does not. */
export async function nearPort(
  { probes }: BehaviourFacts,
  x: ProbeSocket,
  { to, server }: Series,
  signal: AbortSignal,
): Promise<Endpoint | undefined> {
  if (to.port === 65_535) return undefined;
  const near = { address: to.address, port: to.port + 1 };
  const series = probes.begin({ kind: 'mapping', number: 4 }, x, near, { server });
  const gaps = [60, 60, Math.max(NEAR_PORT_MS, 2 * probes.roundTripMs())];
  await sendUntil(series, gaps, () => settled(series), signal);
  return probes.believes(series) ? near : undefined;
}

/** Where servers contradict each other, the second addresses of those that were not tested are asked too: one server must not outweigh another because it had its turn first. */
export async function hearBothSides(
  m: BehaviourFacts,
  x: ProbeSocket,
  bindings: readonly Series[],
  signal: AbortSignal,
): Promise<void> {
  const { probes } = m;
  await askAgain(m, x, signal);
  const { odd, disputed } = judge(m);
  if (odd.length === 0 && !disputed) return;
  const heard = new Set(
    probes
      .observations(x)
      .filter(({ remote, server }) => formatEndpoint(remote) !== server)
      .map(({ server }) => server),
  );
  await Promise.all(
    bindings.map((binding) => {
      const other = probes.believes(binding) ? usableOther(binding, probes.ground) : undefined;
      return other && !heard.has(formatEndpoint(binding.server))
        ? testMapping(m, x, binding, other, signal)
        : undefined;
    }),
  );
}

/** Where different public sides were seen, each server is asked once more about one flow at each of its ports, which no NAT maps anew while it is in use. */
export async function askAgain(m: BehaviourFacts, x: ProbeSocket, signal: AbortSignal): Promise<void> {
  const { probes } = m;
  const { verdict, odd, disputed } = judge(m);
  if (!verdict.dependent && odd.length === 0 && !disputed) return;
  const flows = probes.series.filter(
    (each, i) =>
      each.mux === x.mux &&
      probes.believes(each) &&
      probes.series.findIndex(
        ({ mux, server, to, answer }) =>
          mux === x.mux && answer && sameEndpoint(server, each.server) && to.port === each.to.port,
      ) === i &&
      !probes.series.some(({ purpose, to }) => purpose.kind === 'again' && sameEndpoint(to, each.to)),
  );
  await Promise.all(
    flows.map(({ to, server }) => {
      const series = probes.begin({ kind: 'again' }, x, to, { server });
      return sendUntil(series, AGAIN_GAPS, () => settled(series), signal);
    }),
  );
}

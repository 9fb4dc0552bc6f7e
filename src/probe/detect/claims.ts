/**
 * What servers say of us, put to the test. An answer that RESPONSE-PORT (RFC 5780 §7.5) directs to the port that a server named comes
 * only where that port is ours, whatever NAT and filter are on the way: it leaves from where the flow leads.
 */
import { formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { mapBounded } from '../../net/wait.ts';
import { attribute } from '../../stun/attributes.ts';
import { mappedAddress } from '../../stun/message.ts';
import type { BehaviourFacts } from './facts.ts';
import { FEWEST_SENDS } from './loss.ts';
import type { Claim, Probes, ProbeSocket } from './probes.ts';
import { type Series, sendUntil } from './series.ts';

const ROUND_MS = 25;
/** Other tests are under way beside these. */
const AT_ONCE = 4;
/** Discard (RFC 863): no NAT gives this port to anybody, so what is sent there comes to nobody. */
const NOBODYS_PORT = 9;

/**
 * Tests every flow of the mapping socket to servers that were asked at several endpoints. What is denied by a server that confirmed
 * another flow is refuted; one that confirms none may drop what it does not know.
 */
export async function testClaims({ probes }: BehaviourFacts, x: ProbeSocket, signal: AbortSignal): Promise<void> {
  const flows = probes.series.filter(
    (each, i) =>
      each.purpose.kind === 'mapping' &&
      probes.believes(each) &&
      !probes.claims.has(formatEndpoint(each.to)) &&
      probes.series.findIndex(({ mux, to, answer }) => mux === x.mux && answer && sameEndpoint(to, each.to)) === i,
  );
  const several = flows.filter(({ server }) => flows.filter((each) => sameEndpoint(each.server, server)).length > 1);
  await mapBounded(several, AT_ONCE, async (flow) => {
    const port = flow.answer && mappedAddress(flow.answer.message)?.port;
    if (port === undefined) return;
    probes.claims.set(formatEndpoint(flow.to), await directed(probes, x, flow, port, signal));
  });
  for (const { server, to } of several) {
    const confirmed = several.some(
      (each) => sameEndpoint(each.server, server) && probes.claims.get(formatEndpoint(each.to)) === 'confirmed',
    );
    if (confirmed && probes.claims.get(formatEndpoint(to)) === 'denied') probes.refuted.add(formatEndpoint(to));
  }
  probes.gate.notify();
}

/** Whether a server that confirmed a flow would have denied a false one: an answer directed to a port of nobody's must not come. */
export async function honoursPort(
  { probes }: Pick<BehaviourFacts, 'probes'>,
  x: ProbeSocket,
  flow: Series,
  signal: AbortSignal,
): Promise<boolean> {
  return (await directed(probes, x, flow, NOBODYS_PORT, signal)) !== 'confirmed';
}

async function directed(
  probes: Probes,
  x: ProbeSocket,
  { to, server }: Series,
  port: number,
  signal: AbortSignal,
): Promise<Claim> {
  const series = probes.begin({ kind: 'claim' }, x, to, { server, attributes: [attribute('RESPONSE-PORT', port)] });
  const came = (): boolean => series.replies.some(({ message }) => message.class === 'success');
  const over = (): boolean => came() || series.errorAnswer !== undefined || series.failure !== undefined;
  const gaps = [...Array.from({ length: 2 * FEWEST_SENDS }, () => ROUND_MS), probes.answerWindowMs()];
  await sendUntil(series, gaps, over, signal);
  const outcome = came() ? 'confirmed' : over() ? 'open' : 'denied';
  series.verdict = { confirmed: 'came to the port', denied: 'did not come to the port', open: 'not supported' }[
    outcome
  ];
  return outcome;
}

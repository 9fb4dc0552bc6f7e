/** The positive controls of the filtering tests, and, where they show it, which of a server's addresses is wrong about us. */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { scope } from '../../net/wait.ts';
import { honoursPort, testClaims } from './claims.ts';
import type { BehaviourFacts, ServerTest, Unproven } from './facts.ts';
import { changeControl, type FilteringOutcome } from './filtering.ts';
import { judge } from './judgement.ts';
import type { ProbeSocket } from './probes.ts';
import type { Change } from './purpose.ts';
import { CHOICE_GRACE_MS } from './search.ts';

/** FilteringTests tests under way, with the means to give them up. */
export interface FilteringTests {
  readonly finished: Promise<void>;
  abandon(): void;
}

/** Proves that the server honours the changes, as long as their tests have not been answered. */
export async function control(
  m: BehaviourFacts,
  x: ProbeSocket,
  test: ServerTest,
  other: Endpoint,
  filtering: FilteringTests,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { probes } = m;
  const bounds = scope(probes.env.clock, signal);
  const open = (outcome: FilteringOutcome | undefined) => outcome === undefined || outcome === 'silent';
  const { verdict, disputed } = judge(m);
  const suspect = verdict.dependent || disputed;
  const mapping = !suspect ? 'one' : verdict.mapping === 'address-and-port-dependent' ? 'each' : 'two';
  const both = { ip: true, port: true };
  const portAlone = { ip: false, port: true };
  const beside = { address: test.server.address, port: other.port };
  const apart = other.address !== test.server.address;
  // That the NAT goes by the port rests on the word of second ports alone.
  const isOpen = (): boolean => (apart && mapping !== 'each' ? test.otherAddress : test.otherPort) === 'passed';
  const reached: Reached[] = [];
  const prove = async (opened: Endpoint, change: Change): Promise<boolean> => {
    const asked = { server: test.server, opened, change, mapping } as const;
    const { here, there } = await changeControl(probes, x, asked, bounds.signal);
    if (here) reached.push({ opened, change });
    return here || there;
  };
  const controls = Promise.all([
    suspect && isOpen() ? testClaims(m, x, bounds.signal) : undefined,
    open(test.otherAddress) && apart
      ? prove(other, both).then((honoured) => void (test.honoursAddress = honoured))
      : undefined,
    test.otherAddress !== 'passed' && open(test.otherPort)
      ? prove(beside, portAlone).then((honoured) => void (test.honoursPort = honoured))
      : undefined,
  ]);
  controls.catch(() => {});
  try {
    await probes.gate.wait(
      () => test.otherAddress === 'passed' || (test.otherAddress !== undefined && test.otherPort !== undefined),
      timeoutMs,
      signal,
    );
    if (test.otherAddress !== 'passed' || suspect) await controls;
    // What passes from another address passes from another port: its answer is only waited for to complete the table.
    if (test.otherAddress === 'passed')
      await probes.gate.wait(() => test.otherPort !== undefined, CHOICE_GRACE_MS, signal);
    await weighReached(m, x, test, reached, suspect && isOpen(), signal);
  } finally {
    bounds.abort();
    filtering.abandon();
  }
  await Promise.allSettled([filtering.finished, controls]);
  signal.throwIfAborted();
}

/** From where an answer came to the mapping that the server sees. */
interface Reached {
  readonly opened: Endpoint;
  readonly change: Change;
}

/**
 * What comes by the mapping that the server sees, and by no other socket, was let in by what the mapping socket sent to `opened`: so one
 * mapping reaches both, whatever they say. Where they say otherwise, and where the NAT lets everybody in (`open`) and they differ, one of
 * them may be wrong.
 */
async function weighReached(
  m: BehaviourFacts,
  x: ProbeSocket,
  { server, otherAddress, otherPort }: ServerTest,
  reached: readonly Reached[],
  open: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { probes } = m;
  const sights = probes.observations(x);
  const seenAt = (remote: Endpoint) => sights.find((each) => sameEndpoint(each.remote, remote))?.mapped;
  const here = seenAt(server);
  const alone = reached.filter(({ change }) => (change.ip ? otherAddress : otherPort) === 'silent');
  const atOdds = alone.filter(({ opened }) => {
    const there = seenAt(opened);
    return here && there && !sameEndpoint(here, there);
  });
  const doubtful = open || atOdds.length > 0;
  if (doubtful) await testClaims(m, x, signal);
  const refuted = [server, ...alone.map(({ opened }) => opened)].some((each) =>
    probes.refuted.has(formatEndpoint(each)),
  );
  for (const { opened } of alone)
    if (opened.address !== server.address)
      m.joined.push({ proven: refuted || !atOdds.some((each) => each.opened === opened) });
  if (!doubtful) return;
  const why = await unproven(m, x, server, atOdds.length > 0, otherAddress === 'passed', signal);
  if (why) m.unproven = { server: formatEndpoint(server), why };
}

/** Where nothing refutes a server, only one that does RESPONSE-PORT as it should is believed that the NAT goes by the destination. */
async function unproven(
  { probes }: BehaviourFacts,
  x: ProbeSocket,
  server: Endpoint,
  atOdds: boolean,
  open: boolean,
  signal: AbortSignal,
): Promise<Unproven | undefined> {
  const own = probes.series.filter(
    (each) => each.purpose.kind === 'mapping' && each.mux === x.mux && sameEndpoint(each.server, server),
  );
  const claims = own.flatMap(({ to }) => probes.claims.get(formatEndpoint(to)) ?? []);
  const [flow] = own;
  if (!flow || claims.length === 0) return undefined;
  const confirmed = claims.includes('confirmed');
  if (confirmed && claims.includes('denied')) return undefined;
  if (!confirmed && claims.includes('denied')) return atOdds || open ? 'at-odds' : 'denied';
  const seen = probes.observations(x).map(({ mapped }) => mapped);
  const apart = new Set(seen.map(({ address }) => address)).size > 1;
  // Four ports that a server confirms are more than one that is wrong somewhere would name.
  const several = new Set(seen.map(({ port }) => port)).size > 2;
  if (confirmed && !apart && ((several && !atOdds) || (await honoursPort({ probes }, x, flow, signal))))
    return undefined;
  return atOdds ? 'at-odds' : open ? 'two-sided' : undefined;
}

/** The positive controls of the filtering tests, and, where they show it, which of a server's addresses is wrong about us. */
import type { Endpoint } from '../../net/address.ts';
import { scope } from '../../net/wait.ts';
import type { BehaviourFacts, ServerTest } from './facts.ts';
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
  // Addresses that see different ports may make a NAT symmetric, or one of them is wrong: they are held against each other.
  const suspect = other.address !== test.server.address && judge(m).verdict.mapping === 'address-dependent';
  const both = { ip: true, port: true };
  const shared: string[] = [];
  const prove = async (server: Endpoint, opened: Endpoint, change: Change): Promise<boolean> => {
    const control = { server, opened, change, bothWays: suspect };
    const { here, there } = await changeControl(probes, x, control, bounds.signal);
    if (here && !there) probes.refuted.add(opened.address);
    if (change.ip && here && there) shared.push(server.address, opened.address);
    return here || there;
  };
  const controls = Promise.all([
    suspect ? prove(other, test.server, both) : undefined,
    (open(test.otherAddress) || suspect) && other.address !== test.server.address
      ? prove(test.server, other, both).then((honoured) => void (test.honoursAddress = honoured))
      : undefined,
    test.otherAddress !== 'passed' && open(test.otherPort)
      ? prove(test.server, { address: test.server.address, port: other.port }, { ip: false, port: true }).then(
          (honoured) => void (test.honoursPort = honoured),
        )
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
    // Through a filter that only this mapping opened: so both addresses are served by one, and do not see two.
    if (suspect && test.otherAddress === 'silent' && probes.refuted.size === 0)
      for (const address of shared) probes.refuted.add(address);
  } finally {
    bounds.abort();
    filtering.abandon();
  }
  await Promise.allSettled([filtering.finished, controls]);
  signal.throwIfAborted();
}

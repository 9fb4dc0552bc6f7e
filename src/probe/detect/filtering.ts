/**
 * Filtering tests (RFC 5780 §4.4), each on a socket of its own that never sends anywhere but to the server's primary endpoint.
 * An answer from a changed source is a fact; silence is one only after many sends among answered controls, and only where
 * the server has been seen to honour the same request on an open path (reported erratum 7971).
 */
import { type Endpoint, sameEndpoint } from '../../net/address.ts';
import { type Attribute, attribute } from '../../stun/attributes.ts';
import { mappedAddress } from '../../stun/message.ts';
import type { Passage } from '../../nat/filtering.ts';
import { FEWEST_SENDS, MOST_SENDS, sendsForSilence } from './loss.ts';
import type { Change } from './purpose.ts';
import { type Series, sendUntil } from './series.ts';
import type { Probes, ProbeSocket } from './probes.ts';

/** Spacing of the sends. Losses come in bursts, so they must not all leave at once. */
const ROUND_MS = 25;
/** How long the first answer is waited for, once everything has been sent. */
const SLOWEST_PATH_MS = 1000;

/** `silent`: so many sends unanswered that it means something, if the server honours the request at all. */
export type FilteringOutcome = 'passed' | 'silent' | 'ignored' | 'rejected' | 'inconclusive';

/** Whether a reply came from the source that was asked for, as far as the reply itself shows. */
const changed = (from: Endpoint, asked: Endpoint, change: Change): boolean =>
  change.ip ? from.address !== asked.address : from.address === asked.address ? from.port !== asked.port : true;

export async function filteringTest(
  probes: Probes,
  socket: ProbeSocket,
  server: Endpoint,
  change: Change,
  signal: AbortSignal,
): Promise<FilteringOutcome> {
  const baseline = probes.begin({ kind: 'baseline', change }, socket, server);
  const test = probes.begin({ kind: 'filtering', change }, socket, server, {
    attributes: [attribute('CHANGE-REQUEST', change)],
  });
  const outcome = await listenFor(probes, baseline, test, change, signal);
  test.verdict = outcome === 'silent' ? 'no answer came through' : outcome;
  return outcome;
}

async function listenFor(
  probes: Probes,
  baseline: Series,
  test: Series,
  change: Change,
  signal: AbortSignal,
): Promise<FilteringOutcome> {
  const heard = (): FilteringOutcome | undefined => {
    if (test.replies.some(({ message, from }) => message.class === 'success' && changed(from, test.to, change)))
      return 'passed';
    if (test.errorAnswer) return 'rejected';
    return test.answer && 'ignored';
  };
  const done = () => heard() !== undefined || test.failure !== undefined;
  for (let target = FEWEST_SENDS; target <= MOST_SENDS; ) {
    for (let round = 0; test.sent < target; round++) {
      if (round % 2 === 0 || !baseline.answer) baseline.send();
      test.send();
      if (await test.wait(done, ROUND_MS, signal)) return heard() ?? 'inconclusive';
    }
    // Until the baseline is answered nothing is known of the round trip, and on a slow path no answer can have come.
    if (
      !baseline.answer &&
      (await test.wait(() => done() || baseline.answer !== undefined, SLOWEST_PATH_MS, signal)) &&
      done()
    )
      return heard() ?? 'inconclusive';
    const rest = probes.answerWindowMs() - (probes.env.clock.now() - (test.lastSentAt ?? 0));
    if (rest > 0 && (await test.wait(done, rest, signal))) return heard() ?? 'inconclusive';
    const controls = probes.tally();
    const needed = sendsForSilence(controls);
    if (baseline.answer && test.sent >= needed) return 'silent';
    // Others are answered and this socket is not: whoever keeps it from that, it is not loss, and more sends change nothing.
    if (!baseline.answer && controls.received > 0 && baseline.sent >= needed) return 'inconclusive';
    target = Math.max(needed, target + 1);
  }
  return 'inconclusive';
}

/**
 * A request for an answer from `opened`, from a socket that has sent there itself, so that no filter is in the way. Where the NAT maps by
 * destination (`here` is how the asked endpoint sees the socket, `there` how `opened` does) RESPONSE-PORT directs the answer to the
 * mapping towards `opened` (RFC 5780 §7.5). Undefined where the two differ in address too: nothing directs an answer there.
 */
export function changeToOpened(change: Change, here: Endpoint, there: Endpoint): readonly Attribute[] | undefined {
  if (here.address !== there.address) return undefined;
  return [
    attribute('CHANGE-REQUEST', change),
    ...(here.port === there.port ? [] : [attribute('RESPONSE-PORT', there.port)]),
  ];
}

/** Whether an answer came from the endpoint that it was asked from. */
export interface ControlOutcome {
  /** Where the mapping that the asked endpoint sees takes it. */
  readonly here: boolean;
  /** Where the mapping that `opened` says it sees takes it: the same where both see the same. */
  readonly there: boolean;
}

/**
 * The positive control: the same change asked for from the mapping socket, which has already sent to `opened`. A server without
 * RESPONSE-PORT cannot be proven where the NAT maps by destination.
 */
export async function changeControl(
  probes: Probes,
  socket: ProbeSocket,
  { server, opened, change, mapping }: Control,
  signal: AbortSignal,
): Promise<ControlOutcome> {
  const seenAs = (remote: Endpoint) =>
    probes.observations(socket).find((each) => sameEndpoint(each.remote, remote))?.mapped;
  const here = seenAs(server);
  const there = seenAs(opened);
  if (!here || !there) return { here: false, there: false };
  const directed = mapping === 'one' ? undefined : changeToOpened(change, here, there);
  const gaps = [...Array.from({ length: 2 * FEWEST_SENDS }, () => ROUND_MS), probes.answerWindowMs()];
  const ask = async (attributes: readonly Attribute[]): Promise<boolean> => {
    const series = probes.begin({ kind: 'control', change }, socket, server, { attributes });
    const came = (): boolean =>
      series.replies.some(
        ({ message, from }) =>
          message.class === 'success' && sameEndpoint(from, opened) && mappedAddress(message) !== undefined,
      );
    const over = () => came() || series.errorAnswer !== undefined || series.answer !== undefined;
    await sendUntil(series, gaps, over, signal);
    series.verdict = came() ? 'honoured' : 'not honoured';
    return came();
  };
  const plain = [attribute('CHANGE-REQUEST', change)];
  if (!directed || here.port === there.port) {
    const came = await ask(plain);
    return { here: came, there: came };
  }
  if (mapping === 'two') {
    const [inPlain, inOther] = await Promise.all([ask(plain), ask(directed)]);
    return { here: inPlain, there: inOther };
  }
  const inOther = await ask(directed);
  return { here: !inOther && (await ask(plain)), there: inOther };
}

/** What {@link changeControl} asks of whom. */
export interface Control {
  readonly server: Endpoint;
  readonly opened: Endpoint;
  readonly change: Change;
  /** How many mappings the two are thought to be reached by: where it may be `two`, or a server be wrong, the answer is asked for in both ways at once. */
  readonly mapping: 'one' | 'two' | 'each';
}

/** What a test means, once it is known whether the server honours the change. */
export function passage(outcome: FilteringOutcome, honoured: boolean): Passage {
  if (outcome === 'passed') return 'passed';
  return outcome === 'silent' && honoured ? 'dropped' : 'unknown';
}

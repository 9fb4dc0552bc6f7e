/** Finding servers that answer, the most useful first, and telling a dead server from a blocked network. */
import type { Endpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { reachedBeside } from '../../net/nat64.ts';
import type { Ground } from '../../nat/evidence.ts';
import { STAGGER_MS } from '../../net/stagger.ts';
import type { Attribute } from '../../stun/attributes.ts';
import { isPlausibleOther, otherAddress } from '../../stun/binding.ts';
import type { BehaviourFacts } from './facts.ts';
import { SAMPLE_GAPS } from './sampling.ts';
import { type Series, sendUntil, settled } from './series.ts';
import { EMPTY_CHANGE, type Probes, type ProbeSocket } from './probes.ts';
import { tcpControl } from './tcp-control.ts';

/** Gaps after each Binding request until somebody answers; the sum bounds how long a silent server is waited for. */
const SEARCH_GAPS: readonly number[] = [100, 100, 150, 150, 200, 200, 250, 250, 300, 300, 300, 300, 400, 400];
/** Silence after which the same servers are asked over TCP, to tell a blocked network from a dead server. */
const TCP_CONTROL_AFTER_MS = 450;
/** Unanswered sends after which a server that answers over TCP is called blocked over UDP: 3 s, for some are slow. */
const SENDS_TO_CALL_IT_BLOCKED = 13;
const MOST_TCP_CONTROLS = 5;
/** How long a second server's answer is waited for when none can test filtering. */
const SECOND_ADDRESS_GRACE_MS = 500;
/** When one of several servers has answered, how long better ones are waited for, at least. */
export const CHOICE_GRACE_MS = 60;

/** The first of one server's bindings that are sent in turn; the others follow while it is silent or has failed. */
type Turns = readonly Series[];

/** A server's bindings: to its address, to the same as a server of RFC 3489 may want it, with an empty CHANGE-REQUEST, and to further addresses of its name. */
export function turnsOf(probes: Probes, x: ProbeSocket, server: Endpoint, spares: readonly Endpoint[] = []): Turns {
  const begin = (to: Endpoint, attributes: readonly Attribute[] = []): Series =>
    probes.begin({ kind: 'mapping', number: 1 }, x, to, { server, attributes });
  return [begin(server), begin(server, EMPTY_CHANGE), ...spares.map((spare) => begin(spare))];
}

async function inTurn(probes: Probes, turns: Turns, signal: AbortSignal): Promise<void> {
  const answered = (): boolean => turns.some((each) => probes.believes(each));
  const waitFor = (before: Series) => probes.gate.wait(() => answered() || settled(before), STAGGER_MS, signal);
  const sending: Promise<unknown>[] = [];
  let before: Series | undefined;
  for (const series of turns) {
    if (before) await waitFor(before);
    if (answered()) break;
    // A server that said something useless or false says no better when it is asked again.
    if (before && before.to === series.to && settled(before)) continue;
    const own = sendUntil(series, SEARCH_GAPS, () => settled(series) || answered(), signal);
    own.catch(() => {});
    sending.push(own);
    before = series;
  }
  await Promise.all(sending);
}

/** Asks all servers from the mapping socket until the most useful ones have answered; empty when none did. */
export async function searchServers(
  m: BehaviourFacts,
  servers: readonly Turns[],
  source: string | undefined,
  signal: AbortSignal,
): Promise<Series[]> {
  const { probes } = m;
  const bindings = servers.map(([first]) => first as Series);
  const answered = () => servers.flat().filter((each) => probes.believes(each));
  const over = new Set<Turns>();
  const exhausted = () => servers.every((turns) => over.has(turns) || turns.some((each) => probes.believes(each)));
  // A server by another route, such as a tunnel's, does not speak for the usual one.
  const usual = probes.usualRoute(m.servers);
  const onPath = (each: Series): boolean => usual === undefined || each.local.address === usual;
  const capable = () => answered().some((each) => onPath(each) && usableOther(each, probes.ground) !== undefined);
  const sending = Promise.all(
    servers.map((turns) =>
      inTurn(probes, turns, signal).then(() => {
        over.add(turns);
        probes.gate.notify();
      }),
    ),
  );
  const control = controlByTcp(m, bindings, source, signal);
  // The sending goes on in the background while better answers are waited for; an abort ends it.
  sending.catch(() => {});
  control.catch(() => {});
  const longest = SEARCH_GAPS.reduce((sum, gap) => sum + gap, 0);
  const blocked = () =>
    m.tcp.some((each) => each.outcome === 'answered') &&
    bindings.every((each) => settled(each) || each.sent >= SENDS_TO_CALL_IT_BLOCKED);
  await probes.gate.wait(() => answered().length > 0 || exhausted() || blocked(), longest, signal);
  if (answered().length === 0) {
    await control;
    return [];
  }
  const grace = Math.max(CHOICE_GRACE_MS, 2 * probes.roundTripMs());
  await probes.gate.wait(() => capable() || exhausted(), grace, signal);
  // Two server addresses make the mapping a fact even where none of them has RFC 5780 support.
  const addresses = () =>
    new Set(
      answered()
        .filter(onPath)
        .map((each) => each.to.address),
    ).size;
  if (!capable())
    await probes.gate.wait(() => capable() || addresses() > 1 || exhausted(), SECOND_ADDRESS_GRACE_MS, signal);
  return answered();
}

async function controlByTcp(
  m: BehaviourFacts,
  bindings: readonly Series[],
  source: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { probes } = m;
  const replied = () => bindings.some((each) => each.replies.length > 0);
  await probes.gate.wait(() => replied() || bindings.every(settled), TCP_CONTROL_AFTER_MS, signal);
  if (replied()) return;
  // A refusal by ICMP may be the network's as well as the server's.
  const asked = bindings.slice(0, MOST_TCP_CONTROLS);
  await Promise.all(
    asked.map(async (each) => {
      m.tcp.push(await tcpControl(probes.env, each.to, source, signal));
      probes.gate.notify();
    }),
  );
}

/** Only a connected socket hears ICMP port unreachable, so one asks beside the mapping socket; what it is answered is one more allocation sample. */
export async function watchRefusal(
  probes: Probes,
  binding: Series,
  signal: AbortSignal,
  opening: Promise<ProbeSocket> = probes.open(signal, { remote: binding.to }),
): Promise<void> {
  try {
    const socket = await opening;
    const series = probes.begin({ kind: 'allocation' }, socket, binding.to);
    socket.mux.onError = (error) => {
      series.trouble(error);
      binding.trouble(error);
    };
    await sendUntil(series, SAMPLE_GAPS, () => settled(series) || binding.failure !== undefined, signal);
  } catch (error) {
    if (error instanceof NetError) binding.trouble(error);
    else if (!signal.aborted) throw error;
  }
}

/** Another endpoint of the answering server, with the same IP perhaps: then it tells of ports alone. Behind a NAT64 (RFC 6146) it is reached under the server's own prefix. */
export function usableOther({ answer, to }: Series, { nat64 = [] }: Ground = {}): Endpoint | undefined {
  const said = answer && otherAddress(answer.message);
  const other = said && reachedBeside(to, said, nat64);
  return other && isPlausibleOther(to, other) ? other : undefined;
}

/** The answered series whose server can test most. */
export const best = (answered: readonly Series[], ground?: Ground): Series | undefined =>
  answered.find((each) => usableOther(each, ground) !== undefined) ?? answered[0];

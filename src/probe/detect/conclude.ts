/** What a measurement means: the words of the contract, the forwarding table, the evidence. Pure. */
import { formatEndpoint, sameEndpoint } from '../../net/address.ts';
import type { Completeness } from '../../report/report.ts';
import type { Finding } from '../../report/finding.ts';
import { ForwardingTable, type ForwardingRow } from '../../report/forwarding.ts';
import { otherAddress } from '../../stun/binding.ts';
import { get, mappedAddress } from '../../stun/message.ts';
import { classifyAllocation, type PortAllocation } from '../../nat/allocation.ts';
import { filteringOf, type BehaviourFacts, type ServerTest } from './facts.ts';
import { judge, type Judged } from './judgement.ts';
import { type Doubt, doubtOf, plain } from '../../nat/evidence.ts';
import type { Filtering } from '../../nat/filtering.ts';
import type { Mapping } from '../../nat/mapping.ts';
import { natType, type NatType } from '../../nat/type.ts';
import type { Hairpin } from './hairpin.ts';
import { findingsOf } from './findings.ts';
import { isLossSample, type Evidence, type Series } from './series.ts';

/** Unanswered sends that make a flow suspect of being refused. */
const FEWEST_TO_MISS = 4;

/** What a server says that contradicts itself has nothing to do with where its answers come from. */
const MAY_STILL_HONOUR: readonly Doubt[] = ['not-there', 'wavers', 'one-for-two'];

/** What is known of the NAT; `null` and `unknown` where it is not. Endpoints as text. */
export interface Behaviour {
  /** `name` is what the user wrote, where that was not the address. */
  readonly server: {
    readonly name: string | null;
    readonly address: string;
    readonly alternate: string | null;
    readonly software: string | null;
  };
  readonly local: string | null;
  readonly public: string | null;
  readonly type: NatType;
  readonly mapping: Mapping;
  readonly filtering: Filtering;
  readonly hairpin: Hairpin;
  readonly portAllocation: PortAllocation;
  readonly table: readonly ForwardingRow[];
  readonly evidence: readonly Evidence[];
}

/** A verdict and how far it reaches. */
export interface Conclusion {
  readonly outcome: Completeness;
  readonly data: Behaviour;
  readonly findings: readonly Finding[];
}

/**
 * What a measurement says, in the words of RFC 3489 (`type`) and RFC 4787 (the rest), with what could not be found out and why in
 * `findings`. Pure: of an interrupted measurement it says what was learnt until then.
 *
 * @example
 * ```js
 * import { conclude, measureBehaviour } from 'nat-tool';
 * import { createLab } from 'nat-tool/lab';
 *
 * const lab = createLab({ nat: 'cgnat', servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10'] }] });
 * const { servers } = lab;
 * const facts = await lab.run((env, signal) => measureBehaviour(env, 4, { servers, timeoutMs: 8000 }, signal));
 * const { data, findings } = conclude(facts);
 * console.log(data.type, findings[0].kind); // unknown mapping-same-on-ports
 * ```
 */
export function conclude(m: BehaviourFacts): Conclusion {
  const bindings = m.probes.series.filter(
    (each) => each.purpose.kind === 'mapping' && each.purpose.number === 1 && each.begun,
  );
  const judgement = judge(m);
  const { verdict } = judgement;
  const answered = bindings
    .filter((each) => m.probes.believes(each))
    .sort((a, b) => Number(judgement.onPath(b.server)) - Number(judgement.onPath(a.server)));
  // One that is wrong about one of its addresses may still honour what is asked of it.
  const doubted = m.probes
    .doubted()
    .flatMap(({ sighting, doubt }) => (MAY_STILL_HONOUR.includes(doubt) ? [] : [sighting.server]));
  const test = decisive(
    m.tests.filter(
      ({ server }) =>
        !doubted.includes(formatEndpoint(server)) && (judgement.paths.length < 2 || judgement.onPath(server)),
    ),
  );
  const isOdd = ({ to }: Series): boolean => judgement.odd.some(({ remote }) => sameEndpoint(remote, to));
  const main =
    answered.find((each) => test && sameEndpoint(each.to, test.server) && !isOdd(each)) ??
    answered.find((each) => !isOdd(each)) ??
    answered[0];
  const filtering = test ? filteringOf(test) : 'unknown';
  // Whatever came in over UDP, even useless, came in.
  const heard = m.probes.strays.length > 0 || m.probes.series.some((each) => each.replies.length + each.unsealed > 0);
  const blocked = !heard && !m.stopped && udpAloneFails(m, bindings);
  const type = blocked ? 'udp-blocked' : natType(verdict, filtering);
  const address = main?.to ?? m.servers[0];
  const other = main?.answer && otherAddress(main.answer.message);
  const seen = judgement.disputed
    ? undefined
    : m.probes.observations().find(({ remote }) => main && sameEndpoint(remote, main.to));
  return {
    outcome: m.stopped ? 'partial' : bindings.some(({ answer }) => answer) || blocked ? 'complete' : 'failed',
    data: {
      server: {
        name: null,
        address: address ? formatEndpoint(address) : '',
        alternate: other ? formatEndpoint(other) : null,
        software: (main?.answer && get(main.answer.message, 'SOFTWARE')) || null,
      },
      local: seen ? formatEndpoint(seen.local) : m.x ? formatEndpoint(m.x.local) : null,
      public: seen ? formatEndpoint(seen.mapped) : null,
      type,
      mapping: verdict.mapping,
      filtering,
      hairpin: hairpinOf(m, verdict.mapping, filtering, judgement),
      portAllocation: allocationOf(m, judgement),
      table: tableOf(m, judgement),
      evidence: [
        ...m.probes.series.filter((each) => each.begun).map((each) => each.evidence(m.probes.roundTripMs())),
        ...(m.hairpin ? [m.hairpin.evidence] : []),
        ...m.tcp.map((each) => each.evidence),
      ],
    },
    findings: findingsOf(m, bindings, { ...verdict, filtering, blocked }, judgement),
  };
}

/**
 * Whether something stops UDP on its way to servers that answer over TCP. The verdict is about this host, and one server proves
 * nothing of it: it takes two that are alive, which their answers over TCP show, and whose silence, or refusals, over UDP are alike.
 */
function udpAloneFails(m: BehaviourFacts, bindings: readonly Series[]): boolean {
  const alive = bindings.filter((each) =>
    m.tcp.some(({ server, outcome }) => outcome === 'answered' && sameEndpoint(server, each.to)),
  );
  return [true, false].some((refused) => {
    const alike = alive.filter(({ failure }) => (failure?.kind === 'refused') === refused);
    return new Set(alike.map(({ to }) => to.address)).size > 1;
  });
}

/** The test that says most about filtering. */
function decisive(tests: readonly ServerTest[]): ServerTest | undefined {
  return tests.find((each) => filteringOf(each) !== 'unknown') ?? tests[tests.length - 1];
}

/** Silence means no hairpinning only where no filter of the NAT's own can be what stopped the probes: between two symmetric mappings neither side knows the other's port. */
function hairpinOf(m: BehaviourFacts, mapping: Mapping, filtering: Filtering, { trusts }: Judged): Hairpin {
  // The probes went to public sides that a server named.
  const seen = m.samples.flatMap((socket) => m.probes.observations(socket));
  if (!m.hairpin || (m.samples.length > 0 && seen.length === 0) || !seen.every(trusts)) return 'unknown';
  if (m.hairpin.outcome === 'heard') return 'yes';
  if (refusesFlows(m)) return 'unknown';
  return mapping === 'endpoint-independent' || filtering === 'endpoint-independent' ? 'no' : 'unknown';
}

/** Whether some flow to an address that answers was never answered: at a limit of sessions the NAT refuses new ones, and hairpin probes may be among them. */
function refusesFlows({ probes }: BehaviourFacts): boolean {
  const controls = probes.series.filter(isLossSample);
  const alive = new Set(controls.filter((each) => each.answer).map((each) => each.to.address));
  return controls.some(
    (each) => each.sent >= FEWEST_TO_MISS && each.replies.length === 0 && alive.has(each.to.address),
  );
}

function allocationOf(m: BehaviourFacts, { trusts }: Judged): PortAllocation {
  return classifyAllocation(
    m.probes
      .observations()
      .filter(trusts)
      .map(({ local, mapped }) => ({ localPort: local.port, mapped })),
  );
}

/** Every flow that a server confirmed, and every answer that the NAT let in from elsewhere. */
function tableOf(m: BehaviourFacts, { trusts }: Judged): ForwardingRow[] {
  const table = new ForwardingTable();
  for (const { local, remote, mapped } of m.probes.observations().filter(trusts)) table.add(local, mapped, remote);
  for (const series of m.probes.series) {
    if (series.purpose.kind !== 'filtering') continue;
    for (const { message, from } of series.replies) {
      const said = mappedAddress(message);
      const mapped = said && plain(said);
      const sighting = mapped && { local: series.local, remote: from, mapped, server: formatEndpoint(series.server) };
      if (sighting && trusts(sighting) && !doubtOf(sighting, m.probes.ground)) table.add(series.local, mapped, from);
    }
  }
  return table.rows();
}

/** The data of a report that has nothing to say, because no server could be asked. */
export const nothingMeasured = (server: string): Behaviour => ({
  server: { name: null, address: server, alternate: null, software: null },
  local: null,
  public: null,
  type: 'unknown',
  mapping: 'unknown',
  filtering: 'unknown',
  hairpin: 'unknown',
  portAllocation: { pattern: 'unknown' },
  table: [],
  evidence: [],
});

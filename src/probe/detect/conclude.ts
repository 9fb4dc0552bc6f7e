/** What a measurement means: the words of the contract, the forwarding table, the evidence, and the reasons for what is unknown. Pure. */
import { type Endpoint, formatEndpoint, sameEndpoint, scopeOf } from '../../net/address.ts';
import type { Outcome } from '../../report/report.ts';
import { finding, type Finding } from '../../report/finding.ts';
import { ForwardingTable, type ForwardingRow } from '../../report/forwarding.ts';
import { isPlausibleOther, otherAddress } from '../../stun/binding.ts';
import { get, mappedAddress, unknownRequired } from '../../stun/message.ts';
import { classifyAllocation, type PortAllocation } from '../../nat/allocation.ts';
import { filteringOf, type Measurement, mappingOf, type ServerTest } from './measurement.ts';
import type { Filtering } from '../../nat/filtering.ts';
import type { Mapping } from '../../nat/mapping.ts';
import { natType, type NatType } from '../../nat/type.ts';
import type { Hairpin } from './hairpin.ts';
import { type Evidence, type Series, settled } from './series.ts';
import { isControl } from './session.ts';

/** Unanswered sends that make a flow suspect of being refused. */
const FEWEST_TO_MISS = 4;

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

export interface Conclusion {
  readonly outcome: Outcome;
  readonly data: Behaviour;
  readonly findings: readonly Finding[];
}

export function conclude(m: Measurement): Conclusion {
  const bindings = m.session.series.filter((each) => each.test === 'mapping-1');
  const answered = bindings.filter((each) => each.answer);
  const test = decisive(m.tests);
  const main = answered.find((each) => test && sameEndpoint(each.to, test.server)) ?? answered[0];
  const verdict = mappingOf(m);
  const filtering = test ? filteringOf(test) : 'unknown';
  // Whatever came in over UDP, even useless, came in.
  const heard = m.session.strays.length > 0 || m.session.series.some((each) => each.replies.length > 0);
  const blocked = !heard && !m.stopped && udpAloneFails(m, bindings);
  const type = blocked ? 'udp-blocked' : natType(verdict, filtering);
  const address = main?.to ?? m.servers[0];
  const other = main?.answer && otherAddress(main.answer.message);
  const mapped = main?.answer && mappedAddress(main.answer.message);
  return {
    outcome: m.stopped ? 'partial' : answered.length === 0 && !blocked ? 'failed' : 'complete',
    data: {
      server: {
        name: null,
        address: address ? formatEndpoint(address) : '',
        alternate: other ? formatEndpoint(other) : null,
        software: (main?.answer && get(main.answer.message, 'SOFTWARE')) ?? null,
      },
      local: m.x ? formatEndpoint(m.x.local) : null,
      public: mapped ? formatEndpoint(mapped) : null,
      type,
      mapping: verdict.mapping,
      filtering,
      hairpin: hairpinOf(m, filtering),
      portAllocation: allocationOf(m),
      table: tableOf(m),
      evidence: [
        ...m.session.series.filter((each) => each.sent > 0).map((each) => each.evidence(m.session.roundTripMs())),
        ...(m.hairpin ? [m.hairpin.evidence] : []),
        ...m.tcp.map((each) => each.evidence),
      ],
    },
    findings: findingsOf(m, bindings, {
      type,
      mapping: verdict.mapping,
      dependent: verdict.dependent,
      filtering,
      blocked,
    }),
  };
}

/**
 * Whether servers that no UDP reaches answer over TCP. "Port unreachable" from one of them alone may be its own word, for a server
 * need not serve UDP; a firewall that rejects says it for all, and "administratively prohibited" is nobody else's.
 */
function udpAloneFails(m: Measurement, bindings: readonly Series[]): boolean {
  const answering = bindings.filter((each) =>
    m.tcp.some(({ server, outcome }) => outcome === 'answered' && sameEndpoint(server, each.to)),
  );
  const refused = new Set(answering.filter((each) => each.failure?.kind === 'refused').map((each) => each.to.address));
  return refused.size > 1 || answering.some((each) => each.failure?.kind !== 'refused');
}

/** The test that says most about filtering. */
function decisive(tests: readonly ServerTest[]): ServerTest | undefined {
  return tests.find((each) => filteringOf(each) !== 'unknown') ?? tests[tests.length - 1];
}

/** Silence means no hairpinning only where no filter of the NAT's own can be what stopped the probes: between two symmetric mappings neither side knows the other's port. */
function hairpinOf(m: Measurement, filtering: Filtering): Hairpin {
  if (!m.hairpin) return 'unknown';
  if (m.hairpin.outcome === 'heard') return 'yes';
  if (refusesFlows(m)) return 'unknown';
  return mappingOf(m).mapping === 'endpoint-independent' || filtering === 'endpoint-independent' ? 'no' : 'unknown';
}

/** Whether some flow to an address that answers was never answered: at a limit of sessions the NAT refuses new ones, and hairpin probes may be among them. */
function refusesFlows({ session }: Measurement): boolean {
  const controls = session.series.filter(isControl);
  const alive = new Set(controls.filter((each) => each.answer).map((each) => each.to.address));
  return controls.some(
    (each) => each.sent >= FEWEST_TO_MISS && each.replies.length === 0 && alive.has(each.to.address),
  );
}

function allocationOf(m: Measurement): PortAllocation {
  return classifyAllocation(m.session.observations().map(({ local, mapped }) => ({ localPort: local.port, mapped })));
}

/** Every flow that a server confirmed, and every answer that the NAT let in from elsewhere. */
function tableOf(m: Measurement): ForwardingRow[] {
  const table = new ForwardingTable();
  for (const { local, remote, mapped } of m.session.observations()) table.add(local, mapped, remote);
  for (const series of m.session.series) {
    if (!series.test.startsWith('filtering') || series.test.endsWith('baseline')) continue;
    for (const { message, from } of series.replies) {
      const mapped = mappedAddress(message);
      if (mapped) table.add(series.local, mapped, from);
    }
  }
  return table.rows();
}

function findingsOf(
  m: Measurement,
  bindings: readonly Series[],
  verdict: { type: NatType; mapping: Mapping; dependent: boolean; filtering: Filtering; blocked: boolean },
): Finding[] {
  const findings: Finding[] = [];
  if (m.stopped === 'interrupted') findings.push(finding('interrupted'));
  if (m.stopped === 'out-of-time') findings.push(finding('out-of-time'));
  if (m.failure) findings.push(failureFinding(formatEndpoint(m.failure.server), m.failure.error));
  findings.push(...bindings.flatMap(serverFindings), ...strayFindings(m));

  const answered = bindings.filter((each) => each.answer);
  if (verdict.blocked) {
    for (const { server } of m.tcp.filter((each) => each.outcome === 'answered'))
      findings.push(finding('udp-blocked', { server: formatEndpoint(server) }));
  } else if (answered.length === 0 && !m.failure && !m.stopped) {
    // What came back was of no use, and has been said.
    const heard = (server: Endpoint) => m.session.strays.some(({ from }) => from.address === server.address);
    const silent = bindings.filter((each) => !settled(each) && each.replies.length === 0 && !heard(each.to));
    if (silent.length > 0)
      findings.push(finding('no-answer', { servers: silent.map((each) => formatEndpoint(each.to)) }));
  }
  if (answered.length > 0 && !m.stopped) findings.push(...unknownFindings(m, answered, verdict));
  findings.push(...addressFindings(m, answered));
  if (isLossy(m)) findings.push(finding('heavy-loss', m.session.tally(isControl)));
  return findings;
}

function isLossy({ session }: Measurement): boolean {
  const { sent, received } = session.tally(isControl);
  return sent - received >= 3 && received < 0.9 * sent;
}

function failureFinding(
  server: string,
  error: { readonly kind: string; readonly code: string | undefined; readonly message: string },
): Finding {
  if (error.kind === 'unreachable') return finding('network-unreachable', { server, code: error.code ?? error.kind });
  return finding('cannot-send', { server, error: error.message });
}

function serverFindings(binding: Series): Finding[] {
  const server = formatEndpoint(binding.to);
  const findings: Finding[] = [];
  const wrongSource = binding.replies.find(({ from }) => !sameEndpoint(from, binding.to));
  if (wrongSource) findings.push(finding('server-wrong-source', { server, from: formatEndpoint(wrongSource.from) }));
  if (binding.answer) {
    const mapped = get(binding.answer.message, 'MAPPED-ADDRESS');
    const xorMapped = get(binding.answer.message, 'XOR-MAPPED-ADDRESS');
    if (mapped && xorMapped && !sameEndpoint(mapped, xorMapped)) {
      findings.push(
        finding('payload-rewritten', { mapped: formatEndpoint(mapped), xorMapped: formatEndpoint(xorMapped) }),
      );
    }
  } else if (binding.uselessAnswer)
    findings.push(finding('server-useless', { server, unknownAttributes: unknownRequired(binding.uselessAnswer) }));
  else if (binding.errorAnswer) findings.push(finding('server-error', { server, ...binding.errorAnswer }));
  else if (binding.failure?.kind === 'refused') findings.push(finding('server-refused', { server }));
  else if (binding.failure) findings.push(failureFinding(server, binding.failure));
  return findings;
}

function strayFindings(m: Measurement): Finding[] {
  const bySource = new Map<string, number>();
  for (const { from } of m.session.strays)
    bySource.set(formatEndpoint(from), (bySource.get(formatEndpoint(from)) ?? 0) + 1);
  return [...bySource].map(([from, count]) => finding('stray-datagrams', { count, from }));
}

/** Why mapping, filtering or type could not be told, as far as that has not been said already. */
function unknownFindings(
  m: Measurement,
  answered: readonly Series[],
  verdict: { mapping: Mapping; dependent: boolean; filtering: Filtering },
): Finding[] {
  const findings: Finding[] = [];
  const only = formatEndpoint((answered[0] as Series).to);
  for (const binding of answered) {
    const server = formatEndpoint(binding.to);
    const other = binding.answer && otherAddress(binding.answer.message);
    if (!other) {
      if (verdict.filtering === 'unknown') findings.push(finding('server-lacks-rfc5780', { server }));
    } else if (!isPlausibleOther(binding.to, other))
      findings.push(finding('other-address-unusable', { server, other: formatEndpoint(other) }));
    else if (other.address === binding.to.address)
      findings.push(finding('other-address-same-ip', { server, other: formatEndpoint(other) }));
    else {
      const tried = m.session.series.filter((each) => each.mux === m.x?.mux && each.to.address === other.address);
      if (tried.length > 0 && !tried.some((each) => each.answer))
        findings.push(finding('other-address-dead', { server, other: formatEndpoint(other) }));
    }
  }
  if (verdict.mapping === 'unknown') {
    findings.push(
      verdict.dependent
        ? finding('mapping-dependence-unknown')
        : finding('mapping-needs-second-address', { server: only }),
    );
  }
  if (verdict.filtering === 'unknown')
    for (const test of m.tests) findings.push(...filteringFindings(m, test, verdict.dependent, findings));
  return findings;
}

function filteringFindings(m: Measurement, test: ServerTest, dependent: boolean, said: readonly Finding[]): Finding[] {
  const server = formatEndpoint(test.server);
  const outcomes = [test.otherAddress, test.otherPort];
  if (outcomes.includes('rejected')) {
    const rejected = m.session.series.find(
      (each) => each.test.startsWith('filtering') && sameEndpoint(each.to, test.server) && each.errorAnswer,
    );
    return [finding('change-request-rejected', { server, code: rejected?.errorAnswer?.code ?? 0 })];
  }
  if (outcomes.includes('ignored')) return [finding('change-request-ignored', { server })];
  if (said.some((each) => each['server'] === server && each.kind.startsWith('other-address'))) return [];
  // A burst of losses can swallow the control too; then the server is not to blame.
  if (outcomes.includes('silent') && !dependent && isLossy(m)) return [finding('filtering-inconclusive', { server })];
  if (outcomes.includes('silent'))
    return [finding(dependent ? 'change-request-unproven' : 'change-request-ignored', { server })];
  return said.some((each) => each.kind === 'server-lacks-rfc5780' && each['server'] === server)
    ? []
    : [finding('filtering-inconclusive', { server })];
}

function addressFindings(m: Measurement, answered: readonly Series[]): Finding[] {
  const findings: Finding[] = [];
  const local = m.x?.local;
  if (local && scopeOf(local.address) === 'shared')
    findings.push(finding('shared-address-space', { local: local.address }));
  const seen = m.session.observations();
  const addresses = [...new Set(seen.map(({ mapped }) => mapped.address))];
  if (addresses.length > 1) findings.push(finding('address-pooling', { addresses }));
  const untranslated = seen.find(
    ({ local: own, mapped }) => own.address === mapped.address && scopeOf(mapped.address) !== 'public',
  );
  if (untranslated) findings.push(finding('server-on-this-side', { address: untranslated.mapped.address }));
  const inner = seen.find(
    ({ local: own, mapped }) =>
      own.address !== mapped.address && ['private', 'shared'].includes(scopeOf(mapped.address)),
  );
  if (inner && answered.length > 0) findings.push(finding('private-public-side', { public: inner.mapped.address }));
  return findings;
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

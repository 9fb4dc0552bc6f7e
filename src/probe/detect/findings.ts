/** What is to be said of a measurement beside its result: faults of servers and network, and why something is unknown. Pure. */
import { formatEndpoint, inNetwork, type Network, sameEndpoint, scopeOf, type Endpoint } from '../../net/address.ts';
import type { NetError } from '../../net/env.ts';
import { errorWords } from '../../net/error-words.ts';
import type { Filtering } from '../../nat/filtering.ts';
import type { Mapping } from '../../nat/mapping.ts';
import { finding, type Finding } from '../../report/finding.ts';
import { isPlausibleOther, otherAddress } from '../../stun/binding.ts';
import { get, unknownRequired } from '../../stun/message.ts';
import { malformedIn } from '../../stun/leniency.ts';
import { testimonyFindings } from '../testimony.ts';
import type { BehaviourFacts, ServerTest } from './facts.ts';
import type { Judged } from './judgement.ts';
import { type Series, settled } from './series.ts';

export interface Verdict {
  readonly mapping: Mapping;
  readonly dependent: boolean;
  readonly filtering: Filtering;
  /** UDP alone is stopped. */
  readonly blocked: boolean;
}

/** `bindings`: the first mapping test of each server that was asked. */
export function findingsOf(
  m: BehaviourFacts,
  bindings: readonly Series[],
  verdict: Verdict,
  judgement: Judged,
): Finding[] {
  const findings: Finding[] = [];
  if (m.stopped === 'interrupted') findings.push(finding('interrupted'));
  if (m.stopped === 'out-of-time') findings.push(finding('out-of-time'));
  if (m.failure) findings.push(failureFinding(formatEndpoint(m.failure.server), m.failure.error));
  const reached = new Set(bindings.filter(({ answer }) => answer).map(({ server }) => formatEndpoint(server)));
  // What one address of a server did wrong matters only where no other one answered.
  const telling = bindings.filter(({ answer, server }) => answer || !reached.has(formatEndpoint(server)));
  findings.push(...telling.flatMap(serverFindings), ...evidenceFindings(m, judgement), ...strayFindings(m));

  const answered = bindings.filter((each) => m.probes.believes(each));
  if (verdict.blocked) {
    for (const { server } of m.tcp.filter((each) => each.outcome === 'answered')) {
      const refused = bindings.some((each) => sameEndpoint(each.to, server) && each.hindrance !== undefined);
      findings.push(finding('udp-blocked', { server: formatEndpoint(server), ...(refused && { refused }) }));
    }
  } else if (!bindings.some(({ answer }) => answer) && !m.failure && m.stopped !== 'interrupted') {
    // What came back was of no use, and has been said.
    const heard = (server: Endpoint) => m.probes.strays.some(({ from }) => from.address === server.address);
    const silent = bindings.filter(
      (each) => !settled(each) && !each.hindrance && each.replies.length + each.unsealed === 0 && !heard(each.to),
    );
    const overTcp = silent.filter(({ to }) =>
      m.tcp.some(({ server, outcome }) => outcome === 'answered' && sameEndpoint(server, to)),
    );
    for (const server of new Set(overTcp.map(({ to }) => formatEndpoint(to))))
      findings.push(finding('server-tcp-only', { server }));
    const mute = silent.filter((each) => !overTcp.includes(each));
    if (mute.length > 0)
      findings.push(finding('no-answer', { servers: [...new Set(mute.map((each) => formatEndpoint(each.to)))] }));
  }
  if (answered.length > 0 && !m.stopped) findings.push(...unknownFindings(m, answered, verdict, judgement));
  findings.push(...addressFindings(m, answered, judgement));
  if (isLossy(m)) findings.push(finding('heavy-loss', m.probes.tally()));
  // A server that was asked in several ways may have done the same thing wrong each time.
  return findings.filter((each, i) => findings.findIndex(({ text }) => text === each.text) === i);
}

function isLossy({ probes }: BehaviourFacts): boolean {
  const { sent, received } = probes.tally();
  return sent - received >= 3 && received < 0.9 * sent;
}

function failureFinding(server: string, error: NetError): Finding {
  if (error.kind === 'unreachable') return finding('network-unreachable', { server, code: error.code ?? error.kind });
  return finding('cannot-send', { server, error: errorWords(error) });
}

function serverFindings(binding: Series): Finding[] {
  const server = formatEndpoint(binding.to);
  const findings: Finding[] = [];
  const wrongSource = binding.replies.find(({ from }) => !sameEndpoint(from, binding.to));
  if (wrongSource) findings.push(finding('server-wrong-source', { server, from: formatEndpoint(wrongSource.from) }));
  if (binding.answer) {
    const malformed = malformedIn(binding.answer.message);
    if (malformed.length > 0) findings.push(finding('answer-malformed', { server, what: malformed }));
    const mapped = get(binding.answer.message, 'MAPPED-ADDRESS');
    const xorMapped = get(binding.answer.message, 'XOR-MAPPED-ADDRESS');
    if (mapped && xorMapped && !sameEndpoint(mapped, xorMapped)) {
      findings.push(
        finding('payload-rewritten', { mapped: formatEndpoint(mapped), xorMapped: formatEndpoint(xorMapped) }),
      );
    }
  } else if (binding.uselessAnswer)
    findings.push(finding('server-useless', { server, unknownAttributes: unknownRequired(binding.uselessAnswer) }));
  else if (binding.errorAnswer) {
    const { to, ...error } = binding.errorAnswer;
    findings.push(finding('server-error', { server, ...error, ...(to && { to: formatEndpoint(to) }) }));
  } else if (binding.unsealed > 0) findings.push(finding('answer-unsealed', { server }));
  else if (binding.hindrance?.kind === 'refused') findings.push(finding('server-refused', { server }));
  else if (binding.hindrance) findings.push(failureFinding(server, binding.hindrance));
  return findings;
}

function strayFindings(m: BehaviourFacts): Finding[] {
  const bySource = new Map<string, number>();
  for (const { from } of m.probes.strays)
    bySource.set(formatEndpoint(from), (bySource.get(formatEndpoint(from)) ?? 0) + 1);
  return [...bySource].map(([from, count]) => finding('stray-datagrams', { count, from }));
}

/** The range of the IPv4 side of 464XLAT (RFC 7335). */
const CLAT: Network = { prefix: Uint8Array.of(192, 0, 0, 0), length: 29 };

/** What servers said that does not count, and where routes differ. */
function evidenceFindings(m: BehaviourFacts, judgement: Judged): Finding[] {
  const { paths, verdict } = judgement;
  const findings = testimonyFindings({
    ...judgement,
    doubted: m.probes.doubted(),
    credible: m.x ? m.probes.observations(m.x) : [],
  });
  if (paths.length > 1)
    findings.push(
      finding('paths-differ', {
        paths: paths.map(({ local, remotes }) => `${local} to ${remotes.join(' and ')}`),
        known: verdict.mapping !== 'unknown' || verdict.dependent,
      }),
    );
  return findings;
}

/** Whether two ports of one address were compared. */
function comparesPorts({ probes, x }: BehaviourFacts): boolean {
  const remotes = (x ? probes.observations(x) : []).map(({ remote }) => remote);
  return remotes.some((a) => remotes.some((b) => a.address === b.address && a.port !== b.port));
}

/** Why mapping, filtering or type could not be told, as far as that has not been said already. */
function unknownFindings(
  m: BehaviourFacts,
  answered: readonly Series[],
  verdict: Verdict,
  judgement: Judged,
): Finding[] {
  const findings: Finding[] = [];
  const only = formatEndpoint((answered[0] as Series).to);
  const among = m.probes.doubted().length > 0;
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
      const tried = m.probes.series.filter((each) => each.mux === m.x?.mux && each.to.address === other.address);
      if (tried.length > 0 && !tried.some((each) => each.answer))
        findings.push(finding('other-address-dead', { server, other: formatEndpoint(other) }));
    }
  }
  if (verdict.mapping === 'unknown' && !judgement.disputed && judgement.paths.length < 2) {
    findings.push(
      verdict.dependent
        ? finding('mapping-dependence-unknown')
        : comparesPorts(m)
          ? finding('mapping-same-on-ports', { server: only })
          : finding('mapping-needs-second-address', { server: only, ...(among && { among }) }),
    );
  }
  if (verdict.filtering === 'unknown')
    for (const test of m.tests) {
      // An answer from an address that is reached by another route meets no hole of ours: the server is not to blame.
      const elsewhere =
        judgement.paths.length > 1 &&
        judgement.paths.slice(1).some(({ servers }) => servers.includes(formatEndpoint(test.server)));
      if (!elsewhere) findings.push(...filteringFindings(m, test, verdict.dependent, findings));
    }
  return findings;
}

function filteringFindings(
  m: BehaviourFacts,
  test: ServerTest,
  dependent: boolean,
  said: readonly Finding[],
): Finding[] {
  const server = formatEndpoint(test.server);
  const outcomes = [test.otherAddress, test.otherPort];
  if (outcomes.includes('rejected')) {
    const rejected = m.probes.series.find(
      (each) => each.purpose.kind === 'filtering' && sameEndpoint(each.to, test.server) && each.errorAnswer,
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

function addressFindings(m: BehaviourFacts, answered: readonly Series[], { pool }: Judged): Finding[] {
  const findings: Finding[] = [];
  const local = m.x?.local;
  if (local && inNetwork(local.address, CLAT)) findings.push(finding('xlat464', { local: local.address }));
  if (local && scopeOf(local.address) === 'shared')
    findings.push(finding('shared-address-space', { local: local.address }));
  const seen = m.probes.observations();
  if (pool.size > 1) findings.push(finding('address-pooling', { addresses: [...pool] }));
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

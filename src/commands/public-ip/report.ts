/** What `public-ip` reports. */
import { familyOf } from '../../net/address.ts';
import type { Env } from '../../net/env.ts';
import { toMicroseconds } from '../../net/round.ts';
import { agree, isAuthenticated, isDisputed } from '../../probe/public-address/agreement.ts';
import type { Answer, Survey } from '../../probe/public-address/survey.ts';
import { isOffNetwork } from '../../net/route.ts';
import { type Finding, finding } from '../../report/finding.ts';
import type { ForwardingRow } from '../../report/forwarding.ts';

export interface PublicIp {
  /** IPv4 where there is one; null when nobody answered. */
  readonly address: string | null;
  readonly port: number | null;
  readonly answers: readonly Answer[];
  readonly agree: boolean;
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  readonly table: readonly ForwardingRow[];
}

export interface Change {
  readonly event: 'address';
  readonly at: string;
  readonly address: string;
  readonly previous: string | null;
}

export function conclude({ answers, table, best, ipv4, ipv6 }: Survey): PublicIp {
  const port = answers.find((answer) => answer.address === best?.address && answer.port !== null)?.port ?? null;
  return {
    address: best?.address ?? null,
    port,
    answers: answers.map((answer) => ({ ...answer, rttMs: toMicroseconds(answer.rttMs) })),
    agree: agree(answers),
    ipv4: ipv4 ?? null,
    ipv6: ipv6 ?? null,
    table: table.rows(),
  };
}

/** Failed sources up to which each error is told with its sources. */
const FEW = 3;

export function findings(
  { answers, failures, interrupted, unconfirmed, portal }: Survey,
  data: PublicIp,
  env: Pick<Env, 'interfaces'>,
): Finding[] {
  const found: Finding[] = [];
  const { address } = data;
  if (!data.agree && address !== null)
    found.push(
      finding('public-addresses-differ', {
        ...(isDisputed(answers, familyOf(address)) && { disputed: address }),
        addresses: answers.map(({ method, source, address }) => `${address} by ${method} (${source})`),
      }),
    );
  if (portal && !answers.some(isAuthenticated)) found.push(finding('captive-portal'));
  if (unconfirmed) found.push(finding('address-unconfirmed', { address: answers[0]?.address ?? '' }));
  if (answers.length === 0 && failures.length > 0 && isOffNetwork(env)) return [...found, finding('no-network')];
  // A host without IPv6 is nothing to report; a server that failed is.
  const answered = new Set(answers.map(({ address }) => familyOf(address)));
  const byError = new Map<string, Set<string>>();
  for (const { source, family, error } of failures) {
    if (answered.has(family) || answered.size === 0) byError.set(error, (byError.get(error) ?? new Set()).add(source));
  }
  const sources = new Set([...byError.values()].flatMap((each) => [...each]));
  if (answers.length === 0 && sources.size > FEW)
    found.push(finding('nobody-told', { count: sources.size, sources: [...sources], errors: [...byError.keys()] }));
  else for (const [error, some] of byError) found.push(finding('sources-failed', { sources: [...some], error }));
  if (interrupted) found.push(finding('interrupted'));
  return found;
}

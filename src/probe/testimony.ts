/** What is to be said of servers whose statements do not count. Pure. */
import { formatEndpoint } from '../net/address.ts';
import { type Doubt, doubtInWords, type Sighting, type Weighed } from '../nat/evidence.ts';
import { type Finding, finding } from '../report/finding.ts';

export interface Doubted {
  readonly sighting: Sighting;
  readonly doubt: Doubt;
}

export interface Testimony extends Pick<Weighed, 'believed' | 'odd' | 'disputed'> {
  readonly doubted: readonly Doubted[];
  /** What was weighed. */
  readonly credible: readonly Sighting[];
}

/** Each server once, for the first thing that it said; one that is right elsewhere by its endpoint. */
export function testimonyFindings({ doubted, credible, believed, odd, disputed }: Testimony): Finding[] {
  const findings: Finding[] = [];
  const inside = new Set<string>();
  const said = new Set<string>();
  for (const { sighting, doubt } of doubted) {
    const { server, mapped } = sighting;
    if (doubt === 'inside') inside.add(server);
    else if (!said.has(server))
      findings.push(
        finding('answer-doubted', {
          server: doubt === 'not-there' ? formatEndpoint(sighting.remote) : server,
          doubt,
          words: doubtInWords(doubt, mapped),
        }),
      );
    said.add(server);
  }
  for (const server of inside) findings.push(finding('server-inside', { server }));
  for (const server of new Set(odd.map((each) => each.server))) {
    const seen = odd.find((each) => each.server === server) as Sighting;
    findings.push(
      finding('server-odd', {
        server: believed.some((each) => each.server === server) ? formatEndpoint(seen.remote) : server,
        mapped: formatEndpoint(seen.mapped),
        others: [...new Set(believed.map(({ mapped }) => formatEndpoint(mapped)))],
      }),
    );
  }
  if (disputed)
    findings.push(
      finding('servers-disagree', {
        seen: credible.map(({ server, remote, mapped }) => {
          const several = credible.filter((each) => each.server === server).length > 1;
          return `${formatEndpoint(mapped)} (${several ? formatEndpoint(remote) : server})`;
        }),
      }),
    );
  return findings;
}

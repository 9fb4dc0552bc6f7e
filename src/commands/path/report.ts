/** What `path` reports: the contract's data, and the remarks on it. Pure. */
import { formatEndpoint } from '../../net/address.ts';
import { errorWords } from '../../net/error-words.ts';
import { toMicroseconds } from '../../net/round.ts';
import type { Known, PathFacts } from '../../probe/path/facts.ts';
import { type Layer, type Layers, layersOf } from '../../probe/path/layers.ts';
import { isOffNetwork } from '../../net/route.ts';
import { unreachable } from '../../probe/servers-lookup.ts';
import { testimonyFindings } from '../../probe/testimony.ts';
import type { Env } from '../../net/env.ts';
import type { Probe } from '../../portmap/protocol.ts';
import { type Finding, finding } from '../../report/finding.ts';

export interface PathData {
  readonly server: string | null;
  readonly local: string | null;
  readonly interface: string | null;
  readonly public: string | null;
  readonly rttMs: number | null;
  /** Time to live that a packet needs to reach the server. */
  readonly hops: number | null;
  readonly layers: readonly Layer[];
  readonly nats: number | null;
  readonly cgnat: Known;
  readonly doubleNat: Known;
  readonly gateway: string | null;
  readonly portMapping: {
    readonly pcp: Probe['answer'];
    readonly natPmp: Probe['answer'];
    readonly upnp: Probe['answer'];
    readonly external: string | null;
  };
  readonly families: { readonly ipv4: Known; readonly ipv6: Known };
}

export function conclude(facts: PathFacts): { readonly data: PathData; readonly layers: Layers } {
  const layers = layersOf(facts);
  const { server, local, mapped, rttMs, hops, gateway, offer } = facts;
  const data: PathData = {
    server: server ? formatEndpoint(server) : null,
    local: local ? formatEndpoint(local) : null,
    interface: facts.interface ?? null,
    public: mapped ? formatEndpoint(mapped) : null,
    rttMs: rttMs === undefined ? null : toMicroseconds(rttMs),
    hops: hops ?? null,
    layers: layers.layers,
    nats: layers.nats,
    cgnat: layers.cgnat,
    doubleNat: layers.doubleNat,
    gateway: gateway?.address ?? null,
    portMapping: {
      pcp: offer?.pcp.answer ?? 'no',
      natPmp: offer?.natPmp.answer ?? 'no',
      upnp: offer?.upnp.answer ?? 'no',
      external: offer?.external ?? null,
    },
    families: facts.families,
  };
  return { data, layers };
}

const USELESS: ReadonlySet<string> = new Set<Finding['kind']>(['answer-doubted', 'server-inside', 'server-error']);

/** Servers answered, with what cannot be true, from inside one's own network, or with an error. */
export const isDoubted = (found: readonly Finding[]): boolean => found.some(({ kind }) => USELESS.has(kind));

/** What was asked in vain, and why something is not known. */
export function findings(
  facts: PathFacts,
  { open, layers }: Layers,
  asked: readonly string[],
  env: Pick<Env, 'interfaces'>,
): Finding[] {
  const { server, failure, tunnel, filter, gateway, offer, mapped, local } = facts;
  const found: Finding[] = [...testimonyFindings(facts)];
  if (!server) {
    for (const { server: from, to, ...error } of facts.errors)
      found.push(
        finding('server-error', { server: formatEndpoint(from), ...error, ...(to && { to: formatEndpoint(to) }) }),
      );
    if (isOffNetwork(env)) return [...found, finding('no-network')];
    const [first = ''] = asked;
    if (failure?.kind === 'unreachable') return [...found, unreachable(first, failure.code ?? '', env)];
    if (failure) return [...found, finding('cannot-send', { server: first, error: errorWords(failure) })];
    return found.length > 0 ? found : [...found, finding('no-answer', { servers: asked })];
  }
  if (tunnel) found.push(finding('path-tunnel', { interface: facts.interface ?? '' }));
  if (gateway?.address === undefined && !tunnel) found.push(finding('path-no-gateway'));
  else if (offer && [offer.pcp, offer.natPmp, offer.upnp].every(({ answer }) => answer === 'no'))
    found.push(finding('path-gateway-silent', { gateway: gateway?.address ?? '' }));
  if (local && mapped && open === 'other-way')
    found.push(finding('path-other-way', { external: offer?.external ?? '', mapped: mapped.address }));
  if (open === 'gateway-unseen') found.push(finding('path-gateway-unseen', { hop: layers.at(-1)?.hop ?? null }));
  if (open === 'behind-unseen') found.push(finding('path-behind-unseen'));
  if (filter.kind === 'unknown') {
    if (filter.why === 'no-second-address')
      found.push(finding('path-no-second-address', { server: formatEndpoint(server) }));
    if (filter.why === 'no-control') found.push(finding('path-no-control', { server: formatEndpoint(server) }));
  }
  return found;
}

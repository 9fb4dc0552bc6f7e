/** The partner host of a server, and what it makes of that server's roles. */
import {
  type Endpoint,
  type Family,
  familyOf,
  formatEndpoint,
  isAnyAddress,
  sameEndpoint,
  scopeOf,
} from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { NO_SUCH_FAMILY } from '../../net/error-words.ts';
import { formatHostPort, type HostPort } from '../../net/host-port.ts';
import type { RateLimit } from '../../net/rate-limit.ts';
import { routedAddress } from '../../net/route.ts';
import type { LinkState, Partner } from '../../partner/link.ts';
import { type PartnerService, rolesOf, startPartner } from '../../partner/service.ts';
import type { Listening, Protocol, ServerSockets } from '../../stun/listener.ts';
import { type Advertised, ROLES } from '../../stun/roles.ts';
import { UsageError } from '../command.ts';
import type { Outsides } from './addresses.ts';

/** In the environment, for options can be read by everybody on the host. */
const SECRET_VARIABLE = 'NAT_TOOL_PARTNER_SECRET';
const LEAST_SECRET = 16;

export function partnerSecret(environment: Readonly<Record<string, string | undefined>>): string {
  const secret = environment[SECRET_VARIABLE] ?? '';
  if (secret.length >= LEAST_SECRET) return secret;
  throw new UsageError(
    secret === ''
      ? `--partner: ${SECRET_VARIABLE} is not set`
      : `${SECRET_VARIABLE}: expected at least ${LEAST_SECRET} characters, got ${secret.length}`,
    'The same secret on both hosts, such as of: openssl rand -hex 16',
  );
}

export interface PartnerNews {
  readonly host: string;
  /** Of the own socket. */
  readonly address: string;
  readonly state: LinkState;
  /** What clients are told as the other address; null where it plays no second address. */
  readonly other: string | null;
  readonly rttMs: number | null;
  /** Where it is there and plays no second address: what keeps it from that. */
  readonly why: 'same-address' | 'other-ports' | 'private-address' | null;
  /** Words that were not made with our secret, so far. */
  readonly forged: number;
}

export interface PartnersOptions {
  readonly host: HostPort & { readonly port: number };
  readonly secret: string;
  readonly limit: RateLimit;
  readonly outsides: Outsides;
  readonly news: (news: PartnerNews) => void;
  readonly failed: (error: unknown) => void;
}

interface Link {
  readonly service: PartnerService;
  server: Listening | undefined;
  /** Tells what became known before the server was open. */
  missed: (() => void) | undefined;
}

/** One link for each address family. */
export class Partners {
  readonly #env: Env;
  readonly #options: PartnersOptions;
  readonly #links = new Map<Family, Link>();

  constructor(env: Env, options: PartnersOptions) {
    this.#env = env;
    this.#options = options;
  }

  /** Whether one of them is a second address now. */
  get up(): boolean {
    return [...this.#links.values()].some(({ server }) => server?.advertised.A2P2);
  }

  /** The counters of all links together. */
  get counters(): PartnerService['counters'] {
    const sum = { carried: 0, resent: 0, lost: 0, delivered: 0, limited: 0, forged: 0 };
    for (const { service } of this.#links.values())
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += service.counters[key];
    return sum;
  }

  /** Whether the server on this address is the one that the partner completes: of several, the one on the way there. */
  async wants(address: string, alone: boolean, signal: AbortSignal): Promise<boolean> {
    const family = familyOf(address);
    if (this.#links.has(family) || ['loopback', 'link-local'].includes(scopeOf(address))) return false;
    if (alone || isAnyAddress(address)) return true;
    const { host, port } = this.#options.host;
    try {
      const [at] = await this.#env.resolver.addresses(host, family, signal);
      if (at === undefined) return false;
      return (await routedAddress(this.#env.udp, { address: at, port }, undefined, signal)) === address;
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      // Where nobody knows its address now, the first of ours will do.
      return error.code !== NO_SUCH_FAMILY && error.kind !== 'unreachable';
    }
  }

  /** Of the server that is about to be opened. */
  readonly at = (sockets: ServerSockets): Protocol => {
    const family = familyOf(sockets.endpoints.A1P1?.address ?? '');
    const { host, secret, limit, failed } = this.#options;
    const outside = () => this.#links.get(family)?.server?.advertised ?? {};
    const changed = (state: LinkState, partner: Partner | undefined) => this.#changed(family, state, partner);
    const service = startPartner(this.#env, sockets, { host, family, secret, limit, outside, changed, failed });
    this.#links.set(family, { service, server: undefined, missed: undefined });
    return service;
  };

  /** It is open now. */
  opened(server: Listening): void {
    const family = familyOf(server.endpoints.A1P1?.address ?? '');
    const link = this.#links.get(family);
    if (!link || link.server) return;
    link.server = server;
    link.missed?.();
  }

  closed(server: Listening): void {
    for (const [family, link] of this.#links) {
      if (link.server !== server) continue;
      link.service.close();
      this.#links.delete(family);
    }
  }

  close(): void {
    for (const { service } of this.#links.values()) service.close();
  }

  #changed(family: Family, state: LinkState, partner: Partner | undefined): void {
    const link = this.#links.get(family);
    if (link && !link.server) link.missed = () => this.#changed(family, state, partner);
    const server = link?.server;
    const own = server?.endpoints.A1P1;
    if (!server || !own) return;
    const { outsides, host, news } = this.#options;
    if (partner?.observed) learn(outsides, own, partner.observed);
    const told = outsides.advertised(server.endpoints);
    server.advertise(told);
    const roles: Advertised =
      state === 'up' && partner ? rolesOf(partner, { outside: server.advertised, inside: server.endpoints }) : {};
    server.advertise({ outside: { ...told.outside, ...roles.outside }, inside: roles.inside });
    const other = roles.outside?.A2P2 ?? roles.inside?.A2P2;
    news({
      host: formatHostPort(host),
      address: formatEndpoint(own),
      state,
      other: other ? formatEndpoint(other) : null,
      forged: link.service.counters.forged,
      rttMs: partner ? Math.round(partner.rttMs * 10) / 10 : null,
      why: state === 'up' && partner && !other ? obstacle(partner, server) : null,
    });
  }
}

/** What keeps a partner that is there from being a second address. */
function obstacle({ at, inside, outside }: Partner, { endpoints, advertised }: Listening): PartnerNews['why'] {
  const own = [endpoints, advertised].map(({ A1P1 }) => A1P1?.address);
  const other = [at.address, inside.A1P1?.address, outside.A1P1?.address];
  if (inside.A1P1?.port !== endpoints.A1P1?.port || inside.A1P2?.port !== endpoints.A1P2?.port) return 'other-ports';
  return other.some((each) => each !== undefined && own.includes(each)) ? 'same-address' : 'private-address';
}

/** A partner on the outside sees our public address: that of a 1:1 NAT where the port is the same. */
function learn(outsides: Outsides, own: Endpoint, observed: Endpoint): void {
  if (sameEndpoint(own, observed) || own.port !== observed.port || scopeOf(observed.address) !== 'public') return;
  if (scopeOf(own.address) !== 'public' && outsides.of(own.address) === undefined)
    outsides.set(own.address, observed.address);
}

/** Whether some server does RFC 5780 now, by itself or with a partner. */
export const doesRfc5780 = (servers: readonly Listening[]): boolean =>
  servers.some(({ endpoints, advertised }) =>
    [endpoints, advertised].some((each) => ROLES.every((role) => each[role])),
  );

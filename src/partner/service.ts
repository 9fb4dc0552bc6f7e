/** Runs the link to a partner on the sockets of a STUN server. */
import type { Family } from '../net/address.ts';
import { type Env, ignoreNetError } from '../net/env.ts';
import type { HostPort } from '../net/host-port.ts';
import { drive } from '../net/machine.ts';
import { type RateLimit, SourceLimiter } from '../net/rate-limit.ts';
import { sleep } from '../net/wait.ts';
import type { Protocol, ServerSockets } from '../stun/listener.ts';
import { type Advertised, type Endpoints, isInside } from '../stun/roles.ts';
import { type LinkAction, type LinkState, type Partner, PartnerLink } from './link.ts';
import { keyOf, looksLikePartner } from './messages.ts';

/** While the partner is away, its name is looked up so often, ms. */
const LOOK_UP_MS = 30_000;

export interface PartnerOptions {
  readonly host: HostPort & { readonly port: number };
  readonly family: Family;
  /** At least 16 characters, the same on both. */
  readonly secret: string;
  /** Of the answers that go to one client by way of the partner. */
  readonly limit: RateLimit;
  /** The sockets as the outside knows them, now. */
  readonly outside: () => Endpoints;
  readonly changed: (state: LinkState, partner: Partner | undefined) => void;
  /** Hears of errors of ours. */
  readonly failed: (error: unknown) => void;
}

export interface PartnerService extends Protocol {
  readonly counters: PartnerLink['counters'];
  readonly state: LinkState;
  close(): void;
}

export function startPartner(
  env: Pick<Env, 'clock' | 'random' | 'resolver'>,
  sockets: ServerSockets,
  { host, family, secret, limit, outside, changed, failed }: PartnerOptions,
): PartnerService {
  const { clock, random, resolver } = env;
  const stop = new AbortController();
  const { endpoints } = sockets;
  const link = new PartnerLink({
    key: keyOf(secret),
    random,
    limiter: new SourceLimiter(limit, random),
    own: () => {
      const { A1P1, A1P2 } = outside();
      return { outside: { A1P1, A1P2 }, inside: { A1P1: endpoints.A1P1, A1P2: endpoints.A1P2 } };
    },
  });
  const perform = (action: LinkAction): void => {
    if (action.kind === 'changed') changed(action.state, action.partner);
    else if (action.kind === 'deliver') sockets.send(action.answer);
    else sockets.send({ viaRole: 'A1P1', to: action.to, data: action.data });
  };
  const driver = drive(link, clock, perform, failed);
  let told = false;
  const follow = async (): Promise<void> => {
    for (;;) {
      if (link.state === 'away') {
        const [address] = await resolver.addresses(host.host, family, stop.signal).catch((error) => {
          ignoreNetError(error);
          return [];
        });
        // Nobody to greet: the link itself has nothing to tell.
        if (address === undefined && !told) changed('away', undefined);
        told = true;
        if (address !== undefined) driver.feed({ kind: 'resolved', to: { address, port: host.port } });
      }
      await sleep(clock, LOOK_UP_MS, stop.signal);
    }
  };
  follow().catch((error: unknown) => {
    if (!stop.signal.aborted) failed(error);
  });
  return {
    accept: ({ from, data }) => {
      if (!looksLikePartner(data)) return false;
      driver.feed({ kind: 'heard', from, data });
      return true;
    },
    carry: (answer) => driver.feed({ kind: 'carry', answer }),
    counters: link.counters,
    get state() {
      return link.state;
    },
    close: () => {
      stop.abort();
      driver.stop();
    },
  };
}

/**
 * The roles that a partner plays, for each kind of client: those on a private network share it with the partner, or have no way to it. None
 * where it is not another address with the same two ports.
 */
export function rolesOf(
  partner: Partner,
  own: { readonly outside: Endpoints; readonly inside: Endpoints },
): Advertised {
  const { at, outside, inside } = partner;
  // A partner with a private address may not know its public one; we do where we reach it by that.
  const seen = isInside(at.address)
    ? {}
    : { A1P1: at, A1P2: inside.A1P2 && { address: at.address, port: inside.A1P2.port } };
  const ports = (ends: Endpoints): string => `${ends.A1P1?.port} ${ends.A1P2?.port}`;
  const asRoles = ({ A1P1, A1P2 }: Endpoints, beside: Endpoints): Endpoints =>
    A1P1 && A1P2 && A1P1.address !== beside.A1P1?.address && ports({ A1P1, A1P2 }) === ports(beside)
      ? { A2P1: A1P1, A2P2: A1P2 }
      : {};
  return {
    outside: asRoles(outside.A1P1 ? outside : seen, own.outside),
    inside: isInside(at.address) ? asRoles(inside, own.inside) : {},
  };
}

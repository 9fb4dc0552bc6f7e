/** The servers of one `serve`: on the addresses that are named, or on every one of this host. */
import { scopeOf } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import type { RateLimit } from '../../net/rate-limit.ts';
import { type RendezvousService, startRendezvous } from '../../rendezvous/service.ts';
import {
  createListenState,
  type ListenOptions,
  type Listening,
  type ListenState,
  listen,
} from '../../stun/listener.ts';
import { relaysBeside } from '../../rendezvous/relay.ts';
import { firstOf } from '../../turn/users.ts';
import { PeerPolicy } from '../../turn/peer-policy.ts';
import { startTurn, type TurnService, type TurnServiceOptions } from '../../turn/service.ts';
import { UsageError } from '../command.ts';
import { type Outsides, plan } from './addresses.ts';
import { Everywhere, addressesOf } from './everywhere.ts';
import type { Logins } from './logins.ts';
import type { Args } from './options.ts';
import { type Seen, seenFromOutside } from './outside.ts';
import { type PartnerNews, Partners } from './partners.ts';

export interface Hooks {
  /** As they stand: they may change while it runs. */
  readonly logins: () => Logins;
  readonly relaying: TurnServiceOptions['observe'];
  readonly observe: ListenOptions['observe'];
  readonly failed: (error: unknown) => void;
  /** Sockets that were opened, or closed, because addresses came or went. */
  readonly opened: (server: Listening) => void;
  readonly closed: (server: Listening) => void;
  readonly refused: (address: string, error: NetError) => void;
  /** What STUN servers say of a private address, where that is of no use. */
  readonly unseen: (address: string, seen: Exclude<Seen, { kind: 'public' }>) => void;
  readonly partner: (news: PartnerNews) => void;
}

/** All that one `serve` runs. */
export interface Serving {
  readonly running: readonly Listening[];
  readonly outsides: Outsides;
  readonly limit: RateLimit;
  readonly state: ListenState;
  readonly rendezvous: RendezvousService;
  readonly partners: Partners | undefined;
  /** Where it relays at all. */
  readonly relay: TurnService | undefined;
  close(): void;
}

/** `secret`: of the partners, where there is one. */
export async function start(env: Env, args: Args, secret: string, hooks: Hooks, signal: AbortSignal): Promise<Serving> {
  const { addresses, outsides } = plan(args, env.interfaces());
  const paired = addresses?.some(([, second]) => second !== undefined) ?? false;
  if ((paired || args.partner) && args.port === args.alternatePort && args.port !== 0) {
    throw new UsageError(`--alternate-port: must differ from --port ${args.port}`);
  }
  if (paired && args.partner)
    throw new UsageError('--partner: its address is the second one, so name one of this host with --address');
  const limit: RateLimit = { perSecond: args.rate === 0 ? Number.POSITIVE_INFINITY : args.rate, burst: args.burst };
  const state = createListenState(env.random, limit);
  const tlsPort = hooks.logins().identity && args.tlsPort;
  const rendezvous = startRendezvous(env, {
    failed: hooks.failed,
    relays: args.relay ? relaysBeside({ tcp: !args.udpOnly, tlsPort }) : undefined,
  });
  const relay =
    args.turn || args.relay
      ? startTurn(env, {
          ...relayOptions(args, outsides, limit, hooks),
          users: firstOf(rendezvous.users, (username, date) => hooks.logins().users(username, date)),
        })
      : undefined;
  let { port } = args;
  const { partner } = args;
  const partners =
    partner &&
    new Partners(env, {
      host: { ...partner, port: partner.port ?? port },
      secret,
      limit,
      outsides,
      news: hooks.partner,
      failed: hooks.failed,
    });
  const asked = new Set<string>();
  /** Asks for those that are not public and have not been asked for. */
  const learn = (of: readonly (string | undefined)[]): Promise<unknown> =>
    Promise.all(
      of.map(async (address) => {
        if (address === undefined || args.stun.length === 0 || asked.has(address)) return;
        asked.add(address);
        if (['public', 'loopback', 'link-local'].includes(scopeOf(address)) || outsides.of(address)) return;
        const seen = await seenFromOutside(env, { address, port }, args.stun, signal);
        if (seen.kind === 'public') outsides.set(address, seen.address);
        else hooks.unseen(address, seen);
      }),
    );
  const open = async (at: ListenOptions['addresses']): Promise<Listening> => {
    await learn(at);
    const linked = partners && (await partners.wants(at[0], addresses !== undefined, signal));
    const { identity } = hooks.logins();
    const options: ListenOptions = {
      addresses: at,
      ports: [port, args.alternatePort],
      nextPort: true,
      partnered: linked,
      shared: args.workers !== 1,
      tcp: !args.udpOnly,
      tls: identity && { port: args.tlsPort, identity },
      advertised: (sockets) => outsides.advertised(sockets),
      software: args.software || undefined,
      state,
      observe: hooks.observe,
      failed: hooks.failed,
      protocols: [...(relay ? [relay.at] : []), rendezvous.at, ...(linked ? [partners.at] : [])],
    };
    try {
      const server = await listen(env, options, signal);
      // The system has chosen: the other addresses have the same one.
      port = server.endpoints.A1P1?.port ?? port;
      if (linked) partners.opened(server);
      return server;
    } catch (error) {
      throw error instanceof NetError ? inContext(error, at, { ...args, port }) : error;
    }
  };
  const endAll = (): void => {
    rendezvous.close();
    relay?.close();
    partners?.close();
  };
  try {
    if (addresses) {
      const running: Listening[] = [];
      const close = (): void => {
        endAll();
        for (const server of running) server.close();
      };
      try {
        for (const each of addresses) running.push(await open(each));
      } catch (error) {
        close();
        throw error;
      }
      return { running, outsides, limit, state, rendezvous, partners, relay, close };
    }
    await learn(addressesOf(env, args.family));
    const everywhere = await Everywhere.start(env, {
      ...hooks,
      family: args.family,
      open: (each) => open([each]),
      closed: (server) => {
        partners?.closed(server);
        hooks.closed(server);
      },
    });
    return {
      get running() {
        return everywhere.running;
      },
      outsides,
      limit,
      state,
      rendezvous,
      partners,
      relay,
      close: () => {
        endAll();
        everywhere.close();
      },
    };
  } catch (error) {
    endAll();
    throw error;
  }
}

const relayOptions = (
  args: Args,
  outsides: Outsides,
  limit: RateLimit,
  hooks: Hooks,
): Omit<TurnServiceOptions, 'users'> => ({
  realm: args.realm,
  quota: {
    allocations: args.userQuota,
    bytesPerSecond: args.userRate === 0 ? Number.POSITIVE_INFINITY : args.userRate,
  },
  most: args.totalQuota,
  limit,
  ports: args.relayPorts,
  peers: new PeerPolicy(args.allowPeer),
  shown: ({ address, port }) => ({ address: outsides.of(address) ?? address, port }),
  software: args.software || undefined,
  observe: hooks.relaying,
  failed: hooks.failed,
});

/** The same error, said in the words of the command line. */
function inContext(error: NetError, addresses: ListenOptions['addresses'], { port, alternatePort }: Args): NetError {
  const where = addresses.filter((each) => each !== undefined).join(' or ');
  const ports = addresses[1] === undefined ? `port ${port}` : `port ${port} or ${alternatePort}`;
  switch (error.kind) {
    case 'in-use':
      return new NetError(error.kind, `${ports} of ${where} is taken by another program`, error.code, error);
    case 'not-available':
      return new NetError(error.kind, `${where} is not an address of this host`, error.code, error);
    case 'denied':
      return new NetError(
        error.kind,
        `the system does not permit listening on ${ports} of ${where}`,
        error.code,
        error,
      );
    case 'tls':
      return new NetError(error.kind, `--cert, --key: ${error.message}`, error.code, error);
    default:
      return error;
  }
}

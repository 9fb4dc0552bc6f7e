/** Runs the TURN server on the sockets and connections of the STUN servers of one host, and opens sockets for what it relays. */
import { anyAddress, type Endpoint, type Family, familyOf, isAnyAddress, scopeOf } from '../net/address.ts';
import {
  type Env,
  ignoreNetError,
  type InterfaceAddress,
  type NetError,
  onNetError,
  type UdpSocket,
} from '../net/env.ts';
import { drive } from '../net/machine.ts';
import type { Protocol, ServerConnection, ServerSockets } from '../stun/listener.ts';
import { type Role, ROLES } from '../stun/server.ts';
import { looksLikeChannelData } from './channel-data.ts';
import type { Opening } from './server-allocating.ts';
import type { ClientLine, PeerSocket, ServerAllocation } from './server-allocation.ts';
import type { RelayCounters } from './server-data.ts';
import { looksLikeTurn, type TurnAction, type TurnCounters, TurnServer, type TurnServerOptions } from './server.ts';

/** What happens, for a log: who used the relay to talk to whom. */
export type TurnNotice =
  | { readonly kind: 'allocated' | 'released'; readonly allocation: ServerAllocation }
  | { readonly kind: 'permitted'; readonly allocation: ServerAllocation; readonly peers: readonly Endpoint[] };

export interface TurnServiceOptions
  extends Pick<
    TurnServerOptions,
    'realm' | 'users' | 'quota' | 'caps' | 'most' | 'limit' | 'ports' | 'peers' | 'shown' | 'software'
  > {
  readonly observe?: ((notice: TurnNotice) => void) | undefined;
  /** Hears of errors of ours. */
  readonly failed?: ((error: unknown) => void) | undefined;
}

export interface TurnService {
  readonly counters: Readonly<TurnCounters & RelayCounters>;
  /** Allocations that stand. */
  readonly size: number;
  at(sockets: ServerSockets): Protocol;
  /** From now on only members of a meeting get a relay. */
  drain(): void;
  /** Frees every relayed address at once. */
  close(): void;
}

/** The addresses of this host are looked up anew so often, ms. */
const ADDRESSES_MS = 5_000;
/** Absorbs bursts while JavaScript is busy. */
const RECEIVE_BUFFER = 1 << 18;
const WILL_PASS: ReadonlySet<NetError['kind']> = new Set(['in-use', 'denied']);

export function startTurn(
  env: Pick<Env, 'udp' | 'clock' | 'random' | 'interfaces'>,
  options: TurnServiceOptions,
): TurnService {
  const { observe, failed, ...settings } = options;
  const own = ownAddresses(env);
  /** Addresses by port: asked for each datagram. */
  const served = new Map<number, Set<string>>();
  /** Where peers find an address of this host. */
  const shownAt = (address: string): string => (settings.shown?.({ address, port: 0 }) ?? { address }).address;
  const server = new TurnServer({
    ...settings,
    random: env.random,
    date: () => env.clock.date().getTime(),
    isOwn: (address) => own().some((each) => each.address === address || shownAt(each.address) === address),
    serves: ({ address, port }) => {
      const addresses = served.get(port);
      if (addresses === undefined) return false;
      if (addresses.has(address) || addresses.has(anyAddress(familyOf(address)))) return true;
      return [...addresses].some((local) => shownAt(local) === address);
    },
    relayAddress: ({ local }, family) => relayAddress(local.address, family, own(), shownAt),
  });
  const open = new Set<PeerSocket>();
  let closed = false;

  const openAll = async ({ family, address, ports }: Opening): Promise<PeerSocket[]> => {
    const sockets: UdpPeerSocket[] = [];
    try {
      for (const port of ports)
        sockets.push(new UdpPeerSocket(await env.udp.open({ family, address, port, receiveBuffer: RECEIVE_BUFFER })));
    } catch (error) {
      for (const socket of sockets) socket.close();
      throw error;
    }
    return sockets;
  };
  const begin = (opening: Opening): void => {
    openAll(opening)
      .then(
        (sockets) => {
          for (const socket of sockets) open.add(socket);
          if (closed) for (const socket of sockets) socket.close();
          else driver.feed({ kind: 'opened', opening, sockets });
        },
        onNetError(({ kind }) => driver.feed({ kind: 'failed', opening, taken: WILL_PASS.has(kind) })),
      )
      .catch((error: unknown) => failed?.(error));
  };
  const perform = (action: TurnAction): void => {
    switch (action.kind) {
      case 'send':
        return action.line.post(action.data, action.to);
      case 'open':
        return begin(action.opening);
      case 'listen': {
        const { relay } = action;
        return relay.socket.hear((from, data, now) => server.data.fromPeer(relay, from, data, now));
      }
      case 'close':
        open.delete(action.socket);
        return action.socket.close();
      case 'permitted':
        return observe?.(action);
      case 'allocated':
      case 'released':
        action.allocation.line.keep?.(action.kind === 'allocated');
        return observe?.(action);
    }
  };
  const driver = drive(server, env.clock, perform, failed);

  const take = (line: ClientLine, from: Endpoint, data: Uint8Array, now: number): boolean => {
    if (looksLikeChannelData(data)) server.data.fromClient(line, from, data, now);
    else if (looksLikeTurn(data)) driver.feed({ kind: 'message', line, from, data });
    else return false;
    return true;
  };
  return {
    get counters() {
      return { ...server.counters, ...server.data.counters };
    },
    get size() {
      return server.size;
    },
    at: (sockets) => {
      const lines = Object.fromEntries(
        ROLES.flatMap((role) => {
          const local = sockets.endpoints[role];
          if (!local) return [];
          served.set(local.port, (served.get(local.port) ?? new Set()).add(local.address));
          const post: ClientLine['post'] = (data, to) => sockets.send({ data, to, viaRole: role });
          return [[role, { transport: 'udp', local, post } satisfies ClientLine]];
        }),
      ) as Record<Role, ClientLine>;
      return {
        accept: ({ role, from, data, now }) => take(lines[role], from, data, now),
        connected: (connection) => {
          const line = lineOf(connection);
          return {
            accept: (data, now) => take(line, connection.stream.remote, data, now),
            closed: () => driver.feed({ kind: 'gone', line }),
          };
        },
      };
    },
    drain: () => server.drain(),
    close: () => {
      closed = true;
      driver.stop();
      for (const socket of open) socket.close();
      open.clear();
    },
  };
}

const lineOf = ({ transport, stream, post, keep }: ServerConnection): ClientLine => ({
  transport,
  local: stream.local,
  post: (data) => post(data),
  keep,
});

class UdpPeerSocket implements PeerSocket {
  readonly local: Endpoint;
  readonly #socket: UdpSocket;

  constructor(socket: UdpSocket) {
    this.#socket = socket;
    this.local = socket.local;
  }

  post(data: Uint8Array, to: Endpoint): void {
    if (this.#socket.post) this.#socket.post(data, to);
    else this.#socket.send(data, to).catch(ignoreNetError);
  }

  hear(receive: (from: Endpoint, data: Uint8Array, now: number) => void): void {
    this.#socket.listen({ datagram: ({ from, data, at }) => receive(from, data, at) });
  }

  close(): void {
    this.#socket.close();
  }
}

/** The addresses of this host, looked up now and then. */
function ownAddresses({ clock, interfaces }: Pick<Env, 'clock' | 'interfaces'>): () => readonly InterfaceAddress[] {
  let known = interfaces();
  let at = clock.now();
  return () => {
    if (clock.now() - at > ADDRESSES_MS) {
      known = interfaces();
      at = clock.now();
    }
    return known;
  };
}

/** Where the client reached us, if it wants that family; else the address of the family by which most others can. */
function relayAddress(
  reached: string,
  family: Family,
  own: readonly InterfaceAddress[],
  shown: (address: string) => string,
): string | undefined {
  if (familyOf(reached) === family && !isAnyAddress(reached)) return reached;
  const usable = own.filter((each) => each.family === family && scopeOf(each.address) !== 'link-local');
  const best =
    usable.find(({ address }) => scopeOf(shown(address)) === 'public') ??
    // Another family than the client's is of use only where peers come from elsewhere.
    (isAnyAddress(reached) && familyOf(reached) === family
      ? (usable.find(({ internal }) => !internal) ?? usable[0])
      : undefined);
  return best?.address;
}

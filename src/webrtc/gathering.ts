/** Where this host may be reached: its own addresses, and its public sides by several STUN servers (RFC 8445 §5.1.1). */
import { type Candidate, candidatePriority, Foundations } from '../ice/candidate.ts';
import { type Endpoint, type Family, familyOf, formatEndpoint, isAnyAddress, sameEndpoint } from '../net/address.ts';
import { type Env, NetError } from '../net/env.ts';
import { routedAddress } from '../net/route.ts';
import type { Waits } from '../net/wait.ts';
import { askPublicSide, keepMapping } from '../connect/signalling/public-side.ts';
import { ownAddresses } from '../connect/traversal/gather.ts';
import { ServerTrust } from '../connect/traversal/server-trust.ts';
import type { Socket, Sockets } from '../connect/traversal/sockets.ts';
import type { GatherOptions } from './peer-api.ts';

export interface GatheringOptions {
  readonly env: Pick<Env, 'clock' | 'random' | 'udp' | 'interfaces'>;
  readonly waits: Waits;
  readonly sockets: Sockets;
  readonly family: Family | undefined;
  readonly source: string | undefined;
  readonly found: (socket: number, candidate: Candidate) => void;
  readonly note: (event: string, details: Readonly<Record<string, unknown>>) => void;
}

const STUN_MS = 2_000;
/** Addresses of one family that are told. */
const MOST_ADDRESSES = 8;

export class Gathering {
  readonly #options: GatheringOptions;
  readonly #foundations = new Foundations();
  readonly #told: Candidate[] = [];
  #keeping: (() => void)[] = [];

  constructor(options: GatheringOptions) {
    this.#options = options;
  }

  /** Rejects with NetError where no socket could be had, or with the reason of the end. */
  async run({ stun, waitMs = STUN_MS, port }: GatherOptions): Promise<void> {
    const sockets: Socket[] = [];
    let refused: NetError | undefined;
    for (const { family, addresses } of this.#homes()) {
      try {
        sockets.push(await this.#open(family, addresses, stun, port));
      } catch (error) {
        // A host whose IPv6 is half there has IPv4 all the same.
        if (!(error instanceof NetError)) throw error;
        refused = error;
      }
    }
    if (sockets.length === 0 && refused) throw refused;
    await Promise.all(sockets.flatMap((socket) => stun.map((server) => this.#ask(socket, server, waitMs))));
  }

  /** A relay, at these addresses. */
  relay(socket: number, relayed: readonly Endpoint[]): void {
    for (const [nth, endpoint] of relayed.entries())
      this.#tell(socket, {
        foundation: this.#foundations.of('relay', endpoint.address),
        component: 1,
        transport: 'udp',
        priority: candidatePriority('relay', 0xffff - nth),
        endpoint,
        type: 'relay',
      });
  }

  /** Checks keep the mappings from now on. */
  stop(): void {
    for (const stop of this.#keeping.splice(0)) stop();
  }

  /** Families, with the addresses in each that others may reach; loopback where there is nothing else. */
  #homes(): { readonly family: Family; readonly addresses: readonly string[] }[] {
    const { env, family, source } = this.#options;
    if (source !== undefined) return [{ family: familyOf(source), addresses: [source] }];
    const families: readonly Family[] = family === undefined ? [4, 6] : [family];
    const homes = families
      .map((each) => ({ family: each, addresses: ownAddresses(env, each).slice(0, MOST_ADDRESSES) }))
      .filter(({ addresses }) => addresses.length > 0);
    const only = family ?? 4;
    return homes.length > 0 ? homes : [{ family: only, addresses: [only === 4 ? '127.0.0.1' : '::1'] }];
  }

  async #open(
    family: Family,
    addresses: readonly string[],
    stun: readonly Endpoint[],
    port: number | undefined,
  ): Promise<Socket> {
    const { env, waits, sockets, source } = this.#options;
    const [first = ''] = addresses;
    const server = stun.find(({ address }) => familyOf(address) === family);
    const routed = server
      ? await waits
          .run((signal) => routedAddress(env.udp, server, source, signal))
          .catch((error: unknown) => {
            if (error instanceof NetError) return first;
            throw error;
          })
      : first;
    const socket = await sockets.open(waits, { family, routed, port });
    const others = addresses.filter((each) => each !== socket.local.address);
    const hosts = isAnyAddress(socket.local.address) ? others : [socket.local.address, ...others];
    for (const [nth, address] of hosts.entries())
      this.#tell(socket.id, {
        foundation: this.#foundations.of('host', address),
        component: 1,
        transport: 'udp',
        priority: candidatePriority('host', 0xffff - nth - (family === 6 ? MOST_ADDRESSES : 0)),
        endpoint: { address, port: socket.local.port },
        type: 'host',
      });
    return socket;
  }

  async #ask(socket: Socket, server: Endpoint, waitMs: number): Promise<void> {
    const { env, waits, sockets, note } = this.#options;
    if (familyOf(server.address) !== familyOf(socket.local.address)) return;
    const { clock, random } = env;
    const name = formatEndpoint(server);
    const side = await waits.run((signal) => askPublicSide(socket.mux, { server, clock, random, waitMs }, signal));
    if (side.kind !== 'observed') {
      const why = side.kind === 'network' ? side.error.kind : side.kind;
      return note('stun-failed', { server: name, why, ...(side.kind === 'refused' && { code: side.code }) });
    }
    const { mapped, rttMs } = side.observed;
    note('stun-answered', {
      server: name,
      mapped: formatEndpoint(mapped),
      base: formatEndpoint(socket.local),
      rttMs: rttMs ?? null,
    });
    const send = (...datagram: Parameters<typeof sockets.send> extends [number, ...infer Rest] ? Rest : never): void =>
      sockets.send(socket.id, ...datagram);
    this.#keeping.push(keepMapping({ send, server, clock, random }));
    const trusted = new ServerTrust(server, note).ours(mapped);
    if (!trusted || this.#told.some(({ endpoint }) => sameEndpoint(endpoint, trusted))) return;
    this.#tell(socket.id, {
      foundation: this.#foundations.of('srflx', socket.local.address, server.address),
      component: 1,
      transport: 'udp',
      priority: candidatePriority('srflx'),
      endpoint: trusted,
      type: 'srflx',
      related: socket.local,
    });
  }

  #tell(socket: number, candidate: Candidate): void {
    this.#told.push(candidate);
    this.#options.found(socket, candidate);
  }
}

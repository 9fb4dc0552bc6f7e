/**
 * What a side must know of its own NAT before it can tell how a hole may be opened: mapping, filtering, port allocation. All in
 * parallel on sockets of their own (a test opens the filter for the next), beside the attempts that need none of it.
 */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import type { Clock, Random } from '../../net/env.ts';
import { deferred, type Waits } from '../../net/wait.ts';
import { classifyFiltering, type Passage } from '../../nat/filtering.ts';
import { classifyAllocation, type PortAllocation } from '../../nat/allocation.ts';
import { type Attribute, attribute } from '../../stun/attributes.ts';
import { alternatesOf, encodeBinding } from '../../stun/binding.ts';
import { type Credentials, transact } from '../../stun/client.ts';
import { type Decoded, mappedAddress } from '../../stun/message.ts';
import type { Schedule } from '../../net/schedule.ts';
import { type Sighting, weigh } from '../../nat/evidence.ts';
import type { MappingVerdict } from '../../nat/mapping.ts';
import type { Profile } from '../../nat/profile.ts';
import type { Socket, Sockets } from './sockets.ts';
import type { ServerTrust } from './server-trust.ts';

export interface ProfilerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly sockets: Sockets;
  readonly main: Socket;
  readonly server: Endpoint;
  readonly credentials?: Credentials | undefined;
  /** The server is one of ours: its silence to a CHANGE-REQUEST is the NAT's doing. */
  readonly trusted: boolean;
  readonly trust: ServerTrust;
  readonly waits: Waits;
  /** The mapping is known, and, where it is symmetric, how ports are given out; the filter may not be, yet. */
  readonly early: (profile: Profile) => void;
  /** The socket for packets that shall not arrive first, and its public side. */
  readonly late: (socket: Socket, mapped: Endpoint) => void;
}

/** Where the server sees the main socket, and where else it answers. */
export interface Sight {
  /** Undefined where what the server said cannot be true. */
  readonly mapped: Endpoint | undefined;
  readonly alternates: readonly Endpoint[];
}

/** Sockets that are opened to see how a symmetric NAT picks its ports. */
const SAMPLES = 8;
const ASK_AT_MS: readonly number[] = [0, 100, 250, 500, 900];
const ASK_WAIT_MS = 600;
/** Five tries a little apart: at 5 % loss both ways all are lost once in 100,000 times. */
const CHANGE_AT_MS: readonly number[] = [0, 60, 120, 180, 240];
const CHANGE_WAIT_MS = 300;

type Answer = { readonly message: Decoded; readonly from: Endpoint; readonly mapped: Endpoint | undefined };

/** Measures a {@link Profile}, once; then it samples ports for those who predict them. */
export class Profiler {
  readonly #options: ProfilerOptions;
  /** Flows in the order in which they were opened, with the port that each got. */
  readonly #flows: { readonly socket: Socket; mapped: Endpoint | undefined }[] = [];
  readonly #sight = deferred<Sight>();
  #seen = false;
  #heard = false;
  #rttMs = 100;

  constructor(options: ProfilerOptions) {
    this.#options = options;
    // The main socket's flow is the register packet, which left first.
    this.#flows.push({ socket: options.main, mapped: undefined });
  }

  /** Whether any server has answered over UDP. */
  get hasHeard(): boolean {
    return this.#heard;
  }

  /** The register packet's answer. */
  sighted(sight: Sight, rttMs: number): void {
    this.#rttMs = rttMs;
    const [first] = this.#flows;
    if (first) first.mapped ??= sight.mapped;
    // Alternates may come with a later answer only.
    if (!this.#seen) this.#sight.resolve(sight);
    this.#seen = true;
  }

  /** Rejects with NetError or the reason of the end. */
  async measure(): Promise<Profile> {
    const { sockets, waits, early } = this.#options;
    const late = await sockets.open(waits);
    const lateAsked = this.#ask(late).then((answer) => {
      if (answer?.mapped) this.#options.late(late, answer.mapped);
      return answer;
    });
    const filtering = this.#filtering();
    // A failure is reported below, when it is awaited.
    filtering.catch(() => {});
    lateAsked.catch(() => {});
    const sight = await this.#sight.promise;
    const { mapping, dependent } = await this.#mapping(sight, lateAsked);
    const allocation: PortAllocation = dependent ? await this.#allocation(sight) : { pattern: 'unknown' };
    early({ mapping, filtering: 'unknown', allocation, complete: false });
    return { mapping, filtering: await filtering, allocation, complete: true };
  }

  async #mapping(sight: Sight, lateAsked: Promise<Answer | undefined>): Promise<MappingVerdict> {
    const { main, server } = this.#options;
    let { alternates } = sight;
    if (alternates.length === 0) {
      const answer = await lateAsked;
      if (answer) alternates = alternatesOf(answer.message, server);
    }
    // The same address on another port, and, to be sure, another one.
    const near = alternates.find((each) => each.address === server.address && each.port !== server.port);
    const far =
      alternates.find((each) => each.address !== server.address && each.port !== server.port) ??
      alternates.find((each) => each.address !== server.address);
    const seenBy = (remote: Endpoint, mapped: Endpoint | undefined): Sighting[] =>
      mapped ? [{ server: formatEndpoint(server), local: main.local, remote, mapped }] : [];
    const observed = async (remote: Endpoint | undefined): Promise<Sighting[]> =>
      remote ? seenBy(remote, (await this.#ask(main, remote))?.mapped) : [];
    const others = (await Promise.all([observed(near), observed(far)])).flat();
    const { verdict, believed } = weigh([...seenBy(server, sight.mapped), ...others]);
    // A server on this side of every NAT says nothing of them.
    if (verdict.mapping === 'none' && this.#options.trust.inside) return { mapping: 'unknown', dependent: false };
    if (verdict.mapping !== 'unknown') return verdict;
    // It depends on something: the worse is assumed. Alike on two ports of one address, it might still differ by address; few NATs do so,
    // and nothing is lost by trying.
    if (verdict.dependent) return { mapping: 'address-and-port-dependent', dependent: true };
    return { mapping: believed.length > 1 ? 'endpoint-independent' : 'unknown', dependent: false };
  }

  async #allocation({ alternates }: Sight): Promise<PortAllocation> {
    const { sockets, waits, server } = this.#options;
    const opened = await Promise.all(Array.from({ length: SAMPLES }, () => sockets.open(waits)));
    const asked: Promise<unknown>[] = opened.map((socket) => this.#ask(socket));
    const far = alternates.find((each) => each.address !== server.address);
    if (far) asked.push(...opened.slice(0, SAMPLES / 2).map((socket) => this.#ask(socket, far)));
    await Promise.all(asked);
    for (const { id } of opened) sockets.close(id);
    return this.allocation();
  }

  /** From all flows seen so far. */
  allocation(): PortAllocation {
    const found = classifyAllocation(
      this.#flows.flatMap(({ socket, mapped }) => (mapped ? [{ localPort: socket.local.port, mapped }] : [])),
    );
    // The counter towards the peer is another one, and has not been seen.
    return found.perDestination ? { pattern: 'random' } : found;
  }

  /** Public ports that were seen in use. */
  usedPorts(): number[] {
    return this.#flows.map(({ mapped }) => mapped?.port).filter((port) => port !== undefined);
  }

  async #filtering(): Promise<Profile['filtering']> {
    const [anywhere, anyPort] = await Promise.all([this.#passage(true), this.#passage(false)]);
    return classifyFiltering(anywhere, anyPort);
  }

  /** RFC 5780 §4.4: whether an answer from another address and port, or only another port, comes in. */
  async #passage(ip: boolean): Promise<Passage> {
    const { sockets, waits, server, trusted } = this.#options;
    const socket = await sockets.open(waits);
    const baseline = this.#ask(socket);
    const changed = this.#ask(
      socket,
      server,
      [attribute('CHANGE-REQUEST', { ip, port: true })],
      this.#changeSchedule,
      false,
    );
    const [plain, other] = await Promise.all([baseline, changed]);
    sockets.close(socket.id);
    if (other) {
      const moved =
        other.message.class === 'success' &&
        !sameEndpoint(other.from, server) &&
        (!ip || other.from.address !== server.address);
      return moved ? 'passed' : 'unknown';
    }
    return plain && trusted ? 'dropped' : 'unknown';
  }

  readonly #askSchedule: Schedule = function* () {
    yield* ASK_AT_MS;
    return (ASK_AT_MS[ASK_AT_MS.length - 1] as number) + ASK_WAIT_MS;
  };

  readonly #changeSchedule: Schedule = function* (this: Profiler) {
    yield* CHANGE_AT_MS;
    return (CHANGE_AT_MS[CHANGE_AT_MS.length - 1] as number) + Math.max(CHANGE_WAIT_MS, 3 * this.#rttMs);
  }.bind(this);

  /** The answer to a Binding request; undefined after silence. Rejects with the reason of the end. */
  async #ask(
    socket: Socket,
    to = this.#options.server,
    attributes: readonly Attribute[] = [],
    schedule = this.#askSchedule,
    isFlow = true,
  ): Promise<Answer | undefined> {
    const { random, clock, waits, trust, credentials } = this.#options;
    const flow: { socket: Socket; mapped: Endpoint | undefined } = { socket, mapped: undefined };
    if (isFlow) this.#flows.push(flow);
    // An answer from elsewhere is what a CHANGE-REQUEST asks for.
    const acceptFrom = attributes.length > 0 ? () => true : undefined;
    const outcome = await waits.run((signal) =>
      transact(socket.mux, { attributes }, { to, acceptFrom, schedule, credentials, clock, random, signal }),
    );
    if (!('message' in outcome)) return undefined;
    this.#heard = true;
    const { message, from } = outcome;
    const said = outcome.kind === 'answered' ? mappedAddress(message) : undefined;
    flow.mapped = said && trust.ours(said, to);
    return { message, from, mapped: flow.mapped };
  }

  /** Refreshes a socket's mapping towards the server; the answer does not matter. */
  touch(socket: Socket): void {
    const { random, server, sockets } = this.#options;
    sockets.send(socket.id, encodeBinding('request', random.bytes(12)), server);
  }

  /** The port that the NAT gives a fresh socket now, for predictions. Undefined after silence. */
  async sample(socket: Socket): Promise<Endpoint | undefined> {
    return (await this.#ask(socket))?.mapped;
  }
}

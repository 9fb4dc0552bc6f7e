/** Agents joined by a wire on virtual time: what one sends reaches another after the delay that the test says, or not at all. */
import { type Endpoint, formatEndpoint } from '../../src/net/address.ts';
import {
  IceAgent,
  type IceAction,
  type IceConfig,
  type IceEvent,
  type IceLog,
  type SocketId,
} from '../../src/ice/agent.ts';
import { type Candidate, candidatePriority, type CandidateType } from '../../src/ice/candidate.ts';
import { newCredentials, type IceCredentials } from '../../src/ice/credentials.ts';
import { Nat } from '../../src/lab/nat.ts';
import { natSpec, type NatKind } from '../../src/lab/nat-spec.ts';
import type { NatParts } from '../../src/lab/nat-parts.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { type Decoded, decode } from '../../src/stun/message.ts';

export const at = (text: string): Endpoint => {
  const colon = text.lastIndexOf(':');
  return { address: text.slice(0, colon).replace(/[[\]]/g, ''), port: Number(text.slice(colon + 1)) };
};

export const candidate = (type: CandidateType, endpoint: string, over: Partial<Candidate> = {}): Candidate => ({
  foundation: type,
  component: 1,
  transport: 'udp',
  priority: candidatePriority(type),
  endpoint: at(endpoint),
  type,
  ...over,
});

export interface Packet {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly data: Uint8Array;
  readonly ttl: number | undefined;
  /** Count of packets on this wire so far. */
  readonly number: number;
}

/** What the wire does to a packet: delays at which copies arrive, each perhaps with another source; nothing is a loss. */
export type Fate = readonly {
  readonly afterMs: number;
  readonly from?: Endpoint;
  readonly to?: Endpoint;
  readonly data?: Uint8Array;
}[];

export interface Happening<T> {
  readonly at: number;
  readonly what: T;
}

export class Party {
  readonly agent: IceAgent;
  readonly credentials: IceCredentials;
  readonly actions: Happening<IceAction>[] = [];
  /** The endpoint that each socket is bound to. */
  readonly sockets = new Map<SocketId, Endpoint>();
  /** What stands between it and the wire. */
  nat: Nat | undefined;
  publicAddress: string | undefined;
  readonly #wire: Wire;

  constructor(wire: Wire, name: string, config: Partial<IceConfig>) {
    const random = seededRandom(wire.seed, name);
    this.#wire = wire;
    this.credentials = newCredentials(random);
    this.agent = new IceAgent({ role: 'controlling', random, ...this.credentials, ...config });
  }

  feed(event: IceEvent): void {
    this.#perform(this.agent.handle(event, this.#wire.now));
  }

  wake(): void {
    this.#perform(this.agent.wake(this.#wire.now));
  }

  /** Binds a socket and tells the agent of its host candidate. */
  host(socket: SocketId, endpoint: string, over: Partial<Candidate> = {}): Candidate {
    const own = candidate('host', endpoint, over);
    this.bind(socket, endpoint);
    this.feed({ kind: 'local-candidate', socket, candidate: own });
    return own;
  }

  bind(socket: SocketId, endpoint: string): void {
    this.sockets.set(socket, at(endpoint));
  }

  /** Learns all that the other would signal. */
  meet(other: Party, candidates: readonly Candidate[], end = true): void {
    for (const each of candidates) this.feed({ kind: 'remote-candidate', candidate: each });
    this.feed({ kind: 'remote-credentials', ...other.credentials });
    if (!end) return;
    this.feed({ kind: 'remote-end' });
    this.feed({ kind: 'local-end' });
  }

  /** Puts it behind a NAT with that public address. */
  behind(kind: NatKind, publicAddress: string, parts: Partial<NatParts> = {}): void {
    const spec = natSpec(kind, parts);
    this.publicAddress = publicAddress;
    this.nat = new Nat(
      spec.parts,
      spec.parts.translate ? [publicAddress] : [],
      seededRandom(this.#wire.seed, publicAddress),
    );
  }

  /** Asks a server where it is seen from, and tells the agent: its server-reflexive candidate. */
  reflect(socket: SocketId, server = '203.0.113.53:3478'): Candidate {
    const base = this.sockets.get(socket);
    if (!base) throw new Error(`the socket ${socket} is not bound`);
    const own = candidate(
      'srflx',
      formatEndpoint(this.#wire.outside(this, base, at(server), new Uint8Array()) ?? base),
      { related: base },
    );
    this.feed({ kind: 'local-candidate', socket, candidate: own });
    return own;
  }

  #perform(actions: IceAction[]): void {
    for (const what of actions) {
      this.actions.push({ at: this.#wire.now, what });
      if (what.kind === 'send') this.#wire.transmit(this, what);
    }
  }

  of<K extends IceAction['kind']>(kind: K): Happening<Extract<IceAction, { kind: K }>>[] {
    return this.actions.filter(({ what }) => what.kind === kind) as Happening<Extract<IceAction, { kind: K }>>[];
  }

  logs<E extends IceLog['event']>(event: E): Happening<Extract<IceLog, { event: E }>>[] {
    return this.of('log').flatMap(({ at: when, what }) =>
      what.entry.event === event ? [{ at: when, what: what.entry as Extract<IceLog, { event: E }> }] : [],
    );
  }

  sends(): { readonly at: number; readonly to: string; readonly data: Uint8Array; readonly ttl: number | undefined }[] {
    return this.of('send').map(({ at: when, what }) => ({
      at: when,
      to: formatEndpoint(what.to),
      data: what.data,
      ttl: what.ttl,
    }));
  }

  get selected(): string | undefined {
    const pair = this.agent.selected;
    return pair && `${formatEndpoint(pair.local.endpoint)} > ${formatEndpoint(pair.remote.endpoint)}`;
  }
}

interface Due {
  readonly at: number;
  readonly run: () => void;
}

export class Wire {
  now = 0;
  readonly seed: number;
  readonly parties: Party[] = [];
  fate: (packet: Packet) => Fate;
  #due: Due[] = [];
  #packets = 0;

  /** 10 ms each way unless told otherwise. */
  constructor(fate: (packet: Packet) => Fate = () => [{ afterMs: 10 }], seed = 1) {
    this.fate = fate;
    this.seed = seed;
  }

  party(name: string, config: Partial<IceConfig> = {}): Party {
    const party = new Party(this, name, config);
    this.parties.push(party);
    return party;
  }

  after(ms: number, run: () => void): void {
    this.#due.push({ at: this.now + ms, run });
  }

  transmit(sender: Party, { socket, to, data, ttl }: Extract<IceAction, { kind: 'send' }>): void {
    const from = sender.sockets.get(socket);
    if (!from) throw new Error(`the socket ${socket} is not bound`);
    const source = this.outside(sender, from, to, data);
    if (!source) return;
    for (const copy of this.fate({ from: source, to, data, ttl, number: this.#packets++ })) {
      this.after(copy.afterMs, () => this.deliver(copy.from ?? source, copy.to ?? to, copy.data ?? data));
    }
  }

  /** The source that a packet has once it is past its sender's NAT; nothing where it does not pass, or turns round there. */
  outside(sender: Party, from: Endpoint, to: Endpoint, data: Uint8Array): Endpoint | undefined {
    if (!sender.nat) return from;
    for (const action of sender.nat.handle({ side: 'inside', src: from, dst: to, data }, this.now)) {
      if (action.kind === 'forward' && action.to === 'outside') return action.src;
    }
    return undefined;
  }

  /** Hands bytes to whoever is bound there, or to the NAT that has that address. */
  deliver(from: Endpoint, to: Endpoint, data: Uint8Array): void {
    for (const party of this.parties) {
      if (!party.nat) this.#hand(party, from, to, data);
      else if (party.publicAddress === to.address) {
        for (const action of party.nat.handle({ side: 'outside', src: from, dst: to, data }, this.now)) {
          if (action.kind === 'forward' && action.to === 'inside')
            this.#hand(party, action.src, action.dst, action.data);
        }
      }
    }
  }

  #hand(party: Party, from: Endpoint, to: Endpoint, data: Uint8Array): void {
    for (const [socket, bound] of party.sockets) {
      if (bound.port !== to.port || bound.address !== to.address) continue;
      let message: Decoded;
      try {
        message = decode(data);
      } catch {
        return;
      }
      party.feed({ kind: 'datagram', socket, from, message });
    }
  }

  /** Runs until that instant, or until nothing more happens. */
  run(until: number): void {
    for (let steps = 0; ; steps++) {
      if (steps > 200_000) throw new Error(`no end at ${this.now} ms`);
      const due = this.#due.reduce<Due | undefined>(
        (first, each) => (first && first.at <= each.at ? first : each),
        undefined,
      );
      const sleeper = this.parties
        .map((party) => ({ party, at: party.agent.wakeAt() }))
        .reduce<{ party: Party; at: number } | undefined>(
          (first, { party, at: when }) =>
            when === undefined || (first && first.at <= when) ? first : { party, at: when },
          undefined,
        );
      const next = Math.min(due?.at ?? Infinity, sleeper?.at ?? Infinity);
      if (next > until) break;
      this.now = Math.max(this.now, next);
      if (due && due.at === next) {
        this.#due.splice(this.#due.indexOf(due), 1);
        due.run();
      } else sleeper?.party.wake();
    }
    this.now = Math.max(this.now, until === Infinity ? this.now : until);
  }
}

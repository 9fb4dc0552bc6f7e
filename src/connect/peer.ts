/** The other side, as a session knows it: what it said of itself, the ICE agent that checks it, and the channel sealed with its keys. */
import { type Endpoint, type Family, familyOf, sameEndpoint, scopeOf } from '../net/address.ts';
import type { Clock, Random } from '../net/env.ts';
import { type Driver, drive } from '../net/machine.ts';
import { BRISK_PACING, type IceAction, IceAgent, type IceEvent } from '../ice/agent.ts';
import { Channel, type ChannelOptions } from './channel/channel.ts';
import type { Secret } from './channel/keys.ts';
import { eventOf } from './ice-events.ts';
import type { Description } from './signalling/description.ts';
import type { PeerNews } from './signalling/signalling.ts';
import { candidate, candidatesOf, isContradicted, publicSideOf } from './traversal/candidates.ts';
import type { Gathered } from './traversal/gather.ts';
import type { Opposite } from './traversal/hard-ways.ts';
import type { Sockets } from './traversal/sockets.ts';
import type { Side } from './traversal/strategy.ts';

export interface PeerOptions
  extends Pick<ChannelOptions, 'transmit' | 'word' | 'told' | 'use' | 'keeps' | 'typed' | 'local' | 'heard' | 'bye'> {
  readonly clock: Clock;
  readonly random: Random;
  readonly secret: Secret;
  /** By the exchange of this run. */
  readonly agreed: Uint8Array;
  /** We. */
  readonly member: Uint8Array;
  readonly send: Sockets['send'];
  /** Of a relay, as far as this side knows. */
  readonly isRelay: (endpoint: Endpoint) => boolean;
  /** Relayed pairs are left out. */
  readonly direct: boolean;
  readonly note: (...event: NonNullable<ReturnType<typeof eventOf>>) => void;
  /** The server sees it where it says that it is not. */
  readonly contradicted: (observed: Endpoint) => void;
  /** What the agent found, or lost. */
  readonly found: (action: Exclude<IceAction, { kind: 'send' | 'log' }>) => void;
}

export class Peer implements Opposite {
  readonly #member: Uint8Array;
  readonly first: Side;
  readonly ice: IceAgent;
  readonly agent: Driver<IceEvent>;
  readonly channel: Channel;
  observed: Endpoint | undefined;
  description: Description;
  /** What only these two have, of this run: 32 bytes for another purpose than its data. */
  readonly pairing: () => Uint8Array;
  readonly #direct: boolean;
  readonly #contradicted: (observed: Endpoint) => void;

  /** `theirs`: the member that it is. Nothing is sent before {@link begin}. */
  constructor(options: PeerOptions, theirs: Uint8Array, description: Description, observed: Endpoint | undefined) {
    const { clock, random, secret, agreed, member } = options;
    this.#direct = options.direct;
    this.#contradicted = options.contradicted;
    this.#member = theirs;
    this.description = description;
    this.observed = observed;
    // Of two that start alike, who has the first part.
    this.first = Buffer.compare(member, theirs) > 0 ? 'a' : 'b';
    this.ice = new IceAgent({
      role: this.first === 'a' ? 'controlling' : 'controlled',
      ...secret.iceOf(member),
      random,
      pacing: BRISK_PACING,
      // Silence is noticed long before (watch.ts).
      consent: { intervalMs: 2_500, expiryMs: 30_000 },
      // Whoever accepts a relayed pair has waited for better ones.
      nomination: { waitMs: 50, relayWaitMs: 0 },
      relayedLast: true,
      isRelay: options.isRelay,
      patienceMs: 600_000,
      // Two symmetric NATs can talk only so, and only a peer of our own is asked to.
      anyReturnPath: true,
    });
    this.agent = drive(this.ice, clock, (action) => this.#perform(action, options));
    const [lower, higher] = this.first === 'a' ? [theirs, member] : [member, theirs];
    this.pairing = () => secret.pairingKey(lower, higher, agreed);
    this.channel = new Channel({
      ...options,
      sendKey: secret.dataKey(member, theirs, agreed),
      receiveKey: secret.dataKey(theirs, member, agreed),
    });
  }

  /** Where it may be reached by this family, as far as is known. */
  where(family: Family): Endpoint | undefined {
    return publicSideOf(this, family);
  }

  /** Where a filter of ours is kept open for it: it may be late, and come by its relay alone. */
  places(family: Family): Endpoint[] {
    const { relayed } = this.description;
    const relays = relayed === 'refused' || this.#direct ? [] : (relayed ?? []);
    const outside = this.where(family);
    return [...(outside ? [outside] : []), ...relays.filter(({ address }) => familyOf(address) === family)];
  }

  #perform(action: IceAction, { send, note, found }: PeerOptions): void {
    switch (action.kind) {
      case 'send': {
        const { socket, to, data, ttl } = action;
        return send(socket, data, to, () => this.agent.feed({ kind: 'send-failed', socket, to }), ttl);
      }
      case 'log': {
        const event = eventOf(action.entry);
        return event && note(...event);
      }
      default:
        return found(action);
    }
  }

  /** Whether one of its relays is there, as it says. */
  isRelayed(endpoint: Endpoint): boolean {
    const { relayed } = this.description;
    return relayed !== undefined && relayed !== 'refused' && relayed.some((each) => sameEndpoint(each, endpoint));
  }

  /** It says what its clock tells of ours, which it knows by what we told it. */
  get hasHeardUs(): boolean {
    return this.description.clocks?.least !== undefined;
  }

  /** How many public addresses of it are known. */
  get publicSides(): number {
    const { hosts, reflexive, beside } = this.description;
    const all = [...(this.observed ? [this.observed] : []), ...reflexive, ...(beside ? [beside] : []), ...hosts].map(
      ({ address }) => address,
    );
    return new Set(all.filter((address) => scopeOf(address) === 'public')).size;
  }

  /** Checks begin, from our main socket and that of the other family. */
  begin(secret: Secret, { main, other, endpoints }: Pick<Gathered, 'main' | 'other' | 'endpoints'>): void {
    const [first = { address: '0.0.0.0', port: 0 }] = endpoints;
    this.agent.feed({ kind: 'local-candidate', socket: main.id, candidate: candidate('host', first, 1) });
    const second = endpoints.find(({ address }) => familyOf(address) !== familyOf(first.address));
    if (other && second)
      this.agent.feed({ kind: 'local-candidate', socket: other.id, candidate: candidate('host', second, 2) });
    this.agent.feed({ kind: 'remote-credentials', ...secret.iceOf(this.#member) });
  }

  /** It has told something new. */
  update(description: Description, observed: PeerNews['observed']): void {
    this.description = description;
    this.observed = observed ?? this.observed;
    const contradicted = this.observed && isContradicted(this.observed, description) ? this.observed : undefined;
    if (contradicted) this.#contradicted(contradicted);
    for (const candidate of candidatesOf(description, contradicted ? undefined : this.observed))
      if (!this.#direct || candidate.type !== 'relay') this.agent.feed({ kind: 'remote-candidate', candidate });
  }

  /** Ends all that runs. */
  stop(): void {
    this.channel.stop();
    this.agent.feed({ kind: 'close' });
    this.agent.stop();
  }
}

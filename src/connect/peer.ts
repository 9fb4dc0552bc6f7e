/** The other side, as a session knows it: what it said of itself, the ICE agent that checks it, and the channel sealed with its keys. */
import { type Endpoint, scopeOf } from '../net/address.ts';
import type { Clock, Random } from '../net/env.ts';
import { type Driver, drive } from '../net/machine.ts';
import { BRISK_PACING, type IceAction, IceAgent, type IceEvent } from '../ice/agent.ts';
import { Channel, type ChannelOptions } from './channel/channel.ts';
import { Opener } from './channel/envelope.ts';
import type { Secret } from './code.ts';
import { decodeDescription, type Description } from './signalling/description.ts';
import type { PeerNews } from './signalling/signalling.ts';
import { candidatesOf } from './traversal/candidates.ts';
import type { Opposite } from './traversal/hard-ways.ts';
import type { Side } from './traversal/strategy.ts';

export interface PeerOptions extends Pick<ChannelOptions, 'transmit' | 'word' | 'told' | 'heard' | 'bye'> {
  readonly clock: Clock;
  readonly random: Random;
  readonly secret: Secret;
  /** We. */
  readonly member: Uint8Array;
  readonly perform: (action: IceAction) => void;
}

/** Reads what a member says of itself. */
export class Reader {
  readonly member: Uint8Array;
  readonly #opener: Opener;

  constructor(secret: Secret, member: Uint8Array) {
    this.member = member;
    this.#opener = new Opener(secret.descriptionKey(member));
  }

  /** Undefined for what that member did not seal, or sealed before what is known. */
  read(payload: Uint8Array): Description | undefined {
    const opened = this.#opener.open(payload);
    return opened && decodeDescription(opened.body);
  }
}

export class Peer implements Opposite {
  readonly reader: Reader;
  readonly first: Side;
  readonly ice: IceAgent;
  readonly agent: Driver<IceEvent>;
  readonly channel: Channel;
  observed: Endpoint | undefined;
  description: Description;

  /** Nothing is sent before {@link begin}. */
  constructor(options: PeerOptions, reader: Reader, description: Description, observed: Endpoint | undefined) {
    const { clock, random, secret, member, perform } = options;
    const theirs = reader.member;
    this.reader = reader;
    this.description = description;
    this.observed = observed;
    // Of two that start alike, who has the first part.
    this.first = Buffer.compare(member, theirs) > 0 ? 'a' : 'b';
    this.ice = new IceAgent({
      role: this.first === 'a' ? 'controlling' : 'controlled',
      ...secret.iceOf(member),
      random,
      pacing: BRISK_PACING,
      consent: { intervalMs: 2_500, expiryMs: 15_000 },
      nomination: { waitMs: 50 },
      patienceMs: 600_000,
      // Two symmetric NATs can talk only so, and only a peer of our own is asked to.
      anyReturnPath: true,
    });
    this.agent = drive(this.ice, clock, perform);
    this.channel = new Channel({
      ...options,
      sendKey: secret.dataKey(member, theirs),
      receiveKey: secret.dataKey(theirs, member),
    });
  }

  /** Where it may be reached, as far as is known. */
  get where(): Endpoint | undefined {
    return this.observed ?? this.description.reflexive[0];
  }

  /** How many public addresses of it are known. */
  get publicSides(): number {
    const { hosts, reflexive } = this.description;
    const all = [...(this.observed ? [this.observed] : []), ...reflexive, ...hosts].map(({ address }) => address);
    return new Set(all.filter((address) => scopeOf(address) === 'public')).size;
  }

  /** Checks begin. */
  begin(secret: Secret): void {
    this.agent.feed({ kind: 'remote-credentials', ...secret.iceOf(this.reader.member) });
  }

  /** It has told something new. */
  update(description: Description, observed: PeerNews['observed']): void {
    this.description = description;
    this.observed = observed ?? this.observed;
    for (const candidate of candidatesOf(description, observed))
      this.agent.feed({ kind: 'remote-candidate', candidate });
  }

  /** Ends all that runs. */
  stop(): void {
    this.channel.stop();
    this.agent.feed({ kind: 'close' });
    this.agent.stop();
  }
}

/** What members of a meeting say of themselves: who is listened to, what is believed, and what two agree on by it. */
import { sameBytes } from '../net/bytes.ts';
import type { Random } from '../net/env.ts';
import { MEMBER_BYTES } from '../rendezvous/protocol.ts';
import { Opener } from './channel/envelope.ts';
import { KeyExchange } from './channel/key-exchange.ts';
import type { Secret } from './channel/keys.ts';
import { type Misfit, misfitOf, type Party } from './kept/party.ts';
import { decodeDescription, type Description, isOfOtherVersion } from './signalling/description.ts';
import type { PeerNews } from './signalling/signalling.ts';

export type Introduction =
  /** `agreed`: what the keys of the data follow from beside the code. */
  | { readonly description: Description; readonly agreed: Uint8Array }
  /** It speaks another version of this. */
  | 'other-version'
  /** Of a pairing that lasts, and not who we look for. */
  | Misfit
  /** Not sealed by that member, sealed before what is known, or with no part in the exchange. */
  | 'unreadable'
  /** Nobody whom we listen to. */
  | 'nobody';

/** The keys of the data follow from the exchange already. */
const NOTHING_MORE = new Uint8Array();

export class Introductions {
  readonly #secret: Secret;
  readonly #own: Uint8Array;
  readonly #party: Party | undefined;
  readonly #exchange: KeyExchange;
  #peer: { readonly member: Uint8Array; readonly opener: Opener; readonly share: Uint8Array | undefined } | undefined;

  /** `own`: the member that we are; `party`: who we are in a pairing that lasts. */
  constructor(secret: Secret, own: Uint8Array, random: Random, party?: Party) {
    this.#secret = secret;
    this.#party = party;
    this.#own = own;
    this.#exchange = new KeyExchange(random);
  }

  /** What our descriptions show; nothing where both have exchanged keys before. */
  get share(): Uint8Array | undefined {
    return this.#secret.exchanged ? undefined : this.#exchange.share;
  }

  /** Whoever is read first is the peer from then on. */
  read({ member, payload }: Pick<PeerNews, 'member' | 'payload'>): Introduction {
    if (member.length !== MEMBER_BYTES) return 'nobody';
    const known = this.#peer;
    // Two are enough: whoever comes third is not listened to.
    if (known && !sameBytes(known.member, member)) return 'nobody';
    const opener = known?.opener ?? new Opener(this.#secret.descriptionKey(member));
    const opened = opener.open(payload);
    if (!opened) return 'unreadable';
    const description = decodeDescription(opened.body);
    if (!description) return isOfOtherVersion(opened.body) ? 'other-version' : 'unreadable';
    const misfit = misfitOf(this.#party, description.party);
    if (misfit) return misfit;
    const { share } = description;
    const agreed = this.#secret.exchanged ? NOTHING_MORE : this.#exchange.with(share, known?.share);
    if (!agreed || sameBytes(member, this.#own)) return 'unreadable';
    this.#peer = { member, opener, share };
    return { description, agreed };
  }
}

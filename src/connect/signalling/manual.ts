/**
 * Signalling by two tokens that people paste over any chat. The chat is trusted to bring them unchanged: whoever reads both learns where the two
 * are, and cannot read the data.
 */
import { Waits } from '../../net/wait.ts';
import type { Endpoint } from '../../net/address.ts';
import type { Clock, Random } from '../../net/env.ts';
import type { Resender } from '../../net/resend.ts';
import type { Credentials } from '../../stun/client.ts';
import type { StunMux } from '../../stun/mux.ts';
import { KeyExchange } from '../channel/key-exchange.ts';
import { deriveSecret, type Secret } from '../channel/keys.ts';
import { type AskOptions, askPublicSide, keepMapping, type Trouble } from './public-side.ts';
import { Opener, Sealer } from '../channel/envelope.ts';
import { type Description, decodeDescription, encodeDescription } from './description.ts';
import { packDescription, unpackDescription } from './packed-description.ts';
import { formatToken, GOOD_PAYLOAD, memberOf, parseToken, TokenError } from './token.ts';
import type { Observed, Signalling, SignallingListener } from './signalling.ts';

/** Keys from an exchange by the tokens. They exist once the peer's is known; until then only what the chat may read is sealed. */
export class SharedSecret implements Secret {
  readonly exchanged = true;
  readonly #exchange: KeyExchange;
  readonly #open = deriveSecret('manual');
  #both: Secret | undefined;

  constructor(random: Random) {
    this.#exchange = new KeyExchange(random);
  }

  get share(): Uint8Array {
    return this.#exchange.share;
  }

  /** What this side is known by. */
  get member(): Uint8Array {
    return memberOf(this.share);
  }

  /** Throws {@link TokenError}. */
  meet(theirs: Uint8Array): void {
    const agreed = this.#exchange.agree(theirs);
    if (!agreed) throw new TokenError('damaged', 'the token is damaged: its key is none');
    const ordered = [Buffer.from(this.share), Buffer.from(theirs)].sort(Buffer.compare);
    this.#both = deriveSecret(new Uint8Array(Buffer.concat([agreed, ...ordered])));
  }

  room = (): Uint8Array => this.#open.room();
  topic = (): Uint8Array => this.#open.topic();
  meetingKey = (): Uint8Array => this.#open.meetingKey();
  descriptionKey = (member: Uint8Array): Uint8Array => this.#open.descriptionKey(member);
  iceOf = (member: Uint8Array): ReturnType<Secret['iceOf']> => this.#known().iceOf(member);
  pairingKey: Secret['pairingKey'] = (...members) => this.#known().pairingKey(...members);
  dataKey = (from: Uint8Array, to: Uint8Array): Uint8Array => this.#known().dataKey(from, to, new Uint8Array());

  #known(): Secret {
    if (!this.#both) throw new Error("the peer's share is not known yet");
    return this.#both;
  }
}

export interface ManualSignallingOptions {
  readonly mux: StunMux;
  readonly send: Resender['send'];
  /** Any STUN server, for the public side of the socket. */
  readonly server: Endpoint;
  readonly credentials?: Credentials | undefined;
  readonly watchRefusal?: AskOptions['watchRefusal'];
  readonly member: Uint8Array;
  readonly secret: SharedSecret;
  readonly clock: Clock;
  readonly random: Random;
  /** A relay shall be in the token, if it comes in time. */
  readonly hasRelay: boolean;
  readonly observed: (seen: Observed) => boolean;
  /** The token will have no public side in it, and why; before {@link show}. */
  readonly trouble: (trouble: Trouble) => void;
  /** Shows our token, once. */
  readonly show: (token: string) => void;
  /** The peer's token, again and again until one is right; undefined: there will be none. */
  readonly read: () => Promise<string | undefined>;
  readonly complain: (error: TokenError) => void;
}

/** The measurement may take so long; then the token goes out with what there is. */
const SHOW_AFTER_MS = 3_000;
/** A relay may be reached over TCP only, which is tried once UDP was silent. */
const SHOW_RELAY_AFTER_MS = 5_000;

export class ManualSignalling implements Signalling {
  readonly #options: ManualSignallingOptions;
  readonly #waits = new Waits();
  readonly #opener: Opener;
  #listener: SignallingListener | undefined;
  #description: Description | undefined;
  #shown = false;
  #told = false;
  #closed = false;
  #cancel: () => void;
  #cancelKeep: () => void = () => {};

  constructor(options: ManualSignallingOptions) {
    this.#options = options;
    this.#opener = new Opener(options.secret.descriptionKey(options.member));
    const showAfterMs = options.hasRelay ? SHOW_RELAY_AFTER_MS : SHOW_AFTER_MS;
    this.#cancel = options.clock.after(showAfterMs, () => this.#show());
  }

  subscribe(listener: SignallingListener): void {
    this.#listener = listener;
    this.#ask().catch((error: unknown) => {
      if (!this.#closed) throw error;
    });
  }

  publish(payload: Uint8Array, settled: boolean): void {
    // In a token it stands unsealed, for the chat may read it, and packed.
    const opened = this.#opener.open(payload);
    this.#description = (opened && decodeDescription(opened.body)) ?? this.#description;
    if (settled) this.#show();
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
    this.#cancelKeep();
    this.#waits.end();
  }

  #show(): void {
    const { secret, show } = this.#options;
    if (this.#shown || this.#closed || !this.#description) return;
    this.#shown = true;
    this.#cancel();
    this.#doubt({ kind: 'silent' });
    this.#listener?.status('waiting');
    show(formatToken({ share: secret.share, payload: packDescription(this.#description, GOOD_PAYLOAD) }));
    this.#cancelKeep = keepMapping(this.#options);
    void this.#await();
  }

  async #await(): Promise<void> {
    const { read, complain, member, secret } = this.#options;
    for (;;) {
      const text = await read();
      if (this.#closed) return;
      if (text === undefined) return this.#listener?.status('given-up');
      try {
        const token = parseToken(text);
        const theirs = memberOf(token.share);
        if (Buffer.from(theirs).equals(member))
          throw new TokenError('own', "that is our own token; the other host's is needed");
        const description = unpackDescription(token.payload);
        if (!description) throw new TokenError('damaged', 'the token is damaged: it names no addresses');
        secret.meet(token.share);
        this.#listener?.status('paired');
        const payload = new Sealer(secret.descriptionKey(theirs)).seal(0, encodeDescription(description));
        return this.#listener?.peer({ member: theirs, payload, observed: undefined });
      } catch (error) {
        if (!(error instanceof TokenError)) throw error;
        complain(error);
      }
    }
  }

  async #ask(): Promise<void> {
    const { mux, observed } = this.#options;
    const side = await this.#waits.run((signal) =>
      askPublicSide(mux, { ...this.#options, waitMs: SHOW_AFTER_MS }, signal),
    );
    if (side.kind === 'observed') this.#told = observed(side.observed);
    if (this.#told) return;
    this.#doubt(side.kind === 'observed' ? { kind: 'useless' } : side);
    // Else nothing is left to wait for.
    if (!this.#options.hasRelay) this.#show();
  }

  /** Once, as long as the public side is unknown. */
  #doubt(trouble: Trouble): void {
    if (this.#told || this.#closed) return;
    this.#told = true;
    this.#options.trouble(trouble);
  }
}

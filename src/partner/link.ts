/**
 * One end of the link between two partners, as a pure machine. It greets the other one all the time, so that it knows within seconds whether
 * that one is there; hands it the answers that shall leave from there, again until they are acknowledged; and sends on what comes from it.
 *
 * Whoever sends answers proves with a challenge that it has heard us since we began: what was recorded before is worth nothing. The first
 * valid answer of a new sender makes it the only one, and makes all challenges given until then void.
 */
import { createHmac } from 'node:crypto';
import type { Endpoint } from '../net/address.ts';
import type { Random } from '../net/env.ts';
import type { Machine } from '../net/machine.ts';
import { Gcra, type SourceLimiter } from '../net/rate-limit.ts';
import { ReplayWindow } from '../net/replay-window.ts';
import type { ServerAnswer } from '../stun/server.ts';
import { decodePartner, encodePartner, type Ends, type Id, type PartnerMessage } from './messages.ts';

/** Between two greetings that were answered, ms, and after one that was not; of a partner that has long been away less often. */
const GREET_MS = 1000;
const GREET_AGAIN_MS = 250;
const GREET_ABSENT_MS = 2000;
/** A partner that answers no greeting for so long is away, ms: at 5 % loss each way twelve greetings go unanswered once in 10¹². */
const AWAY_MS = 3000;
const LONG_AWAY_MS = 30_000;
/** Round trips to the partner from which on its answers would come too late for clients that wait 300 ms, and by which it is near enough again, ms. */
const SLOW_MS = 250;
const QUICK_MS = 200;
/** An answer is sent so often at most, ms apart: at least the first, and one and a half round trips. */
const SENDS = 5;
const LEAST_RESEND_MS = 30;
/** The grain of resending, ms. */
const TICK_MS = 10;
/** Answers under way at a time; further ones are lost, as on any network. */
const MOST_PENDING = 2048;
/** Greetings that are answered: of the partner's address, and of all others together. One that was recorded can be sent again by anybody. */
const GREETINGS = new Gcra(50, 40);
/** Greetings whose answers are still waited for. */
const MOST_NONCES = 16;
/** Greetings that are known for answered: an hour's. Sent again by somebody else, they take nothing from the partner's own. */
const MOST_ANSWERED = 4096;

export interface LinkOptions {
  readonly key: Uint8Array;
  readonly random: Random;
  /** Of what is sent on to one client. */
  readonly limiter: SourceLimiter;
  /** The own sockets, as they are told now. */
  readonly own: () => { readonly outside: Ends; readonly inside: Ends };
}

/** What is known of the partner while it is there. */
export interface Partner {
  /** Where we reach it. */
  readonly at: Endpoint;
  readonly outside: Ends;
  readonly inside: Ends;
  /** Where it saw us. */
  readonly observed: Endpoint | undefined;
  /** Smoothed, ms. */
  readonly rttMs: number;
}

export type LinkState = 'away' | 'slow' | 'up';

export type LinkEvent =
  /** Where the partner is. */
  | { readonly kind: 'resolved'; readonly to: Endpoint }
  | { readonly kind: 'heard'; readonly from: Endpoint; readonly data: Uint8Array }
  /** An answer that is to leave from there. */
  | { readonly kind: 'carry'; readonly answer: ServerAnswer };

export type LinkAction =
  | { readonly kind: 'send'; readonly to: Endpoint; readonly data: Uint8Array }
  /** To a client, by a socket of ours. */
  | { readonly kind: 'deliver'; readonly answer: ServerAnswer }
  /** It came, went, or says otherwise than before. */
  | { readonly kind: 'changed'; readonly state: LinkState; readonly partner: Partner | undefined };

interface Pending {
  readonly data: Uint8Array;
  again: number;
  sends: number;
}

export class PartnerLink implements Machine<LinkEvent, LinkAction> {
  readonly counters = { carried: 0, resent: 0, lost: 0, delivered: 0, limited: 0, forged: 0 };
  readonly #options: LinkOptions;
  readonly #id: Id;
  #to: Endpoint | undefined;
  #state: LinkState = 'away';
  #partner: Partner | undefined;
  #told = '';
  // As the sender of greetings and answers.
  readonly #nonces = new Map<Id, number>();
  #greetAt: number | undefined;
  #heardAt = 0;
  #challenge: Id | undefined;
  #counter = 0;
  readonly #pending = new Map<number, Pending>();
  #tickAt: number | undefined;
  // As the one who sends them on.
  #challengeKey: Uint8Array;
  readonly #answered = new Set<Id>();
  readonly #greetingsDue = { partner: Number.NEGATIVE_INFINITY, others: Number.NEGATIVE_INFINITY };
  #sender: { readonly id: Id; readonly challenge: Id; readonly window: ReplayWindow } | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#id = this.#draw();
    this.#challengeKey = options.random.bytes(32);
  }

  get state(): LinkState {
    return this.#state;
  }

  handle(event: LinkEvent, now: number): LinkAction[] {
    switch (event.kind) {
      case 'resolved':
        this.#to = event.to;
        this.#greetAt ??= this.#heardAt = now;
        return this.wake(now);
      case 'carry':
        return this.#carry(event.answer, now);
      case 'heard': {
        const message = decodePartner(event.data, this.#options.key);
        if (message && message.sender !== this.#id) return this.#heard(message, event.from, now);
        this.counters.forged++;
        return [];
      }
    }
  }

  wakeAt(): number | undefined {
    return this.#greetAt === undefined ? undefined : Math.min(this.#greetAt, this.#tickAt ?? Number.POSITIVE_INFINITY);
  }

  wake(now: number): LinkAction[] {
    const actions: LinkAction[] = [];
    if (this.#tickAt !== undefined && this.#tickAt <= now) actions.push(...this.#resend(now));
    if (this.#greetAt !== undefined && this.#greetAt <= now) actions.push(...this.#greet(now));
    return actions;
  }

  #greet(now: number): LinkAction[] {
    const silence = now - this.#heardAt;
    const left = silence >= AWAY_MS ? this.#away() : [];
    this.#greetAt = now + (silence >= LONG_AWAY_MS ? GREET_ABSENT_MS : GREET_AGAIN_MS);
    const nonce = this.#draw();
    this.#nonces.set(nonce, now);
    forgetOldest(this.#nonces, MOST_NONCES);
    return [...left, ...this.#say({ type: 'hello', sender: this.#id, nonce })];
  }

  #away(): LinkAction[] {
    this.#partner = undefined;
    this.#challenge = undefined;
    this.#pending.clear();
    this.#tickAt = undefined;
    return this.#turn('away');
  }

  #heard(message: PartnerMessage, from: Endpoint, now: number): LinkAction[] {
    switch (message.type) {
      case 'hello': {
        if (this.#answered.has(message.nonce)) return [];
        const who = from.address === this.#to?.address ? 'partner' : 'others';
        if (GREETINGS.readyAt(this.#greetingsDue[who]) > now) return [];
        this.#greetingsDue[who] = GREETINGS.spend(this.#greetingsDue[who], now);
        this.#answered.add(message.nonce);
        forgetOldest(this.#answered, MOST_ANSWERED);
        return [
          this.#message(from, {
            type: 'welcome',
            sender: this.#id,
            nonce: message.nonce,
            to: message.sender,
            challenge: this.#challengeFor(message.sender),
            observed: from,
            ...this.#options.own(),
          }),
        ];
      }
      case 'welcome':
        return this.#welcomed(message, now);
      case 'answer':
        return this.#sendOn(message, from, now);
      case 'ack':
        if (message.to === this.#id) this.#pending.delete(message.counter);
        return [];
    }
  }

  #welcomed(
    { nonce, to, challenge, observed, outside, inside }: Extract<PartnerMessage, { type: 'welcome' }>,
    now: number,
  ): LinkAction[] {
    const sentAt = this.#nonces.get(nonce);
    if (sentAt === undefined || to !== this.#id || !this.#to) return [];
    this.#nonces.delete(nonce);
    this.#heardAt = now;
    this.#challenge = challenge;
    this.#greetAt = now + GREET_MS;
    const sample = now - sentAt;
    const rttMs = this.#partner ? (this.#partner.rttMs * 7 + sample) / 8 : sample;
    this.#partner = { at: this.#to, outside, inside, observed, rttMs };
    return this.#turn(rttMs > (this.#state === 'up' ? SLOW_MS : QUICK_MS) ? 'slow' : 'up');
  }

  #turn(state: LinkState): LinkAction[] {
    const told = JSON.stringify([state, { ...this.#partner, rttMs: 0 }]);
    if (told === this.#told) return [];
    this.#told = told;
    this.#state = state;
    return [{ kind: 'changed', state, partner: this.#partner }];
  }

  #carry({ data, to, viaRole }: ServerAnswer, now: number): LinkAction[] {
    if (this.#state !== 'up' || this.#challenge === undefined || this.#pending.size >= MOST_PENDING) {
      this.counters.lost++;
      return [];
    }
    const counter = this.#counter++;
    const via = viaRole === 'A2P1' ? 'A1P1' : 'A1P2';
    const message = { type: 'answer', sender: this.#id, challenge: this.#challenge, counter, via, to, data } as const;
    const sealed = encodePartner(message, this.#options.key);
    this.#pending.set(counter, { data: sealed, again: now + this.#resendMs(), sends: 1 });
    this.#tickAt ??= now + this.#resendMs();
    this.counters.carried++;
    return this.#to ? [{ kind: 'send', to: this.#to, data: sealed }] : [];
  }

  #resendMs(): number {
    return Math.max(LEAST_RESEND_MS, 1.5 * (this.#partner?.rttMs ?? 0));
  }

  #resend(now: number): LinkAction[] {
    const actions: LinkAction[] = [];
    for (const [counter, pending] of this.#pending) {
      if (pending.again > now) continue;
      if (pending.sends >= SENDS || !this.#to) {
        this.#pending.delete(counter);
        this.counters.lost++;
        continue;
      }
      pending.sends++;
      pending.again = now + this.#resendMs();
      this.counters.resent++;
      actions.push({ kind: 'send', to: this.#to, data: pending.data });
    }
    this.#tickAt = this.#pending.size > 0 ? now + TICK_MS : undefined;
    return actions;
  }

  #sendOn(message: Extract<PartnerMessage, { type: 'answer' }>, from: Endpoint, now: number): LinkAction[] {
    const { sender, challenge, counter, via, to, data } = message;
    if (this.#sender?.id !== sender || this.#sender.challenge !== challenge) {
      if (challenge !== this.#fresh(sender)) return [];
      this.#sender = { id: sender, challenge, window: new ReplayWindow() };
      this.#challengeKey = this.#options.random.bytes(32);
    }
    const ack = this.#message(from, { type: 'ack', sender: this.#id, to: sender, counter });
    const { window } = this.#sender;
    if (!window.isFresh(counter)) return [ack];
    window.remember(counter);
    if (!isBindingAnswer(data)) return [ack];
    const { limiter } = this.#options;
    if (!limiter.allow(limiter.keyOf(to.address), now)) {
      this.counters.limited++;
      return [ack];
    }
    this.counters.delivered++;
    return [{ kind: 'deliver', answer: { data, to, viaRole: via } }, ack];
  }

  #challengeFor(sender: Id): Id {
    return this.#sender?.id === sender ? this.#sender.challenge : this.#fresh(sender);
  }

  #fresh(sender: Id): Id {
    return createHmac('sha256', this.#challengeKey).update(sender).digest('hex').slice(0, 16);
  }

  #draw(): Id {
    return Buffer.from(this.#options.random.bytes(8)).toString('hex');
  }

  #say(message: PartnerMessage): LinkAction[] {
    return this.#to ? [this.#message(this.#to, message)] : [];
  }

  #message(to: Endpoint, message: PartnerMessage): LinkAction {
    return { kind: 'send', to, data: encodePartner(message, this.#options.key) };
  }
}

function forgetOldest(of: Map<Id, unknown> | Set<Id>, most: number): void {
  for (const oldest of of.keys()) {
    if (of.size <= most) break;
    of.delete(oldest);
  }
}

/** A Binding success answer (RFC 8489 §5): a partner that turned bad makes us send nothing else. */
const isBindingAnswer = (data: Uint8Array): boolean =>
  data.length >= 20 &&
  data[0] === 1 &&
  data[1] === 1 &&
  20 + (data[2] as number) * 256 + (data[3] as number) === data.length;

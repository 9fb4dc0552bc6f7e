/**
 * A meeting of two at a place where everybody hears everybody, such as a topic of public brokers: pure, what it says and hears is sealed
 * (`meeting-note.ts`).
 *
 * A member says its whole state when it comes and whenever it changes, and again, less and less often, until the other one is known to have
 * heard it. The other one is believed once it names us: our name is random in each run, so that what names it is no recording. From
 * then on nobody else is listened to, and of the other only what is newer.
 */
import { sameBytes } from '../../net/bytes.ts';
import type { Random } from '../../net/env.ts';
import type { Machine } from '../../net/machine.ts';
import { type MeetingNote, openNote, sealNote } from './meeting-note.ts';

export interface MeetingOptions {
  readonly member: Uint8Array;
  /** 32 bytes, the same for all who have the code. */
  readonly key: Uint8Array;
  /** With which the other one seals, where it is another key. */
  readonly theirKey?: Uint8Array | undefined;
  readonly random: Random;
}

export type MeetingEvent =
  /** In place of what was published before. */
  | { readonly kind: 'publish'; readonly payload: Uint8Array }
  /** A way to the place has opened: it has heard nothing yet. */
  | { readonly kind: 'opened' }
  | { readonly kind: 'heard'; readonly bytes: Uint8Array }
  /** The peer seems to be there, but its news did not come. */
  | { readonly kind: 'refresh' }
  | { readonly kind: 'close' };

export type MeetingAction =
  | { readonly kind: 'say'; readonly bytes: Uint8Array }
  /** The peer's state, newer than any before. */
  | { readonly kind: 'peer'; readonly member: Uint8Array; readonly payload: Uint8Array }
  | { readonly kind: 'paired' }
  | { readonly kind: 'peer-left' };

/** When nobody is known to be there: a newcomer says it at once, so this is for what brokers lose. */
const ALONE_MS: readonly number[] = [1_000, 2_000, 4_000, 8_000, 16_000];
const ALONE_LATER_MS = 30_000;
/** When the other one has not yet heard the latest. */
const UNHEARD_MS: readonly number[] = [400, 800, 1_600, 3_200];
const UNHEARD_LATER_MS = 6_400;
/** Changes and answers are told together that come so close to each other. */
const GATHER_MS = 20;
/** Answers a minute to what is nothing new: recordings must not make us talk. */
const MOST_ANSWERS = 20;
const MINUTE_MS = 60_000;

interface Other {
  readonly member: Uint8Array;
  /** Of its state that we hold. */
  sequence: number;
  /** Of ours that it holds. */
  heard: number;
}

export class Meeting implements Machine<MeetingEvent, MeetingAction> {
  readonly #options: MeetingOptions;
  #payload: Uint8Array | undefined;
  #sequence = 0;
  #peer: Other | undefined;
  /** The last one heard that has not named us yet. */
  #stranger: { readonly member: Uint8Array; readonly sequence: number } | undefined;
  #tries = 0;
  #sayAt: number | undefined;
  #saidAt = Number.NEGATIVE_INFINITY;
  #answers: number[] = [];
  #closed = false;

  constructor(options: MeetingOptions) {
    this.#options = options;
  }

  handle(event: MeetingEvent, now: number): MeetingAction[] {
    if (this.#closed) return [];
    switch (event.kind) {
      case 'publish':
        this.#payload = event.payload;
        this.#sequence = Math.min(this.#sequence + 1, 0xffff);
        return this.#soon(now);
      case 'opened':
        // Whoever waits there has not heard us: at once, and the rounds begin again.
        this.#tries = 0;
        return this.#payload ? this.#say(now) : [];
      case 'refresh':
        return this.#soon(now);
      case 'heard': {
        const { key, theirKey = key, member } = this.#options;
        const note = openNote(event.bytes, theirKey);
        return note && !sameBytes(note.member, member) ? this.#hear(note, now) : [];
      }
      case 'close': {
        const last = this.#peer && this.#payload ? [this.#note(true)] : [];
        this.#closed = true;
        this.#sayAt = undefined;
        return last;
      }
    }
  }

  wakeAt(): number | undefined {
    return this.#sayAt;
  }

  wake(now: number): MeetingAction[] {
    return this.#sayAt !== undefined && this.#sayAt <= now ? this.#say(now) : [];
  }

  #hear(note: MeetingNote, now: number): MeetingAction[] {
    const named = note.heard !== undefined && sameBytes(note.heard.member, this.#options.member);
    if (!this.#peer && !named) return this.#meetStranger(note, now);
    if (this.#peer && !sameBytes(note.member, this.#peer.member)) return [];
    if (!named) return this.#answer(now);
    const first = !this.#peer;
    this.#peer ??= { member: note.member, sequence: 0, heard: 0 };
    return [...(first ? [{ kind: 'paired' } as const] : []), ...this.#news(this.#peer, note, now)];
  }

  /** Says to somebody new that it was heard: if it is there, it answers to our name. */
  #meetStranger(note: MeetingNote, now: number): MeetingAction[] {
    if (note.bye) return [];
    this.#stranger = { member: note.member, sequence: note.sequence };
    return this.#answer(now);
  }

  #news(peer: Other, note: MeetingNote, now: number): MeetingAction[] {
    peer.heard = Math.max(peer.heard, note.heard?.sequence ?? 0);
    if (!this.#unheard) this.#rest(now);
    if (note.bye) return [{ kind: 'peer-left' }];
    if (note.sequence <= peer.sequence) return note.asks ? this.#answer(now) : [];
    peer.sequence = note.sequence;
    return [{ kind: 'peer', member: note.member, payload: note.payload }, ...this.#soon(now)];
  }

  /** What may be a recording is answered now and then only. */
  #answer(now: number): MeetingAction[] {
    this.#answers = this.#answers.filter((at) => at > now - MINUTE_MS);
    if (this.#answers.length >= MOST_ANSWERS) return [];
    this.#answers.push(now);
    return this.#soon(now);
  }

  get #unheard(): boolean {
    return this.#peer === undefined || this.#peer.heard < this.#sequence;
  }

  /** The other one has heard everything: only what changes, or what it asks for, is said. */
  #rest(now: number): void {
    this.#tries = 0;
    this.#sayAt = now + ALONE_LATER_MS;
  }

  #soon(now: number): MeetingAction[] {
    if (!this.#payload) return [];
    this.#tries = 0;
    const at = Math.max(now, this.#saidAt + GATHER_MS);
    if (at <= now) return this.#say(now);
    this.#sayAt = Math.min(this.#sayAt ?? Number.POSITIVE_INFINITY, at);
    return [];
  }

  #say(now: number): MeetingAction[] {
    if (!this.#payload) return [];
    this.#saidAt = now;
    const eager = this.#peer !== undefined && this.#unheard;
    const waits = eager ? UNHEARD_MS : this.#peer ? [] : ALONE_MS;
    this.#sayAt = now + (waits[this.#tries++] ?? (eager ? UNHEARD_LATER_MS : ALONE_LATER_MS));
    return [this.#note(false)];
  }

  #note(bye: boolean): MeetingAction {
    const { member, key, random } = this.#options;
    const heard = this.#peer ?? this.#stranger;
    const bytes = sealNote(
      {
        member,
        sequence: Math.max(1, this.#sequence),
        heard: heard && { member: heard.member, sequence: heard.sequence },
        bye,
        asks: this.#unheard,
        payload: this.#payload ?? new Uint8Array(),
      },
      key,
      random,
    );
    return { kind: 'say', bytes };
  }
}

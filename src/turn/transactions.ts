/** The requests of one allocation that wait for their answers: each is sent again as the very same datagram (RFC 8489 §6.2.1). Pure. */
import type { Random } from '../net/env.ts';
import type { Schedule } from '../net/schedule.ts';
import type { Attribute } from '../stun/attributes.ts';
import type { Sealing } from '../stun/authentication.ts';
import { type Decoded, encode, get, transactionKey } from '../stun/message.ts';

interface Pending<Asked> {
  readonly asked: Asked;
  readonly sealing: Sealing;
  readonly bytes: Uint8Array;
  readonly startedAt: number;
  readonly steps: Generator<number, number, void>;
  /** Of the next send, or of the end. */
  nextAt: number;
  ends: boolean;
  /** The code of an answer that did not count, for it was not sealed with our key. */
  discarded: number | undefined;
}

/** What becomes due. */
export interface Due<Asked> {
  readonly again: readonly Uint8Array[];
  /** `code`: of an answer that came without the seal that it needs. */
  readonly silent: readonly { readonly asked: Asked; readonly code: number | undefined }[];
}

/** `Asked`: what a request was about, handed back with its end. */
export class Transactions<Asked> {
  readonly #random: Random;
  readonly #pending = new Map<string, Pending<Asked>>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** The bytes to send now. Throws StunFormatError `unencodable`. */
  begin(
    asked: Asked,
    method: number,
    attributes: readonly Attribute[],
    sealing: Sealing,
    schedule: Schedule,
    now: number,
  ): Uint8Array {
    const transactionId = this.#random.bytes(12);
    const bytes = encode(
      { class: 'request', method, transactionId, attributes: [...attributes, ...sealing.attributes] },
      sealing.seal,
    );
    const steps = schedule();
    steps.next();
    const pending = { asked, sealing, bytes, startedAt: now, steps, nextAt: now, ends: false, discarded: undefined };
    advance(pending);
    this.#pending.set(transactionKey(transactionId), pending);
    return bytes;
  }

  /** What a success or error answer was asked by; undefined where nothing waits for it, or it is not sealed as it must be. */
  take(answer: Decoded): Asked | undefined {
    const key = transactionKey(answer.transactionId);
    const pending = this.#pending.get(key);
    if (!pending) return undefined;
    if (!pending.sealing.accepts(answer)) {
      pending.discarded = get(answer, 'ERROR-CODE')?.code ?? 0;
      return undefined;
    }
    this.#pending.delete(key);
    return pending.asked;
  }

  /** Waits for none of them any more. */
  clear(): void {
    this.#pending.clear();
  }

  wakeAt(): number | undefined {
    let at: number | undefined;
    for (const { nextAt } of this.#pending.values()) if (at === undefined || nextAt < at) at = nextAt;
    return at;
  }

  wake(now: number): Due<Asked> {
    const again: Uint8Array[] = [];
    const silent: { asked: Asked; code: number | undefined }[] = [];
    for (const [key, pending] of this.#pending) {
      if (pending.nextAt > now) continue;
      if (pending.ends) {
        this.#pending.delete(key);
        silent.push({ asked: pending.asked, code: pending.discarded });
      } else {
        again.push(pending.bytes);
        advance(pending);
      }
    }
    return { again, silent };
  }
}

function advance<Asked>(pending: Pending<Asked>): void {
  const step = pending.steps.next();
  pending.nextAt = pending.startedAt + step.value;
  pending.ends = step.done === true;
}

/**
 * Boxes in which a terminal and a browser leave sealed messages for each other, where the browser cannot speak our own protocol. The server
 * learns a name that follows from the code, sizes and times; what is in them it cannot read. Pure bookkeeping, bounded.
 */

export type BoxSide = 'terminal' | 'browser';

export type BoxRefusal =
  | 'gone' //  there is no such box, or no longer
  | 'taken' // this side is held by somebody else
  | 'full';

const MOST_BOXES = 1_000;
/** Of one source. */
const MOST_OF_SOURCE = 64;
/** What is said on the way to a connection is a few kilobytes. */
const MOST_MESSAGES = 256;
const MOST_BYTES = 131_072;
export const MOST_MESSAGE = 24_576;
/** One that nobody touches any more. */
const LIFETIME_MS = 15 * 60_000;

interface Half {
  member: string | undefined;
  /** What this side has said. */
  readonly messages: string[];
  bytes: number;
}

interface Box {
  /** Whose terminal made it. */
  readonly source: string | undefined;
  readonly terminal: Half;
  readonly browser: Half;
  touchedAt: number;
}

const half = (): Half => ({ member: undefined, messages: [], bytes: 0 });

export class Mailboxes {
  /** Those that were touched last are last. */
  readonly #boxes = new Map<string, Box>();

  get size(): number {
    return this.#boxes.size;
  }

  /**
   * Only a terminal makes a box. One too many makes another give way that nobody has touched for longest: of its own source where that has its
   * share, else of the source that has most. Without `source`, as behind a proxy, there are no shares.
   */
  put(name: string, side: BoxSide, member: string, data: string, now: number, source?: string): BoxRefusal | undefined {
    const box = this.#touch(name, side, member, now, source);
    if (typeof box === 'string') return box;
    const own = box[side];
    if (own.messages.length >= MOST_MESSAGES || own.bytes + data.length > MOST_BYTES) return 'full';
    own.messages.push(data);
    own.bytes += data.length;
    return undefined;
  }

  /** What the other side has said, from its message number `after` on; no more than two of the longest at once. */
  read(
    name: string,
    side: BoxSide,
    member: string,
    after: number,
    now: number,
    source?: string,
  ): readonly string[] | BoxRefusal {
    const box = this.#touch(name, side, member, now, source);
    if (typeof box === 'string') return box;
    const found: string[] = [];
    let bytes = 0;
    for (const message of box[side === 'terminal' ? 'browser' : 'terminal'].messages.slice(after)) {
      if ((bytes += message.length) > 2 * MOST_MESSAGE) break;
      found.push(message);
    }
    return found;
  }

  /** By the terminal that holds it. */
  remove(name: string, member: string): void {
    if (this.#boxes.get(name)?.terminal.member === member) this.#boxes.delete(name);
  }

  #makeRoom(source: string | undefined): void {
    const counts = new Map<string | undefined, number>();
    for (const each of this.#boxes.values()) counts.set(each.source, (counts.get(each.source) ?? 0) + 1);
    const isShared = source !== undefined && (counts.get(source) ?? 0) >= MOST_OF_SOURCE;
    if (!isShared && this.#boxes.size < MOST_BOXES) return;
    const heaviest = isShared ? source : [...counts].reduce((most, each) => (each[1] > most[1] ? each : most))[0];
    for (const [old, each] of this.#boxes) if (each.source === heaviest) return void this.#boxes.delete(old);
  }

  #touch(name: string, side: BoxSide, member: string, now: number, source?: string): Box | BoxRefusal {
    for (const [old, { touchedAt }] of this.#boxes) {
      if (now - touchedAt < LIFETIME_MS) break;
      this.#boxes.delete(old);
    }
    let box = this.#boxes.get(name);
    if (!box) {
      if (side !== 'terminal') return 'gone';
      this.#makeRoom(source);
      box = { source, terminal: half(), browser: half(), touchedAt: now };
    }
    const own = box[side];
    if (own.member !== undefined && own.member !== member) return 'taken';
    own.member = member;
    box.touchedAt = now;
    this.#boxes.delete(name);
    this.#boxes.set(name, box);
    return box;
  }
}

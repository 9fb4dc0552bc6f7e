/** Packets that are too large for the path, in two: one that was cut for a better path has to pass a worse one. */
const HEADER = 3;
/** Halves that wait for the other one. */
const MOST_WAITING = 16;

/** `number` tells the halves of one packet from those of others. */
export function halves(packet: Uint8Array, number: number): readonly [Uint8Array, Uint8Array] {
  const middle = packet.length >>> 1;
  const half = (which: number, bytes: Uint8Array): Uint8Array => {
    const part = new Uint8Array(HEADER + bytes.length);
    part[0] = number >>> 8;
    part[1] = number;
    part[2] = which;
    part.set(bytes, HEADER);
    return part;
  };
  return [half(0, packet.subarray(0, middle)), half(1, packet.subarray(middle))];
}

export class Parts {
  readonly #waiting = new Map<number, Uint8Array>();

  /** The whole packet, once both halves are here. */
  take(part: Uint8Array): Uint8Array | undefined {
    if (part.length <= HEADER) return undefined;
    const number = ((part[0] as number) << 8) | (part[1] as number);
    const other = this.#waiting.get(number);
    if (!other || other[2] === part[2]) {
      this.#waiting.delete(number);
      this.#waiting.set(number, part);
      const [oldest] = this.#waiting.keys();
      if (this.#waiting.size > MOST_WAITING && oldest !== undefined) this.#waiting.delete(oldest);
      return undefined;
    }
    this.#waiting.delete(number);
    const [first, second] = part[2] === 0 ? [part, other] : [other, part];
    const packet = new Uint8Array(part.length + other.length - 2 * HEADER);
    packet.set(first.subarray(HEADER));
    packet.set(second.subarray(HEADER), first.length - HEADER);
    return packet;
  }
}

/** Two associations and the path between them, on virtual time. */
import { Association } from '../../src/sctp/association.ts';
import type { AssociationAction, AssociationEvent, AssociationOptions } from '../../src/sctp/association-api.ts';
import { Heap } from '../../src/lab/heap.ts';
import { seededRandom } from '../../src/lab/random.ts';

/** One direction. */
export interface Direction {
  /** Bytes a millisecond. */
  rate: number;
  /** One way, milliseconds. */
  delayMs: number;
  /** Random, 0–1. */
  loss: number;
  /** Of packets that take up to `reorderMs` longer, 0–1. */
  reorder: number;
  reorderMs: number;
  /** Of packets that come twice, 0–1. */
  duplicate: number;
  /** Bytes that may wait for their turn. */
  queue: number;
  /** Packets larger than this vanish. */
  mtu: number;
  down: boolean;
}

const PLAIN: Direction = {
  rate: 1_250,
  delayMs: 10,
  loss: 0,
  reorder: 0,
  reorderMs: 0,
  duplicate: 0,
  queue: 1 << 20,
  mtu: 1500,
  down: false,
};

/** A padded HEARTBEAT, which shall not pass a path that is too narrow. */
const isProbe = (packet: Uint8Array): boolean => packet[12] === 4;

/** What an IP packet over Ethernet has beside ours. */
const OVERHEAD = 28;

interface Due {
  readonly at: number;
  readonly nth: number;
  readonly act: () => void;
}

export class World {
  now = 0;
  readonly #due = new Heap<Due>((a, b) => a.at < b.at || (a.at === b.at && a.nth < b.nth));
  #nth = 0;

  at(at: number, act: () => void): void {
    this.#due.push({ at, nth: this.#nth++, act });
  }

  /** Until `done`, or nothing is left to happen, or the time is over: then false. */
  run(done: () => boolean, until: number): boolean {
    while (!done()) {
      const next = this.#due.pop();
      if (!next || next.at > until) return false;
      this.now = next.at;
      next.act();
    }
    return true;
  }
}

export class End {
  readonly association: Association;
  readonly actions: AssociationAction[] = [];
  /** Called with everything but packets. */
  onAction: (action: AssociationAction) => void = (action) => this.actions.push(action);
  sent = 0;
  peer: End | undefined;
  /** Sees each packet that leaves. */
  watch: (packet: Uint8Array) => void = () => {};
  readonly #world: World;
  readonly #way: Direction;
  readonly #random;
  #free = 0;
  #armed: number | undefined;
  #generation = 0;

  constructor(world: World, options: Partial<AssociationOptions>, way: Direction, seed: string) {
    this.#world = world;
    this.#way = way;
    this.#random = seededRandom(seed, 'way');
    this.association = new Association({
      random: seededRandom(seed, 'end'),
      start: 'agreed',
      zeroChecksum: true,
      ...options,
    });
  }

  feed(event: AssociationEvent): void {
    this.#carry(this.association.handle(event, this.#world.now));
  }

  #carry(actions: readonly AssociationAction[]): void {
    for (const action of actions) {
      if (action.kind === 'transmit') this.#transmit(action.data);
      else this.onAction(action);
    }
    this.#arm();
  }

  #arm(): void {
    const at = this.association.wakeAt();
    if (at === this.#armed) return;
    this.#armed = at;
    const generation = ++this.#generation;
    if (at === undefined) return;
    this.#world.at(Math.max(at, this.#world.now), () => {
      if (generation !== this.#generation) return;
      this.#armed = undefined;
      this.#carry(this.association.wake(this.#world.now));
    });
  }

  #transmit(packet: Uint8Array): void {
    this.sent++;
    this.watch(packet);
    const { rate, delayMs, loss, reorder, reorderMs, duplicate, queue, mtu, down } = this.#way;
    const { now } = this.#world;
    const random = this.#random;
    // What is below cuts packets that are too large in two: both parts have to come through.
    const parts = packet.length > this.association.packet && !isProbe(packet) ? 2 : 1;
    if (down || packet.length / parts + OVERHEAD > mtu) return;
    this.#free = Math.max(this.#free, now);
    if ((this.#free - now) * rate > queue) return;
    this.#free += (packet.length + OVERHEAD) / rate;
    if (random.chance(1 - (1 - loss) ** parts)) return;
    const arrive = (): void => {
      const late = random.chance(reorder) ? random.unit() * reorderMs : 0;
      this.#world.at(this.#free + delayMs + late, () => this.peer?.feed({ kind: 'packet', data: packet }));
    };
    arrive();
    if (random.chance(duplicate)) arrive();
  }
}

export interface Pair {
  readonly world: World;
  readonly a: End;
  readonly b: End;
  readonly ways: { readonly ab: Direction; readonly ba: Direction };
}

export function pair(
  seed: number | string,
  ways: { readonly ab?: Partial<Direction>; readonly ba?: Partial<Direction> } = {},
  options: Partial<AssociationOptions> = {},
): Pair {
  const world = new World();
  const ab = { ...PLAIN, ...ways.ab };
  const ba = { ...PLAIN, ...ways.ba };
  const a = new End(world, options, ab, `${seed}/a`);
  const b = new End(world, options, ba, `${seed}/b`);
  a.peer = b;
  b.peer = a;
  return { world, a, b, ways: { ab, ba } };
}

/** Bytes at a place of a stream that is the same for all, so that what comes at the wrong place shows. */
export function pattern(at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = Math.imul(at + i, 2654435761) >>> 24;
  return bytes;
}

/** Sends `total` bytes from one end to the other as messages of one packet; `received` is how many came, each at its place. */
export class Transfer {
  received = 0;
  sent = 0;
  wrong = 0;
  lastAt = 0;
  /** The longest time without anything new, milliseconds. */
  gapMs = 0;
  readonly #from: End;

  constructor(world: World, from: End, to: End, total: number, stream = 0, ppid = 53) {
    this.#from = from;
    const push = (): void => {
      const { association } = from;
      while (this.sent < total && association.buffered.bytes <= association.buffered.wanted) {
        const length = Math.min(association.payload, total - this.sent);
        const data = pattern(this.sent, length);
        this.sent += length;
        from.feed({ kind: 'send', message: { stream, ppid, data } });
      }
    };
    const before = from.onAction;
    from.onAction = (action) => {
      before(action);
      if (action.kind === 'drained' || action.kind === 'connected') world.at(world.now, push);
    };
    const beforeTo = to.onAction;
    to.onAction = (action) => {
      beforeTo(action);
      if (action.kind !== 'message' || action.stream !== stream) return;
      if (Buffer.compare(action.data, pattern(this.received, action.data.length)) !== 0) this.wrong++;
      this.received += action.data.length;
      this.gapMs = Math.max(this.gapMs, world.now - this.lastAt);
      this.lastAt = world.now;
    };
  }

  get done(): boolean {
    return this.#from.association.idle;
  }
}

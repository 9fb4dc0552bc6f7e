/** Runs the allocation machine on its link. */
import type { Endpoint } from '../net/address.ts';
import type { Clock, NetError } from '../net/env.ts';
import { type Driver, drive } from '../net/machine.ts';
import { deferred } from '../net/wait.ts';
import { Allocation } from './allocation.ts';
import type {
  Allocated,
  AllocationAction,
  AllocationEvent,
  AllocationOptions,
  AllocationEnd,
} from './allocation-api.ts';
import type { TurnLink } from './link.ts';

/** Hears each action but `transmit`, with the instant of what caused it. */
type Observer = (action: AllocationAction, at: number) => void;

/** An allocation on a server, from its making to its end. */
export class Relay {
  readonly link: TurnLink;
  readonly #clock: Clock;
  readonly #machine: Allocation;
  readonly #driver: Driver<AllocationEvent>;
  readonly #observers = new Set<Observer>();
  readonly #ready = deferred<Allocated | undefined>();
  readonly #over = deferred<AllocationEnd>();
  #allocated: Allocated | undefined;
  #at: number | undefined;

  /** Takes over the link, and closes it at the end. Throws CredentialError. */
  constructor(clock: Clock, link: TurnLink, options: Omit<AllocationOptions, 'reliable'>) {
    this.link = link;
    this.#clock = clock;
    this.#machine = new Allocation({ ...options, reliable: link.reliable });
    this.#driver = drive(this.#machine, clock, (action) => this.#perform(action));
    link.listen({
      message: (data, at) => {
        this.#at = at;
        this.#driver.feed({ kind: 'received', data });
        this.#at = undefined;
      },
      failed: (error) => this.#failed(error),
    });
  }

  /** What was allocated, or undefined where it came to nothing: then {@link over} says why. */
  get ready(): Promise<Allocated | undefined> {
    return this.#ready.promise;
  }

  get allocated(): Allocated | undefined {
    return this.#allocated;
  }

  get over(): Promise<AllocationEnd> {
    return this.#over.promise;
  }

  get software(): string | undefined {
    return this.#machine.software;
  }

  get heard(): boolean {
    return this.#machine.heard;
  }

  /** As the machine's. */
  refusal(to: Endpoint): number | undefined {
    return this.#machine.refusal(to, this.#clock.now());
  }

  observe(observer: Observer): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  feed(event: AllocationEvent): void {
    this.#driver.feed(event);
  }

  /** Deletes the allocation, and waits until the server has said so, or a second. */
  async release(): Promise<void> {
    this.feed({ kind: 'release' });
    await this.over;
  }

  /** Deletes the allocation by one request that nobody waits for, and frees everything now. */
  close(): void {
    this.feed({ kind: 'release' });
    this.#end({ why: 'released' });
  }

  /** ICMP on the way of a running allocation may be forged or pass; a stream that broke is gone. */
  #failed(error: NetError): void {
    if (this.link.reliable || !this.#allocated) this.feed({ kind: 'broken', error });
  }

  #perform(action: AllocationAction): void {
    if (action.kind === 'transmit') return this.link.send(action.data);
    if (action.kind === 'ready') this.#allocated = action;
    const at = this.#at ?? this.#clock.now();
    for (const observer of [...this.#observers]) observer(action, at);
    if (action.kind === 'ready') this.#ready.resolve(action);
    if (action.kind === 'over') this.#end(action.ending);
  }

  #end(ending: AllocationEnd): void {
    this.#driver.stop();
    this.link.close();
    this.#ready.resolve(undefined);
    this.#over.resolve(ending);
  }
}

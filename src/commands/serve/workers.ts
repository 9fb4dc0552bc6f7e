/** The processes that answer Binding requests beside the owner of all state: it gives them its sockets, takes what they hand on, and starts anew those that end. */
import type { Endpoint } from '../../net/address.ts';
import type { Clock } from '../../net/env.ts';
import type { ProcessChannel, Processes } from '../../net/processes.ts';
import type { Listening } from '../../stun/listener.ts';
import type { Advertised, Role } from '../../stun/roles.ts';
import { addCounters, type Counters, noCounts } from '../../stun/server-state.ts';
import { type Context, UsageError } from '../command.ts';
import type { Args } from './options.ts';
import type { Serving } from './servers.ts';
import type { FromWorker, ToWorker, WorkerSettings } from './worker.ts';

/** One that ended is started again after so long, ms, twice as long each time, and at last once a minute; from the beginning where it has lived for a minute. */
const [FIRST_PAUSE_MS, LAST_PAUSE_MS] = [100, 60_000];
/** What does not answer for so long, ms, is not waited for. */
const COUNT_MS = 500;
const START_MS = 5000;
const END_MS = 2000;

export interface WorkersOptions {
  /** Beside this one. */
  readonly count: number;
  readonly settings: WorkerSettings;
  readonly advertised: (server: Listening) => Advertised;
  readonly observe: ((role: Role, from: Endpoint, via: Role | null) => void) | undefined;
  readonly failed: (error: string) => void;
  /** One has ended, and is started again after `pauseMs`. */
  readonly ended: (why: string, pauseMs: number) => void;
}

interface Worker {
  readonly channel: ProcessChannel;
  /** As it last told. */
  counters: Counters;
  /** Servers on which it answers. */
  readonly serving: Set<number>;
  /** Of its counters, not yet answered. */
  asked: boolean;
}

const say = ({ channel }: Worker, message: ToWorker): void => channel.post(message);

export class Workers {
  readonly #clock: Clock;
  readonly #processes: Pick<Processes, 'start'>;
  readonly #options: WorkersOptions;
  readonly #servers = new Map<number, Listening>();
  readonly #running = new Set<Worker>();
  readonly #pauses = new Set<() => void>();
  /** Of those that have ended. */
  #past = noCounts();
  #nextServer = 0;
  #over = false;
  readonly #waiting = new Set<() => void>();

  /** Starts them; they answer on what is added. */
  constructor(clock: Clock, processes: Pick<Processes, 'start'>, options: WorkersOptions) {
    this.#clock = clock;
    this.#processes = processes;
    this.#options = options;
    for (let i = 0; i < options.count; i++) this.#start(FIRST_PAUSE_MS);
  }

  /** What all of them have counted, as they last told. */
  get counters(): Counters {
    return [...this.#running].map(({ counters }) => counters).reduce(addCounters, this.#past);
  }

  /** Those that answer on everything that was added. */
  get ready(): number {
    return [...this.#running].filter(({ serving }) => serving.size === this.#servers.size).length;
  }

  add(server: Listening): void {
    const number = this.#nextServer++;
    this.#servers.set(number, server);
    for (const worker of this.#running) this.#give(worker, number, server);
  }

  remove(server: Listening): void {
    for (const [number, each] of this.#servers) {
      if (each !== server) continue;
      this.#servers.delete(number);
      for (const worker of this.#running) {
        worker.serving.delete(number);
        say(worker, { kind: 'close', server: number });
      }
    }
  }

  /** Resolves when all answer, or after some seconds. */
  started(signal: AbortSignal): Promise<void> {
    return this.#until(() => this.ready === this.#options.count, START_MS, signal);
  }

  /** Asks all for their counters. Resolves when they have told, or after half a second. */
  count(signal?: AbortSignal): Promise<void> {
    const asked = [...this.#running];
    for (const worker of asked) {
      worker.asked = true;
      say(worker, { kind: 'count' });
    }
    return this.#until(() => !asked.some((worker) => worker.asked && this.#running.has(worker)), COUNT_MS, signal);
  }

  /** Resolves when they have ended, so that the ports are free. */
  close(): Promise<void> {
    this.#over = true;
    for (const cancel of this.#pauses) cancel();
    for (const { channel } of this.#running) channel.close();
    return this.#until(() => this.#running.size === 0, END_MS);
  }

  #start(pauseMs: number): void {
    const channel = this.#processes.start();
    const worker: Worker = { channel, counters: noCounts(), serving: new Set(), asked: false };
    const began = this.#clock.now();
    this.#running.add(worker);
    channel.listen({
      message: (message) => {
        this.#take(worker, message as FromWorker);
        this.#look();
      },
      ended: (why) => {
        this.#running.delete(worker);
        this.#past = addCounters(this.#past, worker.counters);
        this.#look();
        if (!this.#over) this.#again(why, this.#clock.now() - began >= LAST_PAUSE_MS ? FIRST_PAUSE_MS : pauseMs);
      },
    });
    say(worker, { kind: 'begin', settings: this.#options.settings });
    for (const [number, server] of this.#servers) this.#give(worker, number, server);
  }

  #again(why: string, pauseMs: number): void {
    this.#options.ended(why, pauseMs);
    const cancel = this.#clock.after(pauseMs, () => {
      this.#pauses.delete(cancel);
      this.#start(Math.min(2 * pauseMs, LAST_PAUSE_MS));
    });
    this.#pauses.add(cancel);
  }

  #give(worker: Worker, number: number, server: Listening): void {
    for (const [role, socket] of server.sockets) {
      const message: ToWorker = { kind: 'socket', server: number, role };
      worker.channel.post(message, socket);
    }
    say(worker, {
      kind: 'serve',
      server: number,
      roles: [...server.sockets.keys()],
      advertised: this.#options.advertised(server),
    });
  }

  #take(worker: Worker, message: FromWorker): void {
    switch (message.kind) {
      case 'serving':
        if (this.#servers.has(message.server)) worker.serving.add(message.server);
        return;
      case 'datagram': {
        const { server, role, from, data } = message;
        return this.#servers.get(server)?.receive({ role, from, data, now: this.#clock.now() });
      }
      case 'request':
        return this.#options.observe?.(message.role, message.from, message.via);
      case 'counts':
        worker.counters = message.counters;
        if (message.asked) worker.asked = false;
        return;
      case 'failed':
        return this.#options.failed(message.error);
    }
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }

  #until(reached: () => boolean, mostMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.#waiting.delete(look);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const look = (): void => {
        if (reached()) end();
      };
      const cancel = this.#clock.after(mostMs, end);
      this.#waiting.add(look);
      signal?.addEventListener('abort', end, { once: true });
      if (signal?.aborted) end();
      else look();
    });
  }
}

/** How many processes `--workers` asks for, this one included. Throws UsageError where there cannot be more than one. */
export function processesFor(
  { workers, partner }: Pick<Args, 'workers' | 'partner'>,
  here: Processes | undefined,
): number {
  const wanted = workers === 'auto' ? (here?.cores ?? 1) : workers;
  if (wanted === 1) return 1;
  if (partner)
    throw new UsageError(
      '--workers: not together with --partner',
      'What goes by way of the partner is for one process; leave one of the two out.',
    );
  if (!here)
    throw new UsageError('--workers: several processes cannot share one UDP port on this system', 'Leave it out.');
  return wanted;
}

/** Those beside this one; undefined where there is none. */
export function startWorkers(
  { env, note, processes }: Pick<Context, 'env' | 'note' | 'processes'>,
  count: number,
  { running, outsides, limit }: Pick<Serving, 'running' | 'outsides' | 'limit'>,
  options: Pick<WorkerSettings, 'software' | 'relays'> &
    Pick<WorkersOptions, 'observe'> & { readonly failed: (error: unknown) => void },
): Workers | undefined {
  if (count === 1 || !processes) return undefined;
  const { software, relays, observe, failed } = options;
  const workers = new Workers(env.clock, processes, {
    count: count - 1,
    settings: { limit, software, relays, tells: observe !== undefined },
    advertised: ({ endpoints }) => outsides.advertised(endpoints),
    observe,
    failed,
    ended: (why, pauseMs) =>
      note(`nat-tool serve: a process that answers has ended (${why}); another one starts in ${pauseMs / 1000} s`),
  });
  for (const server of running) workers.add(server);
  return workers;
}

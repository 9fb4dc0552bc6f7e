/** Processes of this program by node:child_process. The lower one ends when the upper one does, whatever ended that. */
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:dgram';
import { ignoreNetError, type UdpOptions, type UdpSocket } from '../net/env.ts';
import type { Processes, ProcessChannel, ProcessListener } from '../net/processes.ts';
import { withoutSecrets } from './environment.ts';
import { WORKER_ARGUMENT } from './worker-argument.ts';
import { literal, openBeside, shareable, socketFromElsewhere } from './udp.ts';

/** Messages on their way, beyond which what may be lost is. */
const MOST_WAITING = 1000;
/** What has been told to end and has not is ended, after so long, ms. */
const GRACE_MS = 1000;

/** Undefined where the system does not let two processes have one UDP socket, as Windows does not. `version` keeps a process from talking to one of another release, put in its place meanwhile. */
export function nodeProcesses(program: string, version: string): Processes | undefined {
  if (process.platform === 'win32') return undefined;
  return {
    get cores() {
      return process.getBuiltinModule('node:os').availableParallelism();
    },
    start: () => {
      try {
        const child = process.getBuiltinModule('node:child_process').fork(program, [WORKER_ARGUMENT, version], {
          // Standard output is for our answer alone.
          stdio: ['ignore', 'ignore', 2, 'ipc'],
          serialization: 'advanced',
          env: withoutSecrets(process.env),
        });
        return new Channel(child, () => endChild(child));
      } catch (error) {
        return notStarted(error instanceof Error ? error.message : String(error));
      }
    },
  };
}

/** Where the system has no room for another process. */
const notStarted = (why: string): ProcessChannel => ({
  post: () => {},
  offer: () => false,
  listen: ({ ended }) => process.nextTick(ended, why),
  close: () => {},
});

function endChild(child: ChildProcess): void {
  if (child.connected) child.disconnect();
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  child.once('exit', () => clearTimeout(timer));
}

/** The channel to the process that started this one, whose signals are that one's business: a terminal or a supervisor sends them to all. */
export function upperProcess(): ProcessChannel {
  // Nothing is looked up here; the sockets that come by the channel would have every address go that way.
  process.getBuiltinModule('node:dns').lookup = literal as never;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});
  process.on('disconnect', () => process.exit(0));
  // It may have ended while this one was loaded.
  if (!process.connected) process.exit(0);
  return new Channel(process as unknown as ChildProcess, () => process.disconnect?.());
}

/** As it goes from one to the other. */
interface Parcel {
  readonly message: unknown;
  /** Before it is taken, a socket of one's own is opened so. */
  readonly beside?: UdpOptions;
}

class Channel implements ProcessChannel {
  readonly #process: ChildProcess;
  readonly #end: () => void;
  #listener: ProcessListener | undefined;
  #arrived = Promise.resolve();
  #waiting = 0;
  #closed = false;
  #ended = false;

  constructor(of: ChildProcess, end: () => void) {
    this.#process = of;
    this.#end = end;
    of.on('message', (parcel, handle) => {
      this.#arrived = this.#arrived.then(() => this.#take(parcel as Parcel, handle as Socket | undefined));
    });
    of.on('error', (error) => {
      this.#over(error.message);
      this.close();
    });
    of.on('exit', (code, signal) => this.#over(signal ?? `exit status ${code}`));
  }

  post(message: unknown, socket?: UdpSocket): void {
    if (this.#closed || this.#ended || !this.#process.connected) return;
    this.#waiting++;
    const { beside, handle } = socket ? shareable(socket) : {};
    const parcel: Parcel = { message, ...(beside && { beside }) };
    // The other end may be gone: it is told by `ended`.
    this.#process.send?.(parcel, handle, {}, () => this.#waiting--);
  }

  offer(message: unknown): boolean {
    if (this.#waiting >= MOST_WAITING) return false;
    this.post(message);
    return true;
  }

  listen(listener: ProcessListener): void {
    this.#listener = listener;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#end();
  }

  /** In the order of arrival. */
  async #take({ message, beside }: Parcel, handle: Socket | undefined): Promise<void> {
    const opened = handle
      ? socketFromElsewhere(handle)
      : (beside && (await openBeside(beside).catch(ignoreNetError))) || undefined;
    if (!this.#closed) this.#listener?.message(message, opened);
  }

  #over(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#listener?.ended(why);
  }
}

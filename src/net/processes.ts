/** Other processes of this program, as the world's interface: how they are started, and what they say to each other. */
import type { UdpSocket } from './env.ts';

/** One end of what two processes of this program say to each other. Messages are data that can be cloned, bytes among them. */
export interface ProcessChannel {
  /** Arrives, in order, unless the other process ends first; a socket that goes with it is then open in both. */
  post(message: unknown, socket?: UdpSocket): void;
  /** The same for what may be lost: false where too much waits already. */
  offer(message: unknown): boolean;
  /** Replaces the listener. `ended` comes once, when the other process or the channel is no more; `why` in words. */
  listen(listener: ProcessListener): void;
  /** Ends the channel, and by that the process at the lower end, by force where it does not end by itself. Idempotent; `ended` still comes. */
  close(): void;
}

export interface ProcessListener {
  message(message: unknown, socket: UdpSocket | undefined): void;
  ended(why: string): void;
}

/** Starts processes of this program. */
export interface Processes {
  /** How many can work at the same time here. */
  readonly cores: number;
  /** One that answers STUN requests beside this one. Never throws: what cannot be started ends. */
  start(): ProcessChannel;
}

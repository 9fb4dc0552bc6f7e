/** Signalling by way of MQTT brokers, several at once: whichever delivers first. What they carry is sealed, and its topic follows from the code. */
import type { Endpoint } from '../../net/address.ts';
import type { Env } from '../../net/env.ts';
import { type Driver, drive } from '../../net/machine.ts';
import type { Resender } from '../../net/resend.ts';
import { Waits } from '../../net/wait.ts';
import type { Credentials } from '../../stun/client.ts';
import type { StunMux } from '../../stun/mux.ts';
import { BrokerLink } from './broker-link.ts';
import { type BrokerName, formatBroker } from './broker-name.ts';
import { Meeting, type MeetingAction, type MeetingEvent } from './meeting.ts';
import { type AskOptions, askPublicSide, keepMapping, type Trouble } from './public-side.ts';
import type { Observed, Signalling, SignallingListener } from './signalling.ts';

export interface MqttSignallingOptions {
  readonly env: Pick<Env, 'clock' | 'random' | 'tcp' | 'resolver'>;
  /** Who tells the public side of the main socket, where no rendezvous beside the brokers does. */
  readonly stun?: StunSide | undefined;
  readonly brokers: readonly BrokerName[];
  readonly trusted?: string | undefined;
  readonly topic: string;
  readonly key: Uint8Array;
  /** The peer's, where it is another one. */
  readonly theirKey?: Uint8Array | undefined;
  readonly member: Uint8Array;
  /** For the timeline. */
  readonly note: (event: string, details: Readonly<Record<string, unknown>>) => void;
}

export interface StunSide {
  readonly mux: StunMux;
  readonly send: Resender['send'];
  readonly server: Endpoint;
  readonly credentials?: Credentials | undefined;
  readonly watchRefusal?: AskOptions['watchRefusal'];
  readonly observed: (seen: Observed) => boolean;
  /** Why the public side stays unknown. */
  readonly trouble: (trouble: Trouble) => void;
}

/** The measurement may take so long. */
const ASK_MS = 3_000;

/** How long until brokers of which none has let us in are called silent. */
const SILENT_MS = 15_000;

export class MqttSignalling implements Signalling {
  readonly #options: MqttSignallingOptions;
  readonly #waits = new Waits();
  readonly #driver: Driver<MeetingEvent>;
  readonly #links: BrokerLink[] = [];
  #listener: SignallingListener | undefined;
  #open = false;
  #closed = false;
  #cancelSilent: () => void = () => {};
  #cancelKeep: () => void = () => {};

  constructor(options: MqttSignallingOptions) {
    const { env } = options;
    this.#options = options;
    this.#driver = drive(new Meeting({ ...options, random: env.random }), env.clock, (action) => this.#perform(action));
  }

  subscribe(listener: SignallingListener): void {
    const { env, brokers, trusted, topic, note } = this.#options;
    this.#listener = listener;
    if (this.#options.stun) this.#askStun(this.#options.stun);
    this.#cancelSilent = env.clock.after(SILENT_MS, () => {
      if (!this.#open) listener.status('silent');
    });
    for (const broker of brokers) {
      const name = formatBroker(broker);
      void this.#waits.run(async (signal) => {
        const link = new BrokerLink(env, {
          broker,
          topic,
          trusted,
          signal,
          opened: () => this.#driver.feed({ kind: 'opened' }),
          welcomed: () => {
            note('broker', { broker: name, state: 'open' });
            if (!this.#open) listener.status('waiting');
            this.#open = true;
          },
          heard: (bytes) => this.#driver.feed({ kind: 'heard', bytes }),
          failed: (why) => note('broker', { broker: name, state: 'failed', why }),
        });
        this.#links.push(link);
        await link.run();
      });
    }
  }

  #askStun(side: StunSide): void {
    const { clock, random } = this.#options.env;
    const asked = { ...side, clock, random };
    void this.#waits.run(async (signal) => {
      const found = await askPublicSide(side.mux, { ...asked, waitMs: ASK_MS }, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      if (!found || this.#closed) return;
      if (found.kind !== 'observed') side.trouble(found);
      else if (!side.observed(found.observed)) side.trouble({ kind: 'useless' });
    });
    this.#cancelKeep = keepMapping(asked);
  }

  publish(payload: Uint8Array): void {
    this.#driver.feed({ kind: 'publish', payload });
  }

  refresh(): void {
    this.#driver.feed({ kind: 'refresh' });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelSilent();
    this.#cancelKeep();
    this.#driver.feed({ kind: 'close' });
    this.#driver.stop();
    this.#waits.end();
  }

  #perform(action: MeetingAction): void {
    switch (action.kind) {
      case 'say':
        for (const link of this.#links) link.say(action.bytes);
        return;
      case 'paired':
      case 'peer-left':
        return this.#listener?.status(action.kind);
      case 'peer':
        return this.#listener?.peer({ member: action.member, payload: action.payload, observed: undefined });
    }
  }
}

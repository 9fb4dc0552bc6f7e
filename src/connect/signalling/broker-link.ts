/**
 * A link to one topic of one MQTT broker: kept open, and opened again when it breaks. CONNECT, SUBSCRIBE and what is to be said leave
 * together, without waiting for CONNACK (MQTT 5 §3.1.4 allows it), so that the first word is one round trip after the connection.
 */
import type { Endpoint } from '../../net/address.ts';
import { type ByteStream, type Env, NetError } from '../../net/env.ts';
import { encodePacket, MqttFormatError, type MqttPacket, MqttReader, type MqttVersion } from '../../net/mqtt/codec.ts';
import { type BrokerName, brokerEndpoints } from './broker-name.ts';
import { staggered } from '../../net/stagger.ts';
import { scope, sleep, TimeoutError } from '../../net/wait.ts';

export interface BrokerLinkOptions {
  readonly broker: BrokerName;
  readonly topic: string;
  /** Trusted beside the system's certificates, PEM. */
  readonly trusted?: string | undefined;
  /** What is said from now on leaves at once. */
  readonly opened: () => void;
  /** The broker has let us in. */
  readonly welcomed: () => void;
  readonly heard: (payload: Uint8Array) => void;
  /** Why it does not work, each time that it broke or would not open. */
  readonly failed: (words: string) => void;
  readonly signal: AbortSignal;
}

type LinkEnv = Pick<Env, 'clock' | 'random' | 'tcp' | 'resolver'>;

/** An address that has not let us in for so long is given up for this time. */
const OPEN_MS = 8_000;
/** Before it is tried again. */
const AGAIN_MS: readonly number[] = [500, 1_000, 2_000, 5_000, 15_000];
const KEEPALIVE_S = 45;
/** We speak more often than we promise to, and hear an answer each time. */
const BEAT_MS = 20_000;
/** Words that wait to be written, of a broker that takes nothing. */
const MOST_WAITING = 8;

export class BrokerLink {
  readonly #env: LinkEnv;
  readonly #options: BrokerLinkOptions;
  #stream: ByteStream | undefined;
  #version: MqttVersion = 5;
  #welcomed = false;
  #waiting = 0;

  constructor(env: LinkEnv, options: BrokerLinkOptions) {
    this.#env = env;
    this.#options = options;
  }

  /** Until the signal aborts; never rejects for what network and broker do. */
  async run(): Promise<void> {
    const { signal, failed } = this.#options;
    for (let tries = 0; !signal.aborted; tries++) {
      const began = this.#env.clock.now();
      try {
        await this.#session();
        failed('the broker ended the connection');
      } catch (error) {
        if (signal.aborted) return;
        failed(wordsOf(error));
      } finally {
        this.#stream?.close();
        this.#stream = undefined;
      }
      // What held for a while is tried again at once.
      if (this.#env.clock.now() - began > KEEPALIVE_S * 1000) tries = 0;
      await sleep(this.#env.clock, AGAIN_MS[tries] ?? (AGAIN_MS.at(-1) as number), signal).catch(() => {});
    }
  }

  /** Lost where the link is not open: whoever says it says it again. */
  say(payload: Uint8Array): void {
    const { topic } = this.#options;
    this.#write({ cmd: 'publish', topic, payload: Buffer.from(payload), qos: 0, dup: false, retain: false });
  }

  async #session(): Promise<void> {
    const { signal, opened } = this.#options;
    const { clock } = this.#env;
    const opening = scope(clock, signal, OPEN_MS);
    const stream = await this.#connect(opening.signal).finally(() => opening.end());
    this.#stream = stream;
    this.#welcomed = false;
    let heardAt = clock.now();
    let silent = false;
    const end = (): void => stream.close();
    signal.addEventListener('abort', end, { once: true });
    const reader = new MqttReader(this.#version);
    let cancel = (): void => {};
    const beat = (waitMs: number): void => {
      cancel = clock.after(waitMs, () => {
        silent = !this.#welcomed || clock.now() - heardAt > 1.5 * BEAT_MS;
        if (silent) return stream.close();
        this.#write({ cmd: 'pingreq' });
        beat(BEAT_MS);
      });
    };
    try {
      this.#greet();
      opened();
      beat(OPEN_MS);
      for await (const chunk of stream) {
        heardAt = clock.now();
        for (const packet of reader.push(chunk)) this.#take(packet);
      }
      if (silent) throw new TimeoutError(OPEN_MS);
    } catch (error) {
      if (silent) throw new TimeoutError(OPEN_MS);
      throw error;
    } finally {
      cancel();
      signal.removeEventListener('abort', end);
    }
  }

  #greet(): void {
    const { broker, topic } = this.#options;
    const { username, password } = broker;
    this.#write({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: this.#version,
      clientId: `nt${Buffer.from(this.#env.random.bytes(9)).toString('hex')}`,
      clean: true,
      keepalive: KEEPALIVE_S,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password: Buffer.from(password) }),
    });
    // Our own words need not come back to us, where the version knows of that.
    const subscription = { topic, qos: 0 as const, ...(this.#version === 5 && { nl: true }) };
    this.#write({ cmd: 'subscribe', messageId: 1, subscriptions: [subscription] });
  }

  /** By the first address that lets us in, without waiting for the dead (RFC 8305). */
  async #connect(signal: AbortSignal): Promise<ByteStream> {
    const { broker, trusted } = this.#options;
    const { clock, resolver, tcp } = this.#env;
    const endpoints = await brokerEndpoints(resolver, broker, signal);
    const tls = broker.secure ? { serverName: broker.host, ...(trusted !== undefined && { trusted }) } : undefined;
    let last: NetError = new NetError('not-found', `${broker.host} has no address`);
    const connect = async (remote: Endpoint, own: AbortSignal): Promise<ByteStream | undefined> => {
      try {
        const stream = await tcp.connect(remote, { tls }, own);
        if (own.aborted) stream.close();
        return stream;
      } catch (error) {
        own.throwIfAborted();
        if (!(error instanceof NetError)) throw error;
        last = error;
        return undefined;
      }
    };
    const stream = await staggered(endpoints, connect, { clock, signal, good: (each) => each !== undefined });
    if (!stream) throw last;
    return stream;
  }

  #take(packet: MqttPacket): void {
    switch (packet.cmd) {
      case 'connack': {
        const code = packet.reasonCode ?? packet.returnCode ?? 0;
        // Unacceptable protocol version: 1 in 3.1.1, 0x84 in 5.
        if (code === 1 || code === 0x84) this.#version = 4;
        if (code !== 0) throw new MqttFormatError(`the broker refuses (reason ${code})`);
        this.#welcomed = true;
        return this.#options.welcomed();
      }
      case 'suback':
        if (packet.granted.some((each) => typeof each === 'number' && each >= 0x80))
          throw new MqttFormatError('the broker refuses the subscription');
        return;
      case 'publish':
        if (typeof packet.payload !== 'string') this.#options.heard(new Uint8Array(packet.payload));
        return;
      case 'disconnect':
        throw new MqttFormatError(`the broker says goodbye (reason ${packet.reasonCode ?? 0})`);
      default:
    }
  }

  #write(packet: MqttPacket): void {
    if (!this.#stream || this.#waiting >= MOST_WAITING) return;
    this.#waiting++;
    this.#stream
      .write(encodePacket(packet, this.#version))
      .catch((error: unknown) => {
        // The reading ends as well, and says why.
        if (!(error instanceof NetError)) throw error;
      })
      .finally(() => this.#waiting--);
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof NetError || error instanceof MqttFormatError || error instanceof TimeoutError)
    return error.message;
  throw error;
}

/** MQTT packets of both versions in use (3.1.1 and 5.0), to bytes and back, and no more of a broker's bytes kept than a packet of ours can need. */
import mqtt, { type Packet, type Parser } from 'mqtt-packet';

export type { Packet as MqttPacket } from 'mqtt-packet';
export type MqttVersion = 4 | 5;

/** Bytes of a packet that is not whole yet; a longer one is refused. */
export const MOST_PACKET = 8_192;

/** What is no MQTT, or longer than {@link MOST_PACKET}. */
export class MqttFormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MqttFormatError';
  }
}

export const encodePacket = (packet: Packet, version: MqttVersion): Uint8Array =>
  new Uint8Array(mqtt.generate(packet, { protocolVersion: version }));

/** Cuts a stream into packets. */
export class MqttReader {
  readonly #parser: Parser;
  #packets: Packet[] = [];
  #error: Error | undefined;

  constructor(version: MqttVersion) {
    this.#parser = mqtt.parser({ protocolVersion: version });
    this.#parser.on('packet', (packet) => this.#packets.push(packet));
    this.#parser.on('error', (error: Error) => (this.#error ??= error));
  }

  /** The packets that these bytes complete. Throws MqttFormatError; what follows is of no use then. */
  push(bytes: Uint8Array): Packet[] {
    for (let at = 0; at < bytes.length && !this.#error; at += MOST_PACKET) {
      // In pieces, so that a packet that claims to be huge is found out before it is kept.
      const left = this.#parse(bytes.subarray(at, at + MOST_PACKET));
      if (left > MOST_PACKET) this.#error = new Error(`a packet of more than ${MOST_PACKET} bytes`);
    }
    const packets = this.#packets;
    this.#packets = [];
    if (this.#error) throw new MqttFormatError(this.#error.message);
    return packets;
  }

  #parse(bytes: Uint8Array): number {
    try {
      return this.#parser.parse(Buffer.from(bytes));
    } catch (error) {
      // The library checks what it reads, but not everywhere.
      this.#error ??= error instanceof Error ? error : new Error(String(error));
      return 0;
    }
  }
}

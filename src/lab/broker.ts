/** An MQTT broker of the simulated internet: topics without wildcards, QoS 0, nothing retained. With manners that real and hostile ones have. */
import type { Endpoint } from '../net/address.ts';
import { type ByteStream, type Env, ignoreNetError } from '../net/env.ts';
import { encodePacket, type MqttPacket, MqttReader, type MqttVersion } from '../net/mqtt/codec.ts';

/** What is wrong with a broker. */
export interface BrokerManners {
  /** Every so-many-th message is lost, counted over all; none when absent. */
  readonly drops?: number | undefined;
  /** It takes connections and says nothing. */
  readonly deaf?: boolean | undefined;
  /** It knows MQTT 3.1.1 alone. */
  readonly old?: boolean | undefined;
  /** Whatever was said is said again, so many times, the latest first. */
  readonly replays?: number | undefined;
  /** Each message comes after the one that was said next. */
  readonly reorders?: boolean | undefined;
  /** Before each message so many that nobody said: noise, and sealed words that were changed on the way. */
  readonly floods?: number | undefined;
  /** It lets nobody in, with this reason. */
  readonly refuses?: number | undefined;
  /** It ends every connection after so many messages. */
  readonly hangsUpAfter?: number | undefined;
}

interface Guest {
  readonly stream: ByteStream;
  readonly version: MqttVersion;
  readonly topics: Map<string, { readonly noLocal: boolean }>;
}

/** Listens there until the world ends; on several addresses it is one broker all the same. */
export async function startBroker(
  env: Env,
  at: Endpoint | readonly Endpoint[],
  manners: BrokerManners = {},
): Promise<void> {
  const guests = new Set<Guest>();
  const said: MqttPacket[] = [];
  let count = 0;
  const write = ({ stream, version }: Guest, packet: MqttPacket): void => {
    stream.write(encodePacket(packet, version)).catch(ignoreNetError);
  };
  let held: Parameters<typeof publish> | undefined;
  const take = (...said: Parameters<typeof publish>): void => {
    if (!manners.reorders) return publish(...said);
    const before = held;
    held = said;
    if (before) publish(...before);
  };
  const forged = ({ payload, ...packet }: Extract<MqttPacket, { cmd: 'publish' }>): MqttPacket[] =>
    Array.from({ length: manners.floods ?? 0 }, (_, i) => {
      const bytes = Buffer.from(payload);
      bytes.writeUInt8((bytes.readUInt8(i % bytes.length) + 1) & 255, i % bytes.length);
      return { ...packet, payload: i % 2 === 0 ? bytes : Buffer.from(env.random.bytes(1 + env.random.below(500))) };
    });
  const publish = (from: Guest, packet: Extract<MqttPacket, { cmd: 'publish' }>): void => {
    if (manners.drops !== undefined && ++count % manners.drops === 0) return;
    const again = manners.replays ? [...said].reverse().slice(0, manners.replays) : [];
    for (const guest of guests) {
      const subscription = guest.topics.get(packet.topic);
      if (subscription && !(subscription.noLocal && guest === from))
        for (const each of [...forged(packet), packet, ...again]) write(guest, { ...each } as MqttPacket);
    }
    said.push({ ...packet, qos: 0, retain: false });
  };
  const serve = async (stream: ByteStream): Promise<void> => {
    let guest: Guest | undefined;
    let heard = 0;
    const reader = new MqttReader(5);
    try {
      for await (const chunk of stream) {
        if (manners.deaf) continue;
        for (const packet of reader.push(chunk)) {
          if (packet.cmd === 'connect') {
            const version: MqttVersion = packet.protocolVersion === 5 ? 5 : 4;
            guest = { stream, version, topics: new Map() };
            const reason = manners.refuses ?? (manners.old && version === 5 ? 1 : 0);
            // A broker of 3.1.1 answers in its own version.
            const told = manners.old ? { ...guest, version: 4 as const } : guest;
            write(told, { cmd: 'connack', sessionPresent: false, returnCode: reason, reasonCode: reason });
            if (reason !== 0) return;
            guests.add(guest);
          } else if (!guest) return;
          else if (packet.cmd === 'subscribe') {
            for (const { topic, nl = false } of packet.subscriptions) guest.topics.set(topic, { noLocal: nl });
            write(guest, { cmd: 'suback', messageId: packet.messageId ?? 1, granted: [0] });
          } else if (packet.cmd === 'publish') {
            take(guest, packet);
            if (manners.hangsUpAfter !== undefined && ++heard >= manners.hangsUpAfter) return;
          } else if (packet.cmd === 'pingreq') write(guest, { cmd: 'pingresp' });
        }
      }
    } finally {
      if (guest) guests.delete(guest);
      stream.close();
    }
  };
  for (const each of [at].flat() as readonly Endpoint[])
    await env.tcp.listen(each, (stream) => {
      serve(stream).catch(ignoreNetError);
    });
}

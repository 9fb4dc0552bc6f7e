/** What a broker, or anybody by way of one, may send. */
import { Meeting } from '../../../src/connect/signalling/meeting.ts';
import { openNote, sealNote } from '../../../src/connect/signalling/meeting-note.ts';
import { seededRandom } from '../../../src/lab/random.ts';
import { encodePacket, MqttFormatError, MqttReader } from '../../../src/net/mqtt/codec.ts';
import { demand, type Target, takes } from '../target.ts';

const publish = (payload: Uint8Array) =>
  encodePacket(
    { cmd: 'publish', topic: 'nat-tool/x', payload: Buffer.from(payload), qos: 0, dup: false, retain: false },
    5,
  );

export const mqtt: Target = {
  name: 'mqtt',
  seeds: [
    encodePacket({ cmd: 'connack', sessionPresent: false, reasonCode: 0, returnCode: 0 }, 5),
    encodePacket({ cmd: 'suback', messageId: 1, granted: [0] }, 5),
    publish(new Uint8Array(40)),
    encodePacket({ cmd: 'pingresp' }, 5),
  ],
  run: (input) => takes(() => void new MqttReader(5).push(input), MqttFormatError),
  large: (size) => [
    new Uint8Array(Buffer.concat([Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f), new Uint8Array(size)])),
    new Uint8Array(Buffer.concat(Array.from({ length: Math.ceil(size / 60) }, () => publish(new Uint8Array(40))))),
  ],
};

const KEY = new Uint8Array(32).fill(7);
const [ours, theirs] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];
const note = (heard: Uint8Array | undefined) =>
  sealNote(
    {
      member: theirs,
      sequence: 1,
      heard: heard && { member: heard, sequence: 1 },
      bye: false,
      asks: true,
      payload: new Uint8Array(20),
    },
    KEY,
    seededRandom(1, 'fuzz'),
  );

export const meeting: Target = {
  name: 'meeting',
  seeds: [note(undefined), note(ours)],
  run: (input) => {
    const machine = new Meeting({ member: ours, key: KEY, random: seededRandom(2, 'fuzz') });
    machine.handle({ kind: 'publish', payload: new Uint8Array(1) }, 0);
    const actions = machine.handle({ kind: 'heard', bytes: input }, 100);
    const opened = openNote(input, KEY) !== undefined;
    demand(opened || actions.length === 0, 'what is not sealed has no effect');
    demand(actions.length <= 3, 'one word makes at most one word');
    return opened;
  },
  large: (size) => [new Uint8Array(size), new Uint8Array(size).fill(1)],
};

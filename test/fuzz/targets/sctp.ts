/** An SCTP association that hears anything: its packets are another's, spoilt, with checksums that are right again. */
import { Association } from '../../../src/sctp/association.ts';
import type { AssociationEvent } from '../../../src/sctp/association-api.ts';
import { CHUNK, DATA_FLAG, dataHeader, forwardTsnValue, initValue, sackValue, u32 } from '../../../src/sctp/chunks.ts';
import { PacketWriter } from '../../../src/sctp/packet.ts';
import { seededRandom } from '../../../src/lab/random.ts';
import { inBytes, stepsOf } from '../steps.ts';
import { demand, type Target, text } from '../target.ts';

const TAG = 0x6e617474;
const WINDOW = 1 << 16;

const chunk = (type: number, flags: number, ...value: readonly Uint8Array[]): Uint8Array => {
  const writer = new PacketWriter(1400, { source: 5000, destination: 5000 }, 0);
  writer.add(type, flags, ...value);
  return writer.finish(false).subarray(12);
};
const WHOLE = DATA_FLAG.begin | DATA_FLAG.end;
const data = (tsn: number, stream: number, ssn: number, flags: number): Uint8Array =>
  chunk(CHUNK.data, flags, dataHeader({ stream, ssn, ppid: 51, flags, data: text('x') }, tsn), text('data'));

/** Steps: 0 a chunk in a packet of the peer's, 1 raw bytes, 2 time goes by, 3 what its own side does. */
export const sctp: Target = {
  name: 'sctp',
  seeds: [
    inBytes(
      [0, 0, data(1, 0, 0, WHOLE)],
      [0, 0, data(3, 0, 2, WHOLE)],
      [2, 30],
      [0, 0, data(2, 0, 1, WHOLE)],
      [2, 255],
    ),
    inBytes(
      [3, 0],
      [3, 1],
      [2, 1],
      [
        0,
        0,
        chunk(CHUNK.sack, 0, sackValue({ cumulative: 1, window: 9000, gaps: [{ start: 2, end: 3 }], duplicates: [1] })),
      ],
      [2, 200],
      [2, 255],
    ),
    inBytes(
      [0, 0, data(1, 1, 0, DATA_FLAG.begin)],
      [0, 0, data(3, 1, 0, DATA_FLAG.end)],
      [0, 0, data(2, 1, 0, 0)],
      [2, 9],
    ),
    inBytes(
      [0, 0, chunk(CHUNK.reconfig, 0, u32((13 << 16) | 18, 1, 0, 0, (1 << 16) | 2).subarray(0, 18))],
      [3, 2],
      [2, 99],
    ),
    inBytes(
      [0, 0, chunk(CHUNK.forwardTsn, 0, forwardTsnValue({ cumulative: 9, streams: [{ stream: 1, ssn: 3 }] }))],
      [0, 0, data(11, 1, 5, WHOLE)],
      [2, 9],
    ),
    inBytes(
      [0, 0, chunk(CHUNK.heartbeat, 0, u32((1 << 16) | 8, 7))],
      [0, 0, chunk(CHUNK.shutdown, 0, u32(0))],
      [2, 255],
      [0, 0, chunk(CHUNK.shutdownComplete, 0)],
    ),
    inBytes(
      [
        1,
        0,
        chunk(CHUNK.init, 0, initValue({ tag: 1, window: 1500, outbound: 1, inbound: 1, tsn: 1, parameters: [] })),
      ],
      [3, 0],
      [3, 3],
      [2, 255],
    ),
  ],
  run: (input) => {
    const association = new Association({
      random: seededRandom(1, 'sctp'),
      start: 'agreed',
      zeroChecksum: true,
      window: WINDOW,
      patience: Number.POSITIVE_INFINITY,
    });
    let [now, heard, fed, packets] = [0, 0, 0, 0];
    let broken = false;
    const carry = (event?: AssociationEvent): void => {
      const actions = event ? association.handle(event, now) : association.wake(now);
      for (const action of actions) {
        if (action.kind === 'closed') broken ||= action.why === 'protocol';
        if (action.kind === 'message') heard += action.data.length;
        if (action.kind !== 'transmit') continue;
        packets++;
        demand(action.data.length >= 16 && action.data.length % 4 === 0, 'a packet is whole');
      }
    };
    carry({ kind: 'open' });
    const steps = stepsOf(input);
    let [bytes, wakes] = [0, 0];
    for (const { op, argument, body } of steps) {
      bytes += body.length;
      if (op % 4 === 0 || op % 4 === 1) {
        const packet = new Uint8Array(12 + body.length);
        packet.set(u32((5000 << 16) | 5000, op % 4 === 1 ? 0 : TAG));
        packet.set(body, 12);
        carry({ kind: 'packet', data: packet });
      } else if (op % 4 === 2) {
        const until = now + argument;
        for (let at = association.wakeAt(); at !== undefined && at <= until; at = association.wakeAt()) {
          now = Math.max(now, at);
          carry();
          demand(++wakes < 300 * (steps.length + 1), 'it does not wake for ever');
        }
        now = until;
      } else if (argument % 4 === 0) carry({ kind: 'send', message: { stream: 1, ppid: 51, data: text('hello') } });
      else if (argument % 4 === 1)
        carry({ kind: 'send', message: { stream: 2, ppid: 51, data: new Uint8Array(5000), retransmits: 1 } });
      else if (argument % 4 === 2) carry({ kind: 'reset', streams: [1] });
      else carry({ kind: argument > 200 ? 'shutdown' : 'path' });
      fed++;
    }
    demand(heard <= bytes + WINDOW, 'nothing is heard that was not sent');
    demand(packets <= 64 * (fed + wakes + 2), 'it answers within bounds');
    return packets > 0 && !broken;
  },
};

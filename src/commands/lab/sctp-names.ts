/** What an SCTP packet of a data channel says, in words. Pure. */
import { CHUNK, DATA_FLAG } from '../../sctp/chunks.ts';
import { decodePacket, type RawChunk } from '../../sctp/packet.ts';
import { decodeDcep, PPID } from '../../webrtc/dcep.ts';

const NAMES = new Map<number, string>(
  Object.entries(CHUNK).map(([name, type]) => [type, name.replace(/[A-Z]/g, (letter) => ` ${letter}`).toUpperCase()]),
);
/** Of a DATA chunk's value: TSN, stream, sequence number, payload protocol identifier (RFC 9260 §3.3.1). */
const DATA_START = 12;

/** `INIT ACK`, `DATA of channel 0: open "data"`. A packet of ours: nothing in it breaks the format. */
export const sctpNames = (packet: Uint8Array): string => decodePacket(packet).chunks.map(nameOf).join(', ');

function nameOf({ type, flags, value }: RawChunk): string {
  if (type !== CHUNK.data) return NAMES.get(type) ?? `chunk ${type}`;
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const [stream, ppid] = [view.getUint16(4), view.getUint32(8)];
  const data = value.subarray(DATA_START);
  const whole = (flags & DATA_FLAG.begin) !== 0 && (flags & DATA_FLAG.end) !== 0;
  return `DATA of channel ${stream}: ${ppid === PPID.dcep && whole ? control(data) : `${data.length} bytes`}`;
}

function control(data: Uint8Array): string {
  const message = decodeDcep(data);
  if (message === undefined) return `${data.length} bytes`;
  return message === 'ack' ? 'ack' : `open "${message.label}"`;
}

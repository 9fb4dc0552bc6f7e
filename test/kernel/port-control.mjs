// A router's port control, PCP and NAT-PMP on UDP 5351, that opens nothing: what miniupnpd cannot be made to answer.
// node port-control.mjs ADDRESS MANNER
import { createSocket } from 'node:dgram';

const [address, manner] = process.argv.slice(2);
const OUTSIDE = [12, 13, 14, 15];
const started = Date.now();

const socket = createSocket('udp4');
const other = createSocket('udp4');

/** Seconds since the start, as a router counts them; or as one that was restarted a moment ago, each time. */
const epoch = () => (manner === 'restarts' ? 0 : 1000 + Math.floor((Date.now() - started) / 1000));
const result = manner === 'refuses' ? 2 : 0;
const lifetimeOf = (asked) => (asked === 0 || manner === 'no-life' ? 0 : manner === 'short-life' ? 1 : asked);
const portOf = (asked) => (manner === 'port-zero' ? 0 : asked);

function pcp(request) {
  const answer = Buffer.alloc(request.length);
  request.copy(answer);
  answer[1] = request[1] | 0x80;
  answer[3] = result;
  answer.writeUInt32BE(request[1] === 1 ? lifetimeOf(request.readUInt32BE(4)) : 0, 4);
  answer.writeUInt32BE(epoch(), 8);
  answer.fill(0, 12, 24);
  if (request[1] !== 1) return answer.subarray(0, 24);
  if (manner === 'wrong-nonce') answer[24] ^= 0xff;
  if (manner === 'wrong-port') answer.writeUInt16BE(request.readUInt16BE(40) ^ 1, 40);
  answer.writeUInt16BE(portOf(request.readUInt16BE(42) || request.readUInt16BE(40)), 42);
  answer.fill(0, 44, 54).fill(0xff, 54, 56);
  Buffer.from(OUTSIDE).copy(answer, 56);
  return answer;
}

function natPmp(request) {
  const op = request[1];
  const answer = Buffer.alloc(op === 0 ? 12 : 16);
  answer[1] = op + 128;
  answer.writeUInt16BE(result, 2);
  answer.writeUInt32BE(epoch(), 4);
  if (op === 0) Buffer.from(OUTSIDE).copy(answer, 8);
  else {
    answer.writeUInt16BE(request.readUInt16BE(4) ^ (manner === 'wrong-port' ? 1 : 0), 8);
    answer.writeUInt16BE(portOf(request.readUInt16BE(6) || request.readUInt16BE(4)), 10);
    answer.writeUInt32BE(lifetimeOf(request.readUInt32BE(8)), 12);
  }
  return answer;
}

socket.on('message', (request, { port, address: from }) => {
  const answer =
    request[0] === 2 && request.length >= 24 ? pcp(request) : request[0] === 0 ? natPmp(request) : undefined;
  if (!answer) return;
  const by = manner === 'other-source' ? other : socket;
  setTimeout(() => by.send(answer, port, from), manner === 'late' ? 600 : 0);
});
other.bind(0, address, () => socket.bind(5351, address, () => console.log('ready')));

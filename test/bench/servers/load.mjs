// An open-loop flood of STUN Binding requests: node load.mjs ADDRESS PORT SECONDS SOCKETS
// It sends as fast as it can from sockets on loopback addresses of their own and reads nothing, which costs far less than to answer,
// so that the server is the limit. The answers are counted by the kernel: what a socket with a full buffer drops (/proc/net/udp).
// Prints `warm` after a warm-up of half a second, then { answered, sent, seconds }.
import { createSocket } from 'node:dgram';
import { readFileSync, writeSync } from 'node:fs';

const [address, ...numbers] = process.argv.slice(2);
const [port, seconds, count] = numbers.map(Number);
const WARM_UP_SECONDS = 0.5;

const sockets = [];
for (let i = 0; i < count; i++) {
  const socket = createSocket({ type: 'udp4', lookup: (host, family, done) => done(null, host, family) });
  await new Promise((resolve) => socket.bind(0, `127.0.${10 + i}.1`, resolve));
  socket.setRecvBufferSize(1024);
  sockets.push(socket);
}
const ports = new Set(sockets.map((socket) => socket.address().port));

function dropped() {
  let sum = 0;
  for (const line of readFileSync('/proc/net/udp', 'latin1').trim().split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (ports.has(Number.parseInt(fields[1].split(':')[1], 16))) sum += Number(fields.at(-1));
  }
  return sum;
}

const request = Buffer.alloc(20);
request.writeUInt16BE(1, 0);
request.writeUInt32BE(0x2112a442, 4);
let serial = 0;

/** Never returns to the event loop, so nothing is read: a send that the kernel takes at once leaves nothing behind in Node. */
function flood(forSeconds) {
  const until = performance.now() + forSeconds * 1000;
  const first = serial;
  while (performance.now() < until) {
    for (const socket of sockets) {
      request.writeUInt32BE(++serial >>> 0, 16);
      socket.send(request, port, address);
    }
  }
  return serial - first;
}

flood(WARM_UP_SECONDS);
writeSync(1, 'warm\n');
const before = { dropped: dropped(), at: performance.now() };
const sent = flood(seconds);
const answered = dropped() - before.dropped;
writeSync(1, `${JSON.stringify({ answered, sent, seconds: (performance.now() - before.at) / 1000 })}\n`);
process.exit(0);

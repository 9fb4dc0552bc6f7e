// A program that talks UDP both ways on one socket, as WireGuard does: node duplex.mjs ADDRESS PORT COUNT SIZE PER_SECOND.
// Says who it is with one short datagram, and pours at the first line of its standard input. Ends when all of the other
// side's datagrams were here once, or none has come for a while; prints how many did and the rate that it sent at.
import { createSocket } from 'node:dgram';

const [address, ...numbers] = process.argv.slice(2);
const [port, count, size, perSecond] = numbers.map(Number);
const QUIET_MS = 700;

const socket = createSocket({
  type: 'udp4',
  recvBufferSize: 1 << 21,
  lookup: (name, family, done) => done(null, name, family),
});
const seen = new Uint8Array(count);
let got = 0;
let last = 0;
socket.on('error', () => {}); // a refusal: what was not heard is counted on the other side
socket.on('message', (data) => {
  last = performance.now();
  const number = data.readUInt32BE(0);
  if (data.length !== size || number >= count || seen[number] === 1) return;
  seen[number] = 1;
  got++;
});

function pour() {
  const start = performance.now();
  let sent = 0;
  let sentAt = 0;
  const tick = setInterval(() => {
    const now = performance.now();
    for (const due = Math.min(count, Math.ceil(((now - start) * perSecond) / 1000)); sent < due; sent++) {
      const data = Buffer.allocUnsafe(size); // the system's until it is sent
      data.writeUInt32BE(sent);
      socket.send(data);
    }
    if (sent < count) return;
    sentAt ||= now;
    if (got < count && now - Math.max(last, sentAt) < QUIET_MS) return;
    clearInterval(tick);
    console.log(JSON.stringify({ got, perSecond: Math.round((sent * 1000) / (sentAt - start)) }));
    setTimeout(() => process.exit(0), QUIET_MS); // the other side may still wait for some
  }, 1);
}

socket.connect(port, address, () => socket.send(Buffer.alloc(4), () => console.log('ready')));
process.stdin.once('data', pour);

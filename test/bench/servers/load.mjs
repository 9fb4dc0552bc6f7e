// A load of STUN Binding requests with a bounded number under way: node load.mjs ADDRESS PORT SECONDS SOCKETS WINDOW
// Each of the sockets, on a loopback address of its own, keeps WINDOW requests under way and sends the next when one is answered.
// Prints { answered, lost, seconds } for the time after a warm-up of half a second.
import { createSocket } from 'node:dgram';

const [address, port, seconds, sockets, window] = process.argv.slice(2).map((text, i) => (i === 0 ? text : Number(text)));
const WARM_UP_MS = 500;
/** An answer that takes longer than this on loopback was dropped by a full buffer. */
const LOST_MS = 200;

let answered = 0;
let lost = 0;
let stopped = false;

for (let i = 0; i < sockets; i++) {
  const socket = createSocket({ type: 'udp4', lookup: (host, family, done) => done(null, host, family) });
  const requests = Array.from({ length: window }, (_, slot) => {
    const request = Buffer.alloc(20);
    request.writeUInt16BE(1, 0);
    request.writeUInt32BE(0x2112a442, 4);
    request.writeUInt32BE(slot, 8);
    return { request, serial: 0, at: 0 };
  });
  const send = (slot) => {
    const entry = requests[slot];
    entry.serial = (entry.serial + 1) >>> 0;
    entry.at = performance.now();
    entry.request.writeUInt32BE(entry.serial, 12);
    socket.send(entry.request, port, address);
  };
  socket.on('message', (answer) => {
    if (answer.length < 20) return;
    const slot = answer.readUInt32BE(8);
    if (slot >= window || answer.readUInt32BE(12) !== requests[slot].serial) return;
    answered++;
    if (!stopped) send(slot);
  });
  socket.bind(0, `127.0.${10 + i}.1`, () => {
    socket.setRecvBufferSize(1 << 20);
    for (let slot = 0; slot < window; slot++) send(slot);
  });
  setInterval(() => {
    const now = performance.now();
    requests.forEach(({ at }, slot) => {
      if (now - at < LOST_MS) return;
      lost++;
      send(slot);
    });
  }, LOST_MS);
}

setTimeout(() => {
  const before = { answered, lost, at: performance.now() };
  console.log('warm');
  setTimeout(() => {
    stopped = true;
    console.log(JSON.stringify({ answered: answered - before.answered, lost: lost - before.lost, seconds: (performance.now() - before.at) / 1000 }));
    process.exit(0);
  }, seconds * 1000);
}, WARM_UP_MS);

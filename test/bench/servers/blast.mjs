// Evenly paced datagrams: node blast.mjs ADDRESS PORT COUNT SIZE PER_SECOND. Prints what rate it reached.
// It spins between two datagrams, for timers are too coarse: a burst is not a rate.
import { createSocket } from 'node:dgram';

const [address, ...numbers] = process.argv.slice(2);
const [port, count, size, perSecond] = numbers.map(Number);
const data = Buffer.alloc(size);
const socket = createSocket({ type: 'udp4', lookup: (name, family, done) => done(null, name, family) });
socket.on('error', () => {}); // nobody listens any more: what was not heard is counted there
socket.bind(0, () =>
  socket.connect(port, address, () => {
    const start = performance.now();
    let sent = 0;
    const go = () => {
      for (let i = 0; i < 64 && sent < count; i++) {
        while (performance.now() - start < (sent * 1000) / perSecond);
        data.writeUInt32BE(sent++);
        socket.send(data);
      }
      if (sent < count) setImmediate(go);
      else console.log(JSON.stringify({ perSecond: Math.round((sent / (performance.now() - start)) * 1000) }));
      if (sent === count) setTimeout(() => process.exit(0), 50);
    };
    go();
  }),
);

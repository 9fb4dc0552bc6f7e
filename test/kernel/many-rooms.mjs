// Opens rooms at a rendezvous as fast as its limits let each source, and claims them: node many-rooms.mjs SERVER ADDRESS… (bundled)
// Prints `begun`, and how many rooms it holds as it goes.
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { decodeState, encodeRegister } from '../../src/rendezvous/protocol.ts';
import { encode, METHOD, tryDecode } from '../../src/stun/message.ts';

const [server, ...addresses] = process.argv.slice(2);
const NOTHING = new Uint8Array(8);
/** A little more than the limit of 50 a second for each source. */
const [EVERY_MS, AT_ONCE] = [40, 2];

let claimed = 0;
let told = 0;
const registerOf = (room, cookie = NOTHING) =>
  encode({
    class: 'request',
    method: METHOD.binding,
    transactionId: randomBytes(12),
    attributes: [
      encodeRegister({
        room,
        member: new Uint8Array(16).fill(1),
        sequence: 1,
        heard: 0,
        cookie,
        bye: false,
        payload: new Uint8Array(300),
      }),
    ],
  });
for (const address of addresses) {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const rooms = new Map();
  socket.on('error', () => {});
  socket.on('message', (data) => {
    const message = tryDecode(data);
    const state = message && decodeState(message);
    const room = message && rooms.get(Buffer.from(message.transactionId).toString('hex'));
    if (!state || !room) return;
    rooms.delete(Buffer.from(message.transactionId).toString('hex'));
    claimed++;
    socket.send(registerOf(room, state.cookie), 3478, server);
  });
  socket.bind(0, address, () =>
    setInterval(() => {
      for (let i = 0; i < AT_ONCE; i++) {
        const room = randomBytes(16);
        const data = registerOf(room);
        rooms.set(Buffer.from(data.subarray(8, 20)).toString('hex'), room);
        if (rooms.size > 200) rooms.delete(rooms.keys().next().value);
        socket.send(data, 3478, server);
      }
    }, EVERY_MS),
  );
}
setInterval(() => {
  if (claimed === told) return;
  told = claimed;
  console.log(`claimed ${claimed}`);
}, 200);
console.log('begun');

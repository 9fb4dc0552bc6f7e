// Many STUN servers in one process: node many.mjs PORT COUNT. Prints their addresses as one line of JSON when all are bound.
import { createSocket } from 'node:dgram';
import { bindingSuccess } from './binding.mjs';

const [port, count] = process.argv.slice(2).map(Number);
const addresses = Array.from({ length: count }, (_, i) => `127.77.${1 + Math.floor(i / 250)}.${1 + (i % 250)}`);
for (const address of addresses) {
  const socket = createSocket('udp4');
  socket.on('message', (request, from) => socket.send(bindingSuccess(request, from), from.port, from.address));
  await new Promise((resolve) => socket.bind(port, address, resolve));
}
console.log(JSON.stringify(addresses));

// Asks reflectors and prints what was heard, as JSON.
// node asker.mjs '[{ "from": LOCAL-PORT, "to": "ADDRESS:PORT", "via": REFLECTOR-SOCKET, "quiet": MILLISECONDS }, …]'
// Steps run one after the other; a step ends with its answer or after its quiet time. Questions from one port share a socket.
import { createSocket } from 'node:dgram';

const sockets = new Map();
const waiting = new Map();
const open = (port) =>
  new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.on('message', (data, from) => {
      const { id, seen } = JSON.parse(data.toString());
      waiting.get(id)?.({ seen, from: `${from.address}:${from.port}` });
    });
    socket.bind(port, () => resolve(socket));
  });

const heard = [];
for (const [id, step] of JSON.parse(process.argv[2]).entries()) {
  if (!sockets.has(step.from)) sockets.set(step.from, await open(step.from));
  const [address, port] = step.to.split(':');
  heard.push(
    await new Promise((resolve) => {
      waiting.set(id, resolve);
      sockets.get(step.from).send(JSON.stringify({ id, via: step.via }), Number(port), address);
      setTimeout(resolve, step.quiet ?? 300, null);
    }),
  );
}
console.log(JSON.stringify(heard));
process.exit(0);

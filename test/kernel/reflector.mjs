// A server on two addresses and two ports each: tells the sender how it looked, from the socket that it asked for.
// node reflector.mjs ADDRESS ALTERNATE PORT ALTERNATE
import { createSocket } from 'node:dgram';

const [address, alternate, port, otherPort] = process.argv.slice(2);
const sockets = await Promise.all(
  [
    [address, port],
    [address, otherPort],
    [alternate, port],
    [alternate, otherPort],
  ].map(
    ([at, on]) =>
      new Promise((resolve) => {
        const socket = createSocket('udp4');
        socket.bind(Number(on), at, () => resolve(socket));
      }),
  ),
);
sockets.forEach((socket, index) =>
  socket.on('message', (data, from) => {
    const { id, via = index } = JSON.parse(data.toString());
    sockets[via].send(JSON.stringify({ id, seen: `${from.address}:${from.port}` }), from.port, from.address);
  }),
);
console.log('ready');

// The bare floor of what Node can do: every datagram goes back as it came. node echo.mjs ADDRESS PORT
import { createSocket } from 'node:dgram';

const [address, port] = process.argv.slice(2);
const socket = createSocket({ type: 'udp4', lookup: (host, family, done) => done(null, host, family) });
socket.on('message', (data, from) => socket.send(data, from.port, from.address));
socket.bind(Number(port), address, () => console.log('ready'));

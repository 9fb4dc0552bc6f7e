// Takes datagrams and forgets them: node sink.mjs ADDRESS PORT.
import { createSocket } from 'node:dgram';

const [address, port] = process.argv.slice(2);
const socket = createSocket('udp4');
socket.on('message', () => {});
socket.bind(Number(port), address, () => console.log('ready'));

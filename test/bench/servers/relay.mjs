// An open-loop flood of ChannelData through a TURN server, both ways: node relay.mjs ADDRESS PORT SECONDS CLIENTS USER PASSWORD REALM
// Each client has an allocation and a channel to a peer of its own. As in load.mjs nothing is read, and what arrives is counted by the kernel.
// Prints `warm` after a warm-up of half a second, then { relayed, sent, seconds }.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { readFileSync, writeSync } from 'node:fs';

const [address, ...rest] = process.argv.slice(2);
const [port, seconds, count] = rest.slice(0, 3).map(Number);
const [user, password, realm] = rest.slice(3);
const [WARM_UP_SECONDS, MESSAGE] = [0.5, 200];
const key = createHash('md5').update(`${user}:${realm}:${password}`).digest();

const open = async (host) => {
  const socket = createSocket({ type: 'udp4', lookup: (name, family, done) => done(null, name, family) });
  await new Promise((resolve) => socket.bind(0, host, resolve));
  return socket;
};

function attribute(type, value) {
  const bytes = Buffer.alloc(4 + ((value.length + 3) & ~3));
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  value.copy(bytes, 4);
  return bytes;
}

function message(method, attributes, nonce) {
  const login = [
    [6, user],
    [0x14, realm],
    [0x15, nonce ?? ''],
  ].map(([type, text]) => attribute(type, Buffer.from(text)));
  const body = Buffer.concat([...attributes, ...(nonce === undefined ? [] : login)]);
  const head = Buffer.concat([Buffer.from([0, method, 0, 0, 0x21, 0x12, 0xa4, 0x42]), randomBytes(12)]);
  head.writeUInt16BE(body.length + (nonce === undefined ? 0 : 24), 2);
  const all = Buffer.concat([head, body]);
  return nonce === undefined ? all : Buffer.concat([all, attribute(8, createHmac('sha1', key).update(all).digest())]);
}

function read(answer) {
  const found = { type: answer.readUInt16BE(0) };
  for (let at = 20; at + 4 <= answer.length; at += 4 + ((answer.readUInt16BE(at + 2) + 3) & ~3))
    found[answer.readUInt16BE(at)] = answer.subarray(at + 4, at + 4 + answer.readUInt16BE(at + 2));
  return found;
}

const ask = (socket, bytes) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer')), 5000);
    socket.once('message', (answer) => {
      clearTimeout(timer);
      resolve(read(answer));
    });
    socket.send(bytes, port, address);
  });

async function allocate(i) {
  const [client, peer] = [await open(`127.0.${10 + i}.1`), await open(address)];
  const allocation = [attribute(0x19, Buffer.from([17, 0, 0, 0]))];
  const challenge = await ask(client, message(3, allocation));
  const nonce = challenge[0x15].toString();
  const allocated = await ask(client, message(3, allocation, nonce));
  if (allocated.type !== 0x103) throw new Error(`no allocation: ${allocated[9]?.subarray(2).toString('hex')}`);
  const relayPort = allocated[0x16].readUInt16BE(2) ^ 0x2112;
  const xored = Buffer.from([
    0,
    1,
    0,
    0,
    ...address.split('.').map((part, at) => Number(part) ^ [0x21, 0x12, 0xa4, 0x42][at]),
  ]);
  xored.writeUInt16BE(peer.address().port ^ 0x2112, 2);
  const bound = await ask(
    client,
    message(9, [attribute(12, Buffer.from([0x40, 0, 0, 0])), attribute(0x12, xored)], nonce),
  );
  if (bound.type !== 0x109) throw new Error(`no channel: ${bound[9]?.subarray(2).toString('hex')}`);
  for (const socket of [client, peer]) {
    socket.removeAllListeners('message');
    socket.setRecvBufferSize(1024);
  }
  return { client, peer, relayPort };
}

const pairs = [];
for (let i = 0; i < count; i++) pairs.push(await allocate(i));
const ports = new Set(pairs.flatMap(({ client, peer }) => [client.address().port, peer.address().port]));

function dropped() {
  let sum = 0;
  for (const line of readFileSync('/proc/net/udp', 'latin1').trim().split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (ports.has(Number.parseInt(fields[1].split(':')[1], 16))) sum += Number(fields.at(-1));
  }
  return sum;
}

const data = Buffer.alloc(MESSAGE, 1);
const channelData = Buffer.concat([Buffer.from([0x40, 0, 0, MESSAGE]), data]);

/** Never returns to the event loop, so nothing is read. */
function flood(forSeconds) {
  const until = performance.now() + forSeconds * 1000;
  let sent = 0;
  while (performance.now() < until) {
    for (const { client, peer, relayPort } of pairs) {
      client.send(channelData, port, address);
      peer.send(data, relayPort, address);
      sent += 2;
    }
  }
  return sent;
}

flood(WARM_UP_SECONDS);
writeSync(1, 'warm\n');
const before = { dropped: dropped(), at: performance.now() };
const sent = flood(seconds);
const relayed = dropped() - before.dropped;
writeSync(1, `${JSON.stringify({ relayed, sent, seconds: (performance.now() - before.at) / 1000 })}\n`);
process.exit(0);

// node rooms.mjs ROOMS (bundled): fills a rendezvous with so many rooms, two members in each that hear it and are owed news, then times packets and wakes.
import { randomBytes, randomInt } from 'node:crypto';
import { decodeState, encodeRegister } from '../../../src/rendezvous/protocol.ts';
import { RendezvousServer } from '../../../src/rendezvous/server.ts';
import { decode, encode, METHOD } from '../../../src/stun/message.ts';

const count = Number(process.argv[2]);
const random = { bytes: (length) => new Uint8Array(randomBytes(length)), below: (bound) => randomInt(bound) };
const endpoints = { A1P1: { address: '40.30.20.10', port: 3478 }, A1P2: { address: '40.30.20.10', port: 3479 } };
const spot = { role: 'A1P1', sockets: { endpoints, send: () => {} } };
// As the server has them, but the limits of sources: who is in the rooms is not the question here.
const rooms = { total: count, ofSource: count, ofNetwork: count };
const server = new RendezvousServer({ random, rooms, limit: { perSecond: Number.POSITIVE_INFINITY, burst: 1 } });

const NOTHING = new Uint8Array(8);
const payload = new Uint8Array(300).fill(7);
const nameOf = (number) => {
  const bytes = new Uint8Array(16).fill(9);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
};
const packetOf = (of) =>
  encode({
    class: 'request',
    method: METHOD.binding,
    transactionId: random.bytes(12),
    attributes: [encodeRegister({ heard: 0, bye: false, cookie: NOTHING, payload, ...of })],
  });
const places = (room) =>
  [1, 2].map((side) => ({ address: `${20 + side}.${room >> 16}.${(room >> 8) & 255}.${room & 255}`, port: 4000 }));
const members = [1, 2].map((side) => new Uint8Array(16).fill(side));
const say = (from, of, now) => server.handle({ spot, from, data: packetOf(of) }, now);

const cookies = [];
for (let room = 0; room < count; room++) {
  const from = places(room);
  cookies[room] = members.map((member, side) => {
    const of = { room: nameOf(room), member, sequence: 1 };
    const [answer] = say(from[side], of, 0);
    const { cookie } = decodeState(decode(answer.data));
    say(from[side], { ...of, cookie }, 0);
    return cookie;
  });
}

/** Processor time of each, all threads of the process together: what other programs take is not in it, what collects garbage is. */
function timedEach(events, act) {
  const times = [];
  for (const event of events) {
    const before = process.cpuUsage();
    const acted = act(event);
    const { user, system } = process.cpuUsage(before);
    if (acted) times.push((user + system) / 1000);
  }
  times.sort((a, b) => a - b);
  const at = (part) => Number(times[Math.min(times.length - 1, Math.floor(part * times.length))].toFixed(3));
  const mean = Number((times.reduce((sum, each) => sum + each, 0) / times.length).toFixed(4));
  return { count: times.length, meanMs: mean, p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999), mostMs: at(1) };
}

// News of one member, which its peer is told; strangers that open rooms; and forged members of a pair that nobody hears.
const packets = [];
for (let i = 0; i < 20_000; i++) {
  const room = (i * 7919) % count;
  const [first] = places(room);
  if (i % 4 < 2)
    packets.push({
      from: first,
      data: packetOf({ room: nameOf(room), member: members[0], sequence: 2 + i, cookie: cookies[room][0] }),
    });
  else
    packets.push({
      from: { address: `99.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, port: 7 },
      data: packetOf({ room: nameOf(1e6 + (i >> 1)), member: members[i % 2], sequence: 1 }),
    });
}
const handled = timedEach(packets, ({ from, data }) => {
  server.handle({ spot, from, data }, 20);
  server.wakeAt();
  return true;
});
const { pushed: before } = server.counters;
const dues = [];
for (let now = 60; now < 2_000; now += 2) for (let i = 0; i < 1_000; i++) dues.push(now);
const isDue = (now) => (server.wakeAt() ?? Number.POSITIVE_INFINITY) <= now;
const woken = timedEach(dues, (now) => isDue(now) && server.wake(now));
console.log(
  JSON.stringify({ rooms: server.size, pushed: server.counters.pushed - before, packets: handled, wakes: woken }),
);

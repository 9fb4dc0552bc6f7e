/**
 * A long run of `serve` at mixed load: its memory and its handles must stay what they are. Not part of the tests.
 *
 *     npm run soak                            # as root on Linux: a network namespace of its own, ten minutes
 *     SOAK_SECONDS=60 SOAK_RATE=50 npm run soak
 *
 * A pair of loopback addresses serves RFC 5780. Per second SOAK_RATE requests come over UDP (plain, changed, with RESPONSE-PORT, spoilt, from many
 * sources), some connections over TCP, registers of rooms that come and go, scrapes of the metrics, now and then two hosts that connect, and relays over UDP and TCP that carry data:
 * some are released, some left behind by a client that is killed.
 */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const SECONDS = Math.min(3600, Number(process.env['SOAK_SECONDS'] ?? 600));
const RATE = Math.min(2000, Number(process.env['SOAK_RATE'] ?? 200));
const BIN = fileURLToPath(new URL('../../bin/nat-tool.js', import.meta.url));
const LOGIN = { NAT_TOOL_USERNAME: 'soak', NAT_TOOL_PASSWORD: 'soak' };
const [FIRST, SECOND, PORT, METRICS] = ['127.0.0.2', '127.0.0.3', 3478, 9100];
/** Between two looks, s. What is warm after a quarter of the run is the measure; growth of this share, and so many bytes, is a leak. */
const LOOK_S = 10;
const GROWTH = 1.15;
const GRAIN = 8 << 20;

if (process.argv[2] !== 'inside') {
  // Nothing of this reaches the machine's own network.
  const child = spawn('unshare', ['-n', process.execPath, fileURLToPath(import.meta.url), 'inside'], {
    stdio: 'inherit',
  });
  const [code] = await once(child, 'exit');
  process.exit(code ?? 1);
}

execFileSync('ip', ['link', 'set', 'lo', 'up']);
const server = spawn(
  process.execPath,
  [
    ...[BIN, 'serve', '-s', FIRST, '-s', SECOND, '--rate', '0', '--metrics', String(METRICS), '--json'],
    ...['--relay', '--turn', '--allow-peer', '127.0.0.0/8', '--user-quota', '1000'],
  ],
  { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...LOGIN } },
);
await new Promise((resolve, reject) => {
  server.stdout.on('data', (data) => String(data).includes('"metrics"') && resolve(undefined));
  server.once('exit', () => reject(new Error('serve ended')));
});

const counts = { sent: 0, answered: 0, tcp: 0, meetings: 0, failedMeetings: 0, relays: 0, failedRelays: 0 };
const request = (...attributes) => {
  const body = Buffer.concat(attributes);
  const head = Buffer.alloc(20);
  head.writeUInt16BE(1, 0);
  head.writeUInt16BE(body.length, 2);
  head.writeUInt32BE(0x2112a442, 4);
  randomBytes(12).copy(head, 8);
  return Buffer.concat([head, body]);
};
const attribute = (type, ...bytes) => Buffer.from([type >> 8, type & 255, 0, bytes.length, ...bytes]);
const KINDS = [
  () => request(),
  () => request(attribute(0x0003, 0, 0, 0, 6)),
  () => request(attribute(0x0003, 0, 0, 0, 2)),
  () => request(attribute(0x0027, 0x9c, 0x40, 0, 0)),
  () => request(attribute(0x7777, 1, 2, 3, 4)),
  () => randomBytes(40),
  // A partner's, a register's and a TURN client's first bytes, and nothing after them that is right.
  () => Buffer.concat([Buffer.from([0xcd, 1, 2]), randomBytes(120)]),
  () => request(attribute(0xc0de, ...randomBytes(60))),
];
const sockets = await Promise.all(
  Array.from({ length: 64 }, async (_, i) => {
    const socket = createSocket('udp4');
    socket.on('message', () => counts.answered++).on('error', () => {});
    socket.bind(0, `127.0.${1 + (i >> 3)}.${1 + (i & 7)}`);
    await once(socket, 'listening');
    return socket;
  }),
);
let over = false;

async function datagrams() {
  for (let i = 0; !over; i++) {
    for (let n = 0; n < RATE / 10; n++) {
      const data = KINDS[Math.floor(Math.random() * KINDS.length)]?.() ?? request();
      sockets[(i + n) % sockets.length]?.send(data, PORT + (n & 1), n % 3 === 0 ? SECOND : FIRST);
      counts.sent++;
    }
    await sleep(100);
  }
}

/** One that asks, one that breaks off in the middle, one that says nothing. */
async function streams() {
  for (let i = 0; !over; i++) {
    const stream = connect(PORT, FIRST).on('error', () => {});
    stream.on('data', () => counts.tcp++);
    if (i % 3 < 2) stream.write(i % 3 === 0 ? request() : request().subarray(0, 7));
    setTimeout(() => (i % 2 === 0 ? stream.destroy() : stream.end()), 500).unref();
    await sleep(200);
  }
}

async function meetings() {
  const tool = (...args) => spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  while (!over) {
    const generated = tool('connect', '--generate');
    let code = '';
    generated.stdout.on('data', (data) => (code += data));
    await once(generated, 'close');
    const both = [1, 2].map(() => tool('connect', code.trim(), '--check', '--server', FIRST));
    for (const each of both) each.stdout.resume();
    const ends = await Promise.all(both.map((each) => once(each, 'exit')));
    if (ends.every(([status]) => status === 0)) counts.meetings++;
    else counts.failedMeetings++;
    await sleep(20_000);
  }
}

async function relays() {
  for (let i = 0; !over; i++) {
    const words = ['turn', '--count', '200', ...(i % 2 === 0 ? [] : ['--tcp']), FIRST];
    const tool = spawn(process.execPath, [BIN, ...words], { stdio: 'ignore', env: { ...process.env, ...LOGIN } });
    const killed = i % 4 === 3;
    if (killed) setTimeout(() => tool.kill('SIGKILL'), 600).unref();
    const [status] = await once(tool, 'exit');
    if (status === 0) counts.relays++;
    else if (!killed) counts.failedRelays++;
    await sleep(2_000);
  }
}

async function scrape() {
  const text = await (await fetch(`http://127.0.0.1:${METRICS}/metrics`)).text();
  const value = (name) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.split(' ')[1],
    );
  return {
    rss: value('process_resident_memory_bytes'),
    heap: value('nodejs_heap_size_used_bytes'),
    handles: value('nodejs_active_resources'),
    cpu: value('process_cpu_seconds_total'),
    late: value('nat_tool_event_loop_delay_seconds_sum') / value('nat_tool_event_loop_delay_seconds_count'),
    rooms: value('nat_tool_rooms'),
    allocations: value('nat_tool_allocations'),
  };
}

const idle = await scrape();
const looks = [];
const work = [datagrams(), streams(), meetings(), relays()];
for (let at = 0; at < SECONDS; at += LOOK_S) {
  await sleep(LOOK_S * 1000);
  const look = await scrape();
  looks.push(look);
  console.log(
    `${String(at + LOOK_S).padStart(5)} s  rss ${(look.rss / 1e6).toFixed(1)} MB  heap ${(look.heap / 1e6).toFixed(1)} MB  handles ${look.handles}  cpu ${look.cpu.toFixed(1)} s  late ${(look.late * 1000).toFixed(1)} ms  rooms ${look.rooms}  relays ${look.allocations}  ${JSON.stringify(counts)}`,
  );
}
over = true;
for (const socket of sockets) socket.close();
await Promise.race([Promise.all(work), sleep(60_000)]);
// Idle connections of before have their 30 s.
await sleep(Math.min(35, SECONDS) * 1000);
const rest = await scrape();
server.kill('SIGTERM');
const [status] = await once(server, 'exit');

const warm = looks.slice(0, Math.max(1, Math.floor(looks.length / 4)));
const most = Math.max(...warm.map(({ rss }) => rss));
const last = Math.min(...looks.slice(-3).map(({ rss }) => rss));
const faults = [
  last > most * GROWTH && last - most > GRAIN ? `memory grew from ${most} to ${last}` : '',
  // The connection of the scrape itself comes and goes; what killed clients left behind lives for ten minutes, a socket each.
  rest.handles > idle.handles + 2 + rest.allocations ? `${idle.handles} handles before, ${rest.handles} at rest` : '',
  counts.answered === 0 || counts.meetings === 0 ? 'nothing was answered, or nobody met' : '',
  counts.relays === 0 || counts.failedRelays > 0 ? `${counts.relays} relays, ${counts.failedRelays} failed` : '',
  counts.failedMeetings > 0 ? `${counts.failedMeetings} pairs did not meet` : '',
  status === 0 ? '' : `serve ended with ${status}`,
].filter((fault) => fault !== '');
console.log(
  `warm ${(most / 1e6).toFixed(1)} MB, at the end ${(last / 1e6).toFixed(1)} MB, at rest ${rest.handles} handles, exit ${status}`,
);
for (const fault of faults) console.error(`FAULT: ${fault}`);
process.exit(faults.length > 0 ? 1 : 0);

// Relayed ChannelData a second of processor time, both ways, 200 bytes each: `nat-tool serve --turn` and coturn, under one load on loopback.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answering, bin, cpuSeconds, here, median, note, requireBuilt, round, Skip } from '../measure.mjs';

const [ADDRESS, PORT, REALM] = ['127.0.0.1', 34795, 'example.test'];
const [SECONDS, CLIENTS, ROUNDS] = [2, 4, 5];

const servers = (directory) => ({
  serve: [
    ...[process.execPath, bin, 'serve', '--quiet', '-s', ADDRESS, '-p', String(PORT), '--udp-only'],
    ...['--turn', '--users', join(directory, 'users'), '--realm', REALM, '--allow-peer', '127.0.0.0/8'],
  ],
  coturn: [
    ...['turnserver', '-n', '-L', ADDRESS, '--listening-port', String(PORT), '--alt-listening-port', String(PORT + 1)],
    ...['--lt-cred-mech', '--user', 'alice:secret', '--realm', REALM, '--allow-loopback-peers'],
    ...['--no-tls', '--no-dtls', '--no-tcp', '--no-cli', '--no-rfc5780', '--log-file', 'stdout', '--simple-log'],
    ...['--pidfile', join(directory, 'pid'), '--userdb', join(directory, 'db')],
  ],
});

async function load(harness, argv) {
  const server = harness.start(undefined, argv);
  try {
    await answering(ADDRESS, PORT);
    const generator = harness.start(undefined, [
      ...[process.execPath, here('servers/relay.mjs'), ADDRESS, String(PORT), String(SECONDS), String(CLIENTS)],
      ...['alice', 'secret', REALM],
    ]);
    await generator.until(/warm/);
    const before = cpuSeconds(server.pid);
    const [, line] = await generator.until(/warm\n(.+)\n/);
    const cpu = cpuSeconds(server.pid) - before;
    const { relayed, sent, seconds } = JSON.parse(line);
    await generator.finished;
    if (relayed === 0) throw new Error('nothing was relayed');
    return { perCpuSecond: relayed / cpu, perSecond: relayed / seconds, offered: sent / seconds, busy: cpu / seconds };
  } finally {
    await server.stop();
  }
}

export default async function relay({ harness }) {
  requireBuilt();
  if (process.platform !== 'linux') throw new Skip('needs Linux, whose /proc counts what was relayed');
  const names = ['serve'];
  if (harness.missing(['turnserver']).length === 0) names.push('coturn');
  else note('relay: without coturn, which is not here');
  const runs = Object.fromEntries(names.map((name) => [name, []]));
  const directory = await mkdtemp(join(tmpdir(), 'nat-tool-bench-'));
  try {
    await writeFile(join(directory, 'users'), 'alice:secret\n');
    for (let i = 0; i < ROUNDS; i++)
      for (const name of names) runs[name].push(await load(harness, servers(directory)[name]));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  const result = {};
  for (const name of names) {
    const of = (key, digits) => round(median(runs[name].map((each) => each[key])), digits);
    result[name] = {
      relayedPerCpuSecond: of('perCpuSecond', 0),
      relayedPerSecond: of('perSecond', 0),
      offeredPerSecond: of('offered', 0),
      busy: of('busy', 2),
    };
  }
  const ratio = result.coturn && round(result.serve.relayedPerCpuSecond / result.coturn.relayedPerCpuSecond);
  return { ...result, serveToCoturnPerCpu: ratio };
}

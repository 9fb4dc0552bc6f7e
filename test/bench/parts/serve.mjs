// Binding throughput on loopback under one load: `nat-tool serve`, a bare Node echo socket, and coturn.
// The load comes from a process of its own; `busy` near 1 says that the server, not the load, was the limit (coturn may use more threads than one).
import { bin, cpuSeconds, here, median, note, requireBuilt, round, Skip } from '../measure.mjs';

const [ADDRESS, PORT] = ['127.0.0.1', 34790];
const [SECONDS, SOCKETS, ROUNDS] = [2, 8, 5];

/** The limiter does its work for every request, but lets them all pass. */
const LIMIT = ['--rate', '1000000', '--burst', '1000000'];

const SERVERS = {
  echo: () => ({ argv: [process.execPath, here('servers/echo.mjs'), ADDRESS, String(PORT)], ready: /ready/ }),
  serve: () => ({ argv: [process.execPath, bin, 'serve', '--json', '-s', ADDRESS, '-p', String(PORT), '--udp-only', ...LIMIT], ready: /listening/ }),
  coturn: () => ({
    argv: ['turnserver', '-n', '-L', ADDRESS, '--listening-port', String(PORT), '--alt-listening-port', String(PORT + 1), '--no-auth', '--no-tls', '--no-dtls', '--no-tcp', '--no-cli', '--no-rfc5780',
      '--realm', 'example.test', '--log-file', 'stdout', '--simple-log', '--pidfile', '/dev/null', '--userdb', '/tmp/nat-tool-bench-turndb'],
    ready: /UDP listener opened on/,
  }),
};

async function load(harness, { argv, ready }) {
  const server = harness.start(undefined, argv);
  try {
    await server.until(ready);
    const generator = harness.start(undefined, [process.execPath, here('servers/load.mjs'), ADDRESS, String(PORT), String(SECONDS), String(SOCKETS)]);
    await generator.until(/warm/);
    const before = cpuSeconds(server.pid);
    const [, line] = await generator.until(/warm\n(.+)\n/);
    const after = cpuSeconds(server.pid);
    const { answered, sent, seconds } = JSON.parse(line);
    await generator.finished;
    if (answered === 0) throw new Error('the server answered nothing');
    return { perSecond: answered / seconds, offered: sent / seconds, cpu: before === undefined || after === undefined ? undefined : after - before, answered, seconds };
  } finally {
    await server.stop();
  }
}

export default async function serve({ harness }) {
  requireBuilt();
  if (process.platform !== 'linux') throw new Skip('needs Linux, whose /proc counts the answers');
  const names = ['echo', 'serve'];
  if (harness.missing(['turnserver']).length === 0) names.push('coturn');
  else note('serve: without coturn, which is not here');
  const runs = Object.fromEntries(names.map((name) => [name, []]));
  for (let i = 0; i < ROUNDS; i++) for (const name of names) runs[name].push(await load(harness, SERVERS[name]()));
  const result = {};
  for (const name of names) {
    const each = runs[name];
    const withCpu = each.filter(({ cpu }) => cpu !== undefined);
    result[name] = {
      perSecond: round(median(each.map(({ perSecond }) => perSecond)), 0),
      offeredPerSecond: round(median(each.map(({ offered }) => offered)), 0),
      busy: withCpu.length > 0 ? round(median(withCpu.map(({ cpu, seconds }) => cpu / seconds)), 2) : undefined,
      cpuMicrosPerAnswer: withCpu.length > 0 ? round(median(withCpu.map(({ cpu, answered }) => (cpu * 1e6) / answered)), 1) : undefined,
    };
  }
  const ratio = (name) => result[name] && round(result.serve.perSecond / result[name].perSecond);
  return { ...result, serveToEcho: ratio('echo'), serveToCoturn: ratio('coturn') };
}

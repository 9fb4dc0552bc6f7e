// `connect` from the second host's start to data both ways, whole process, cone to cone through two kernel NATs, against the start of a process.
// A fresh pair of routers each time, as users have; the server is a few namespaces away, so that what is measured is our own time.
import { bin, median, note, requireBuilt, requireKernel, round } from '../measure.mjs';

const [SERVER, ALTERNATE, ROUNDS] = ['40.30.20.10', '40.30.20.11', 8];
const NODE = process.execPath;

export default async function connectTime({ harness }) {
  requireBuilt();
  requireKernel(harness, ['nft']);
  const internet = await harness.Internet.create();
  let server;
  try {
    server = (await internet.host('s', [SERVER, ALTERNATE])).start(
      [NODE, bin, 'serve', '--json', '-s', SERVER, '-s', ALTERNATE],
      { timeoutMs: 600_000 },
    );
    await server.until(/(?:"listening".*"udp".*\n[\s\S]*){4}/);
    const own = { version: [], data: [], whole: [], inside: [], rtt: [] };
    for (let i = 0; i <= ROUNDS; i++) {
      const [one, two] = [
        await internet.site(`a${i}`, { kind: 'port-restricted-cone' }),
        await internet.site(`b${i}`, { kind: 'port-restricted-cone' }),
      ];
      const version = await two.client.run([NODE, bin, '--version']);
      const env = { NAT_TOOL_CODE: (await one.client.must([NODE, bin, 'connect', '--generate'])).trim() };
      // Both talk: what one writes at once the other prints as soon as there is a path, which is data both ways.
      const argv = [NODE, bin, 'connect', '-v', '--server', SERVER];
      const first = one.client.start(argv, { timeoutMs: 30_000, env });
      const sides = [first];
      try {
        await first.until(/status=waiting/);
        first.write('from the first');
        const began = performance.now();
        const second = two.client.start(argv, { timeoutMs: 30_000, env });
        sides.push(second);
        second.write('from the second');
        await Promise.all([second.until(/from the first/), first.until(/from the second/)]);
        const data = performance.now() - began;
        const [, inside] = /^(\S+) ms {2}connected/m.exec(second.stderr()) ?? [];
        const [, rtt] = /candidate {2}type=srflx .*rttMs=(\S+)/.exec(second.stderr()) ?? [];
        if (!/path=direct/.test(second.stderr())) throw new Error(`no direct path: ${second.stderr()}`);
        if (i === 0) continue; // it warmed the caches
        own.version.push(version.ms);
        own.data.push(data);
        own.inside.push(Number(inside));
        own.rtt.push(Number(rtt));
      } finally {
        await Promise.all(sides.map((each) => each.stop()));
      }
    }
    const [versionMs, dataMs] = [median(own.version), median(own.data)];
    note(`connect-time: ${round(dataMs, 0)} ms, --version ${round(versionMs, 0)} ms`);
    return {
      rounds: ROUNDS,
      versionMs: round(versionMs, 1),
      dataBothWaysMs: round(dataMs, 1),
      ofThatAfterStartMs: round(median(own.inside), 1),
      rttMs: round(median(own.rtt)),
      dataToVersion: round(dataMs / versionMs),
    };
  } finally {
    await server?.stop();
    internet.close();
  }
}

// `nat-tool detect` against Debian's `stun` (the fastest peer), whole process, through the same kind of kernel NAT, coturn as the server.
// Each run has a router of its own that has seen nothing yet, as a user's has: Linux limits the ICMP answers that a router gives.
import { bin, interleave, median, requireBuilt, requireKernel, round } from '../measure.mjs';

export default async function detect({ harness }) {
  requireBuilt();
  requireKernel(harness, ['turnserver', 'stun']);
  const internet = await harness.Internet.create();
  try {
    const coturn = await harness.startCoturn(await internet.host('s', ['40.30.20.10', '40.30.20.11']));
    const results = {};
    let sites = 0;
    for (const kind of ['port-restricted-cone', 'full-cone', 'symmetric']) {
      const rtts = [];
      const verdicts = new Set();
      const behind = (argv, look) => async () => {
        const { client } = await internet.site(`b${sites++}`, { kind });
        const finished = await client.run(argv);
        look?.(finished);
        return finished.ms;
      };
      const times = await interleave(
        {
          node: behind([process.execPath, '-e', '0']),
          stun: behind(['stun', coturn.endpoint]),
          detect: behind([process.execPath, bin, 'detect', '--json', coturn.endpoint], ({ stdout }) => {
            const { data } = JSON.parse(stdout);
            verdicts.add(data.type);
            const rtt = data.evidence.find(({ test, rttMs }) => test.startsWith('mapping') && rttMs !== null)?.rttMs;
            if (rtt !== undefined) rtts.push(rtt);
          }),
        },
        10,
      );
      if (verdicts.size !== 1 || !verdicts.has(kind))
        throw new Error(`detect says ${[...verdicts].join(', ')} behind a ${kind} NAT`);
      const [node, stun, own, rtt] = [median(times.node), median(times.stun), median(times.detect), median(rtts)];
      results[kind] = {
        nodeMs: round(node, 1),
        stunMs: round(stun, 1),
        detectMs: round(own, 1),
        rttMs: round(rtt),
        detectToStun: round(own / stun),
        detectToStartPlusTwoRtt: round(own / (node + 2 * rtt)),
      };
    }
    await coturn.stop();
    return results;
  } finally {
    internet.close();
  }
}

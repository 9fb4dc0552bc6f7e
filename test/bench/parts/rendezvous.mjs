// The rendezvous with 20,000 rooms that all have something to tell: what one packet takes, and how long one wake holds up all others.
// The machine alone, in a process of its own, by processor time of all its threads: the greatest few are the garbage
// collector's, in which a machine that is busy otherwise has its part. The bounds are those that the server promises.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { here, timed } from '../measure.mjs';

const [ROOMS, PACKET_MS, WAKE_MS] = [20_000, 0.2, 5];

export default async function rendezvous() {
  const directory = await mkdtemp(join(tmpdir(), 'nat-tool-bench-'));
  try {
    const outfile = join(directory, 'rooms.mjs');
    const root = fileURLToPath(new URL('../../..', import.meta.url));
    await build({
      entryPoints: [here('servers/rooms.mjs')],
      absWorkingDir: root,
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile,
      logLevel: 'error',
    });
    const { stdout, stderr, code } = await timed([process.execPath, outfile, String(ROOMS)], { timeoutMs: 120_000 });
    if (code !== 0) throw new Error(stderr);
    const { packets, wakes, ...counts } = JSON.parse(stdout);
    return {
      ...counts,
      packets: { ...packets, boundMs: PACKET_MS, kept: packets.p99Ms <= PACKET_MS },
      wakes: { ...wakes, boundMs: WAKE_MS, kept: wakes.p99Ms <= WAKE_MS },
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

// A thousand servers on loopback addresses in one call, against ten: time, and memory that must not grow with them.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bin, here, median, requireBuilt, round, Skip, timed } from '../measure.mjs';

const PORT = 34780;
const SERVERS = 1000;

export default async function bulk() {
  requireBuilt();
  if (process.platform !== 'linux') throw new Skip('needs Linux, where all of 127.0.0.0/8 is this machine');
  const directory = await mkdtemp(join(tmpdir(), 'nat-tool-bulk-'));
  const responder = spawn(process.execPath, [here('servers/many.mjs'), String(PORT), String(SERVERS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const addresses = await new Promise((resolve, reject) => {
      let text = '';
      responder.stdout.on('data', (data) => {
        text += data;
        if (text.includes('\n')) resolve(JSON.parse(text));
      });
      responder.once('exit', (code) => reject(new Error(`the responder ended with ${code}`)));
    });
    const ask = async (count) => {
      const file = join(directory, `${count}.txt`);
      await writeFile(
        file,
        addresses
          .slice(0, count)
          .map((address) => `${address}:${PORT}\n`)
          .join(''),
      );
      const runs = [];
      for (let i = 0; i < 3; i++) {
        const run = await timed([process.execPath, bin, 'stun', '--json', '--servers', file], { watchMemory: true });
        if (run.code !== 0) throw new Error(`stun --servers exits ${run.code}: ${run.stderr.slice(0, 300)}`);
        const { results } = JSON.parse(run.stdout).data;
        const answered = results.filter(({ mapped }) => mapped !== null).length;
        if (results.length !== count || answered !== count) throw new Error(`${answered} of ${count} servers answered`);
        runs.push(run);
      }
      return { ms: median(runs.map(({ ms }) => ms)), peakKb: median(runs.map(({ peakKb }) => peakKb)) };
    };
    const few = await ask(10);
    const many = await ask(SERVERS);
    return {
      servers: SERVERS,
      ms: round(many.ms, 0),
      tenServersMs: round(few.ms, 0),
      peakMb: round(many.peakKb / 1024, 1),
      tenServersPeakMb: round(few.peakKb / 1024, 1),
      peakToTenServers: round(many.peakKb / few.peakKb),
    };
  } finally {
    responder.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Hosts that mean ill open rooms from fifty networks, and from fifty addresses: whoever else meets is served, each of twenty. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Host, Internet } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, connectBoth } from './tool.ts';

const fifty = (of: (i: number) => string): string[] => Array.from({ length: 50 }, (_, i) => of(i));
const [SERVER_4, SERVER_6] = ['40.30.20.10', '2001:db8:5::1'];
const SIXES = fifty((i) => `2001:db8:7:${(i + 1).toString(16)}::1`);
const FOURS = fifty((i) => `70.0.${i}.1`);

describeKernel('a rendezvous where fifty sources open rooms', ['nat-tool'], () => {
  let internet: Internet;
  let server: Running;
  let attacker: Host;
  let honest: [Host, Host];
  const directory = mkdtempSync(join(tmpdir(), 'nat-tool-crowd-'));
  const script = join(directory, 'many-rooms.mjs');

  beforeAll(async () => {
    await build({
      entryPoints: [fileURLToPath(new URL('many-rooms.mjs', import.meta.url))],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: script,
      logLevel: 'error',
    });
    internet = await Internet.create();
    const host = await internet.host('s', [SERVER_4]);
    await internet.six(host, '2001:db8:5::/48', [SERVER_6]);
    attacker = await internet.host('x', FOURS);
    await internet.six(attacker, '2001:db8:7::/48', SIXES);
    honest = [await internet.host('a', ['50.0.0.1']), await internet.host('b', ['60.0.0.1'])];
    for (const [i, each] of honest.entries()) await internet.six(each, `2001:db8:a${i}::/48`, [`2001:db8:a${i}:1::1`]);
    server = host.start(['node', bin, 'serve', '--json', '--metrics', '9100']);
    await server.until(/"listening","transport":"udp","address":"\[2001:db8:5::1\]:3478"/);
  });
  afterAll(async () => {
    await server?.stop();
    internet?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it.each([
    ['fifty /64s of one host', SERVER_6, SIXES],
    ['fifty /24s', SERVER_4, FOURS],
  ])('of %s: two hosts meet, twenty times of twenty', async (_, at, sources) => {
    const attack = attacker.start(['node', script, at, ...sources]);
    try {
      // More than one source may hold, and than its network.
      await attack.until(/claimed [3-9]\d{3}/);
      let good = 0;
      for (let i = 0; i < 20; i++) {
        const both = await connectBoth(...honest, at.includes(':') ? `[${at}]` : at);
        if (both.every(({ code, data }) => code === 0 && data['path'] === 'direct')) good++;
      }
      expect(good).toBe(20);
    } finally {
      await attack.stop();
    }
  });
});

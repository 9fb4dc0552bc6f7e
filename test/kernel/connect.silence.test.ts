/** A connection through two kernel NATs of which nothing is heard for longer than their filters remember. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Host, Internet } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, natTool, startServe } from './tool.ts';

const SERVER = '40.30.20.10';
const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describeKernel('two hosts that have nothing to say', ['nat-tool'], () => {
  it('carry data byte for byte both ways, after a minute of silence too', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nat-tool-silence-'));
    const internet = await Internet.create();
    try {
      const server = await startServe(await internet.host('s', [SERVER, '40.30.20.11']));
      const timeout = { udp: 30, stream: 30 };
      const [a, b] = [
        await internet.site('a', { kind: 'port-restricted-cone', timeout }),
        await internet.site('b', { kind: 'port-restricted-cone', timeout }),
      ];
      const code = (await natTool(a.client, ['connect', '--generate'])).stdout.trim();
      const side = (host: Host, file: string): Running =>
        host.start([
          'sh',
          '-c',
          `exec "$0" "$@" >${join(directory, file)}`,
          'node',
          bin,
          'connect',
          '--server',
          SERVER,
          code,
        ]);
      for (const file of ['a', 'b']) writeFileSync(join(directory, file), '');
      const runs = [side(a.client, 'a'), side(b.client, 'b')] as const;
      const heard = () => ['a', 'b'].map((file) => readFileSync(join(directory, file)).toString('latin1'));
      const say = async (word: string, expected: readonly string[]) => {
        runs[0].write(Buffer.from(`A${word}`, 'latin1'));
        runs[1].write(Buffer.from(`B${word}`, 'latin1'));
        while (heard().some((text, i) => text.length < (expected[i]?.length ?? 0))) await later(20);
        expect(heard()).toEqual(expected);
      };
      await say(' one\0\xff', ['B one\0\xff', 'A one\0\xff']);
      await later(65_000);
      await say(' two', ['B one\0\xffB two', 'A one\0\xffA two']);
      for (const each of runs) each.end();
      await Promise.all(runs.map((each) => each.finished));
      await server.stop();
    } finally {
      internet.close();
      rmSync(directory, { recursive: true });
    }
  });
});

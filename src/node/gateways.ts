/** The default routes of this machine, by whatever tells them on its system. */
import type { Gateway } from '../net/env.ts';
import { nodeInterfaces } from './interfaces.ts';
import { bsdGateway, linuxGateways, linuxGateways6, windowsGateways, windowsGateways6 } from './routes.ts';

/** A program that has not told by then is ended, in milliseconds. */
const PATIENCE_MS = 1_000;
const MOST_BYTES = 1024 * 1024;

export async function nodeGateways(signal?: AbortSignal): Promise<Gateway[]> {
  signal?.throwIfAborted();
  switch (process.platform) {
    case 'linux':
    case 'android': {
      const endianness = process.getBuiltinModule('node:os').endianness();
      const [v4, v6] = await Promise.all(['/proc/net/route', '/proc/net/ipv6_route'].map(textOf));
      return [...linuxGateways(v4 ?? '', endianness), ...linuxGateways6(v6 ?? '')];
    }
    case 'win32': {
      const route = `${process.env['SystemRoot'] ?? 'C:\\Windows'}\\System32\\route.exe`;
      const [v4, v6] = await Promise.all(['-4', '-6'].map((family) => output(route, ['print', family], signal)));
      const interfaces = nodeInterfaces();
      return [...windowsGateways(v4 ?? '', interfaces), ...windowsGateways6(v6 ?? '', interfaces)];
    }
    default: {
      const ask = (...family: string[]) => output('/sbin/route', ['-n', 'get', ...family, 'default'], signal);
      const [v4, v6] = await Promise.all([ask(), ask('-inet6')]);
      return [...bsdGateway(v4, 4), ...bsdGateway(v6, 6)];
    }
  }
}

/** Empty where it cannot be read, as on some phones. */
const textOf = (path: string): Promise<string> =>
  process
    .getBuiltinModule('node:fs')
    .promises.readFile(path, 'utf8')
    .catch(() => '');

/** What a program prints; empty where it fails, is not there, or takes too long. Rejects with the signal's reason. */
const output = (program: string, args: readonly string[], signal: AbortSignal | undefined): Promise<string> =>
  new Promise((resolve, reject) => {
    const options = { timeout: PATIENCE_MS, maxBuffer: MOST_BYTES, windowsHide: true, ...(signal && { signal }) };
    process.getBuiltinModule('node:child_process').execFile(program, args, options, (error, stdout) => {
      if (signal?.aborted) reject(signal.reason);
      else resolve(error ? '' : stdout);
    });
  });

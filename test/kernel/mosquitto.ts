/** A real MQTT broker on a host: mosquitto, open to everyone, plain on 1883 and, where a certificate is given, with TLS on 8883. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from './internet.ts';
import type { Running } from './process.ts';

export interface Mosquitto {
  readonly process: Running;
  stop(): Promise<void>;
}

export async function startMosquitto(
  host: Host,
  tls?: { readonly cert: string; readonly key: string },
): Promise<Mosquitto> {
  const directory = mkdtempSync(join(tmpdir(), 'nat-tool-mosquitto-'));
  const config = join(directory, 'mosquitto.conf');
  writeFileSync(
    config,
    [
      'user root',
      'allow_anonymous true',
      'persistence false',
      'log_dest stderr',
      'log_type all',
      `listener 1883 ${host.address}`,
      ...(tls ? [`listener 8883 ${host.address}`, `certfile ${tls.cert}`, `keyfile ${tls.key}`] : []),
      '',
    ].join('\n'),
  );
  const process = host.start(['mosquitto', '-c', config]);
  await process.until(/mosquitto version \S+ running/);
  return {
    process,
    stop: async () => {
      await process.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

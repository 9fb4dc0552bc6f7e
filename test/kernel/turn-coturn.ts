import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Host } from './internet.ts';
import type { Running } from './process.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

/** For 40.30.20.10 and turn.example.test. */
export const CERTIFICATE = fixture('turn-cert.pem');

/** The user that {@link startTurnCoturn} knows unless it is given others. */
export const LOGIN = { NAT_TOOL_USERNAME: 'alice', NAT_TOOL_PASSWORD: 'secret' };

export interface TurnCoturn {
  readonly process: Running;
  stop(): Promise<void>;
}

/** Starts coturn as a TURN server on the first address of a host, UDP and TCP 3478, with `tls` also 5349, and waits until it listens. */
export async function startTurnCoturn(
  host: Host,
  more: readonly string[] = [],
  {
    tls = false,
    users = ['--lt-cred-mech', '--user', 'alice:secret'],
  }: { tls?: boolean; users?: readonly string[] } = {},
): Promise<TurnCoturn> {
  const directory = mkdtempSync(join(tmpdir(), 'nat-tool-coturn-'));
  const process = host.start([
    'turnserver',
    '-n',
    '-L',
    host.address,
    '--listening-port',
    '3478',
    ...(tls
      ? ['--cert', CERTIFICATE, '--pkey', fixture('turn-key.pem'), '--tls-listening-port', '5349']
      : ['--no-tls']),
    '--no-dtls',
    '--no-cli',
    '--realm',
    'example.test',
    ...users,
    '--log-file',
    'stdout',
    '--simple-log',
    '--pidfile',
    join(directory, 'pid'),
    '--userdb',
    join(directory, 'db'),
    ...more,
  ]);
  const stop = async () => {
    await process.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await host.must([
      'sh',
      '-c',
      `until ss -lunH 'sport = :3478' | grep -q . && ss -ltnH 'sport = :${tls ? 5349 : 3478}' | grep -q .; do sleep 0.05; done`,
    ]);
  } catch (error) {
    await stop();
    throw new Error(`coturn does not listen\n${process.stdout()}${process.stderr()}`, { cause: error });
  }
  return { process, stop };
}

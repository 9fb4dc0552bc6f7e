import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from './internet.ts';
import type { Running } from './process.ts';

export interface Coturn {
  /** `address:port` of the primary endpoint. */
  readonly endpoint: string;
  /** `address:port` on its other address. */
  readonly alternate: string;
  readonly process: Running;
  stop(): Promise<void>;
}

/** Asks one address for a Binding until it answers, and prints what OTHER-ADDRESS it claims. */
const PROBE = `
  const [address, port] = process.argv.slice(1);
  const socket = require('node:dgram').createSocket('udp4');
  const request = Buffer.alloc(20);
  request.writeUInt16BE(1, 0);
  request.writeUInt32BE(0x2112a442, 4);
  require('node:crypto').randomFillSync(request, 8);
  const ask = () => socket.send(request, Number(port), address);
  socket.on('message', (answer) => {
    for (let at = 20; at + 4 <= answer.length; at += 4 + ((answer.readUInt16BE(at + 2) + 3) & ~3)) {
      if (answer.readUInt16BE(at) === 0x802c) console.log([...answer.subarray(at + 8, at + 12)].join('.') + ':' + answer.readUInt16BE(at + 6));
    }
    process.exit(0);
  });
  socket.bind(0, ask);
  setInterval(ask, 50);`;

/**
 * Starts coturn on the first two addresses of a host (RFC 5780 needs two), ports 3478 and 3479, open to everyone, and waits until it answers.
 * Debian's releases before 4.7 speak RFC 5780 unasked, later ones when asked: `--rfc5780` where the help knows it.
 */
export async function startCoturn(host: Host): Promise<Coturn> {
  const directory = mkdtempSync(join(tmpdir(), 'nat-tool-coturn-'));
  const [address = '', alternate = ''] = host.addresses;
  const help = await host.run(['turnserver', '--help']);
  const process = host.start([
    'turnserver',
    '-n',
    '-L',
    address,
    '-L',
    alternate,
    '--listening-port',
    '3478',
    '--alt-listening-port',
    '3479',
    '--no-auth',
    '--no-tls',
    '--no-dtls',
    '--no-cli',
    '--realm',
    'example.test',
    '--log-file',
    'stdout',
    '--simple-log',
    '--pidfile',
    join(directory, 'pid'),
    '--userdb',
    join(directory, 'db'),
    ...(/ --rfc5780\b/.test(help.stdout + help.stderr) ? ['--rfc5780'] : []),
  ]);
  const stop = async () => {
    await process.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const other = (await host.must(['node', '-e', PROBE, address, '3478'])).trim();
    if (other !== `${alternate}:3479`)
      throw new Error(`coturn claims OTHER-ADDRESS ${other || 'not at all'}, expected ${alternate}:3479`);
  } catch (error) {
    await stop();
    throw new Error(`coturn does not serve RFC 5780\n${process.stdout()}${process.stderr()}`, { cause: error });
  }
  return { endpoint: `${address}:3478`, alternate: `${alternate}:3478`, process, stop };
}

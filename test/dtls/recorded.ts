/** A handshake that is always the same, byte for byte, and the keys that it made: to play one side of it by hand. */
import type { DtlsOptions } from '../../src/dtls/api.ts';
import { readFileSync, writeFileSync } from 'node:fs';
import { fingerprintOf, type Identity } from '../../src/dtls/certificate.ts';
import { Writing } from '../../src/dtls/epochs.ts';
import { encodeMessage, Fragments } from '../../src/dtls/fragments.ts';
import { newKeyShare } from '../../src/dtls/key-share.ts';
import { HANDSHAKE, readClientKeyExchange, readServerKeyExchange } from '../../src/dtls/messages.ts';
import { extendedMasterSecret, type Role, sha256, type WriteKey, writeKeys } from '../../src/dtls/prf.ts';
import { CONTENT, recordsOf } from '../../src/dtls/record.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { ALICE, BOB, connect, pair } from './link.ts';

/** Of the file: certificates, signatures by what they cover, and datagrams, all in hex. */
export interface Golden {
  readonly certificates: Readonly<Record<Role, string>>;
  readonly signatures: Readonly<Record<string, string>>;
  readonly datagrams: Readonly<Record<Role, readonly string[]>>;
}

const FILE = new URL('../vectors/dtls-handshake.json', import.meta.url);
export const GOLDEN = JSON.parse(readFileSync(FILE, 'utf8')) as Golden;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** ECDSA draws a number of its own each time: what was signed once is not signed again. */
function steady({ sign }: Identity, golden: string, signatures: Record<string, string>): Identity {
  const certificate = Buffer.from(golden, 'hex');
  return {
    certificate,
    fingerprint: fingerprintOf(certificate),
    sign: (data) => {
      const key = hex(sha256(data));
      const known = signatures[key];
      if (known !== undefined) return Buffer.from(known, 'hex');
      const signed = sign(data);
      if (Object.keys(signatures).length < 64) signatures[key] = hex(signed);
      return signed;
    },
  };
}

const signatures = { ...GOLDEN.signatures };
const IDENTITIES: Readonly<Record<Role, Identity>> = {
  client: steady(ALICE, GOLDEN.certificates.client, signatures),
  server: steady(BOB, GOLDEN.certificates.server, signatures),
};
const SEED = 'recorded';
const random = (role: Role) => seededRandom(`${SEED}/${role}`, 'end');

/** Of the side that is tried: it says what it said when this was recorded. */
export const optionsOf = (role: Role): DtlsOptions => ({
  role,
  identity: IDENTITIES[role],
  expected: [IDENTITIES[role === 'client' ? 'server' : 'client'].fingerprint],
  random: random(role),
});

export interface Recorded {
  /** What each side sent, in its order. */
  readonly datagrams: Readonly<Record<Role, readonly Uint8Array[]>>;
  readonly keys: Readonly<Record<Role, WriteKey>>;
}

export function record(): Recorded {
  const datagrams: Record<Role, Uint8Array[]> = { client: [], server: [] };
  const made = pair(SEED, {}, { client: optionsOf('client'), server: optionsOf('server') });
  for (const role of ['client', 'server'] as const)
    made[role].tamper = (datagram) => {
      datagrams[role].push(Uint8Array.from(datagram));
      return datagram;
    };
  if (!connect(made)) throw new Error('the two did not connect');
  return { datagrams, keys: keysOf(datagrams) };
}

function keysOf(datagrams: Recorded['datagrams']): Recorded['keys'] {
  const said = (role: Role) => {
    const fragments = new Fragments();
    for (const datagram of datagrams[role])
      for (const { type, epoch, body } of recordsOf(datagram).records)
        if (type === CONTENT.handshake && epoch === 0) fragments.add(body, 0);
    return Array.from({ length: 8 }, () => fragments.shift()).flatMap((each) => each ?? []);
  };
  const [client, server] = [said('client'), said('server')];
  const [hello, ...rest] = client;
  const exchange = rest.find(({ type }) => type === HANDSHAKE.clientKeyExchange);
  const offered = server.find(({ type }) => type === HANDSHAKE.serverKeyExchange);
  if (!hello || !exchange || !offered) throw new Error('no whole handshake');
  const counted = [hello, ...server, ...rest.slice(0, rest.indexOf(exchange) + 1)];
  const { group } = readServerKeyExchange(offered.body);
  const drawn = random('server');
  const serverRandom = drawn.bytes(32);
  const premaster = newKeyShare(group, drawn).secret(readClientKeyExchange(exchange.body));
  const master = extendedMasterSecret(premaster, sha256(Buffer.concat(counted.map(encodeMessage))));
  return writeKeys(master, random('client').bytes(32), serverRandom);
}

/** Seals as that side would, later than what it has sealed. */
export function sealer({ keys }: Recorded, role: Role, from = 100): (type: number, body: Uint8Array) => Uint8Array {
  const writing = new Writing();
  writing.key = keys[role];
  for (let nth = 0; nth < from; nth++) writing.encode(CONTENT.alert, 1, new Uint8Array());
  return (type, body) => writing.encode(type, 1, body);
}

/** After a change of what is said on the wire: the file anew, of this run. */
export function renew({ datagrams }: Recorded): void {
  const golden: Golden = {
    certificates: GOLDEN.certificates,
    signatures,
    datagrams: { client: datagrams.client.map(hex), server: datagrams.server.map(hex) },
  };
  writeFileSync(FILE, `${JSON.stringify(golden, null, 2)}\n`);
}

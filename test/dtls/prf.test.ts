import { expect, it } from 'vitest';
import { prf, verifyData, writeKeys } from '../../src/dtls/prf.ts';

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');

it('is the PRF of TLS 1.2 with SHA-256, by the vector that the working group has used', () => {
  const out = prf(
    hex('9b be 43 6b a9 40 f0 17 b1 76 52 84 9a 71 db 35'),
    'test label',
    hex('a0 ba 9f 93 6c da 31 18 27 a6 f7 96 ff d5 19 8c'),
    100,
  );
  expect(Buffer.from(out).toString('hex')).toBe(
    'e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7' +
      '077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66',
  );
});

it('cuts what is asked for from one stream', () => {
  const [secret, seed] = [hex('0102'), hex('03')];
  const long = prf(secret, 'x', seed, 200);
  for (const length of [0, 1, 31, 32, 33, 64, 65])
    expect(prf(secret, 'x', seed, length)).toEqual(long.subarray(0, length));
});

it('gives each direction a key and a salt of its own, and each side an end of its own', () => {
  const master = new Uint8Array(48).fill(7);
  const { client, server } = writeKeys(master, new Uint8Array(32).fill(1), new Uint8Array(32).fill(2));
  const all = [client.key, server.key, client.salt, server.salt].map((each) => Buffer.from(each).toString('hex'));
  expect(all.map(({ length }) => length / 2)).toEqual([16, 16, 4, 4]);
  expect(all.join('')).toBe(
    // RFC 5246 §6.3: keys before IVs, the client's before the server's, and the server's random first in the seed.
    Buffer.from(prf(master, 'key expansion', new Uint8Array(64).fill(2, 0, 32).fill(1, 32), 40)).toString('hex'),
  );
  const hash = new Uint8Array(32);
  expect(verifyData(master, 'client', hash)).not.toEqual(verifyData(master, 'server', hash));
  expect(verifyData(master, 'client', hash)).toHaveLength(12);
});

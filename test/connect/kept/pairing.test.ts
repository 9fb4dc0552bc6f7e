import { describe, expect, it } from 'vitest';
import { generateCode } from '../../../src/connect/code.ts';
import {
  forgetPairing,
  looksLikeCode,
  type Pairing,
  pairingName,
  pairingsIn,
  readPairing,
  writePairing,
} from '../../../src/connect/kept/pairing.ts';
import { seededRandom } from '../../../src/lab/random.ts';
import { StoreError } from '../../../src/net/env.ts';
import { memoryStore } from '../../../src/net/store.ts';

const PAIRING: Pairing = {
  name: 'office',
  key: new Uint8Array(32).fill(5),
  side: 'b',
  since: '2026-11-27T16:00:00.000Z',
  met: '2026-11-28T16:00:00.000Z',
  server: 'stun.example.net:3479',
  brokers: ['mqtts://broker.example.net'],
  stun: ['stun.example.org'],
};

describe('a pairing', () => {
  it('is read as it was stored, and forgotten', async () => {
    const store = memoryStore();
    await writePairing(store, PAIRING);
    expect(await readPairing(store, 'office')).toEqual(PAIRING);
    expect(await pairingsIn(store)).toEqual(['office']);
    expect(await forgetPairing(store, 'office')).toBe(true);
    expect(await readPairing(store, 'office')).toBeUndefined();
  });

  it.each([
    ['no JSON', () => '{'],
    ['no object', () => 'null'],
    ['another version', (text: string) => text.replace('"v": 1', '"v": 2')],
    ['a short key', (text: string) => text.replace(/"key": "..../, '"key": "')],
    ['no side', (text: string) => text.replace('"b"', '"c"')],
    ['no text', (text: string) => text.replace('"2026-11-27T16:00:00.000Z"', '5')],
    ['endless text', (text: string) => text.replace('stun.', 'x'.repeat(600))],
    ['brokers that are none', (text: string) => text.replace('"mqtts://broker.example.net"', '7')],
    ['too many', (text: string) => text.replace('"mqtts', `${'"x", '.repeat(16)}"mqtts`)],
  ])('is not read from %s', async (_name, damage) => {
    const store = memoryStore();
    await writePairing(store, PAIRING);
    const text = new TextDecoder().decode(await store.read('pairs/office'));
    await store.write('pairs/office', new TextEncoder().encode(damage(text)));
    await expect(readPairing(store, 'office')).rejects.toBeInstanceOf(StoreError);
  });
});

describe('the name of a pairing', () => {
  it.each([
    ['office', 'office'],
    ['My-Server.2', 'my-server.2'],
    ['', undefined],
    ['-x', undefined],
    ['../x', undefined],
    ['a/b', undefined],
    ['two words', undefined],
    ['ü', undefined],
  ])('%s', (text, name) => expect(pairingName(text)).toBe(name));

  it('is never a code, nor a mistyped one', () => {
    const code = generateCode(seededRandom(1, 'code'));
    const mistyped = code.replace(/.$/, (last) => (last === '1' ? '2' : '1'));
    for (const text of [code, code.toUpperCase(), code.replaceAll('-', ''), mistyped]) {
      expect(looksLikeCode(text)).toBe(true);
      expect(pairingName(text)).toBeUndefined();
    }
    expect(looksLikeCode('office')).toBe(false);
  });
});

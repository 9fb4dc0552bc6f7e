import { describe, expect, it } from 'vitest';
import { openWords, sealWords, webKeys } from '../../../src/commands/webrtc/sealed-words.ts';
import { nodeRandom } from '../../../src/node/random.ts';

const CODE = 'k7qf2-m9x4t-03bsd-v8hwd';
const keys = webKeys(CODE);
const words = { event: 'answer', data: { sdp: 'v=0' }, n: 1 };

describe('sealed words', () => {
  it('are opened by who has the code', () => {
    const sealed = sealWords(keys.terminal, keys.room, words, nodeRandom);
    expect(openWords(webKeys(CODE).terminal, keys.room, sealed)).toEqual(words);
    expect(sealed).toMatch(/^[\w-]+$/);
  });

  it.each([
    ['another code', webKeys('k7qf2-m9x4t-03bsd-v8hwe').terminal, keys.room],
    ['the key of the other direction', keys.browser, keys.room],
    ['another box', keys.terminal, 'another'],
  ])('are closed to %s', (_, key, room) => {
    expect(openWords(key, room, sealWords(keys.terminal, keys.room, words, nodeRandom))).toBeUndefined();
  });

  it('are not opened once anything in them is changed, cut or made up', () => {
    const sealed = sealWords(keys.terminal, keys.room, words, nodeRandom);
    for (let i = 0; i < sealed.length - 1; i++) {
      const other = sealed[i] === 'A' ? 'B' : 'A';
      expect(openWords(keys.terminal, keys.room, sealed.slice(0, i) + other + sealed.slice(i + 1))).toBeUndefined();
    }
    for (const text of ['', 'AAAA', sealed.slice(0, 40), sealed.slice(4)])
      expect(openWords(keys.terminal, keys.room, text)).toBeUndefined();
    expect(openWords(keys.terminal, keys.room, sealWords(keys.terminal, keys.room, [1], nodeRandom))).toBeUndefined();
  });

  it('agree with WebCrypto, which the page has', async () => {
    const utf8 = new TextEncoder();
    const material = await crypto.subtle.importKey('raw', utf8.encode(CODE), 'HKDF', false, ['deriveBits']);
    const by = { name: 'HKDF', hash: 'SHA-256', salt: utf8.encode('nat-tool'), info: utf8.encode('nat-tool web room') };
    const room = Buffer.from(await crypto.subtle.deriveBits(by, material, 128)).toString('base64url');
    expect(room).toBe(keys.room);
    expect(room).toMatch(/^[\w-]{22}$/);
  });
});

import { describe, expect, it } from 'vitest';
import { Sealer } from '../../src/connect/channel/envelope.ts';
import { KeyExchange } from '../../src/connect/channel/key-exchange.ts';
import { deriveSecret } from '../../src/connect/channel/keys.ts';
import { Introductions } from '../../src/connect/introductions.ts';
import { type Description, encodeDescription } from '../../src/connect/signalling/description.ts';
import { seededRandom } from '../../src/lab/random.ts';

const [MINE, THEIRS, THIRD] = [1, 2, 3].map((byte) => new Uint8Array(16).fill(byte)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const secret = deriveSecret('k7qf2-m9x4t-03bsd-v8hwd');
const theirs = new KeyExchange(seededRandom(2, 'theirs'));
const DESCRIPTION: Description = {
  hosts: [],
  reflexive: [{ address: '22.23.24.25', port: 7 }],
  late: undefined,
  profile: undefined,
  aim: undefined,
  share: theirs.share,
};

const newIntroductions = (): Introductions => new Introductions(secret, MINE, seededRandom(1, 'introductions'));
const sealed = (body: Uint8Array, by = THEIRS): Uint8Array => new Sealer(secret.descriptionKey(by)).seal(0, body);
const news = (over: Partial<Description> = {}, member = THEIRS) => ({
  member,
  payload: sealed(encodeDescription({ ...DESCRIPTION, ...over }), member),
});

describe('what members say of themselves', () => {
  it('is read only where that member sealed it, each description once', () => {
    const introductions = newIntroductions();
    expect(introductions.read({ ...news(), member: THIRD })).toBe('unreadable');
    const first = news();
    expect(introductions.read(first)).toEqual({
      description: expect.objectContaining({ reflexive: DESCRIPTION.reflexive }),
      agreed: theirs.agree(introductions.share as Uint8Array),
    });
    expect(introductions.read(first)).toBe('unreadable');
  });

  it('is taken from one peer alone: neither from a third, nor from ourselves', () => {
    const introductions = newIntroductions();
    expect(introductions.read(news({}, MINE))).toBe('unreadable');
    expect(introductions.read(news({ share: undefined }))).toBe('unreadable');
    expect(introductions.read(news())).toMatchObject({ description: {} });
    expect(introductions.read(news({}, THIRD))).toBe('nobody');
    expect(introductions.read({ ...news(), member: THEIRS.subarray(1) })).toBe('nobody');
  });

  it('is not taken with another half of the exchange than before', () => {
    const introductions = newIntroductions();
    const sealer = new Sealer(secret.descriptionKey(THEIRS));
    const say = (share: Uint8Array) =>
      introductions.read({ member: THEIRS, payload: sealer.seal(0, encodeDescription({ ...DESCRIPTION, share })) });
    expect(say(theirs.share)).toMatchObject({ description: {} });
    expect(say(new KeyExchange(seededRandom(3, 'other')).share)).toBe('unreadable');
    expect(say(theirs.share)).toMatchObject({ description: {} });
  });

  it('may be of another version', () => {
    const body = new TextEncoder().encode('{"v":99,"h":"what will be"}');
    expect(newIntroductions().read({ member: THEIRS, payload: sealed(body) })).toBe('other-version');
  });
});

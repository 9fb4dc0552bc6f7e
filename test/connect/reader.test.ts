import { describe, expect, it } from 'vitest';
import { Sealer } from '../../src/connect/channel/envelope.ts';
import { Exchange } from '../../src/connect/channel/exchange.ts';
import { deriveSecret } from '../../src/connect/channel/keys.ts';
import { Reader } from '../../src/connect/reader.ts';
import { type Description, encodeDescription } from '../../src/connect/signalling/description.ts';
import { seededRandom } from '../../src/lab/random.ts';

const [MINE, THEIRS, THIRD] = [1, 2, 3].map((byte) => new Uint8Array(16).fill(byte)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const secret = deriveSecret('k7qf2-m9x4t-03bsd-v8hwd');
const theirs = new Exchange(seededRandom(2, 'theirs'));
const DESCRIPTION: Description = {
  hosts: [],
  reflexive: [{ address: '22.23.24.25', port: 7 }],
  late: undefined,
  profile: undefined,
  aim: undefined,
  share: theirs.share,
};

const newReader = (): Reader => new Reader(secret, MINE, seededRandom(1, 'reader'));
const sealed = (body: Uint8Array, by = THEIRS): Uint8Array => new Sealer(secret.descriptionKey(by)).seal(0, body);
const news = (over: Partial<Description> = {}, member = THEIRS) => ({
  member,
  payload: sealed(encodeDescription({ ...DESCRIPTION, ...over }), member),
});

describe('what members say of themselves', () => {
  it('is read only where that member sealed it, each description once', () => {
    const reader = newReader();
    expect(reader.read({ ...news(), member: THIRD })).toBe('unreadable');
    const first = news();
    expect(reader.read(first)).toEqual({
      description: expect.objectContaining({ reflexive: DESCRIPTION.reflexive }),
      agreed: theirs.agree(reader.share as Uint8Array),
    });
    expect(reader.read(first)).toBe('unreadable');
  });

  it('is taken from one peer alone: neither from a third, nor from ourselves', () => {
    const reader = newReader();
    expect(reader.read(news({}, MINE))).toBe('unreadable');
    expect(reader.read(news({ share: undefined }))).toBe('unreadable');
    expect(reader.read(news())).toMatchObject({ description: {} });
    expect(reader.read(news({}, THIRD))).toBe('nobody');
    expect(reader.read({ ...news(), member: THEIRS.subarray(1) })).toBe('nobody');
  });

  it('is not taken with another half of the exchange than before', () => {
    const reader = newReader();
    const sealer = new Sealer(secret.descriptionKey(THEIRS));
    const say = (share: Uint8Array) =>
      reader.read({ member: THEIRS, payload: sealer.seal(0, encodeDescription({ ...DESCRIPTION, share })) });
    expect(say(theirs.share)).toMatchObject({ description: {} });
    expect(say(new Exchange(seededRandom(3, 'other')).share)).toBe('unreadable');
    expect(say(theirs.share)).toMatchObject({ description: {} });
  });

  it('may be of another version', () => {
    const body = new TextEncoder().encode('{"v":99,"h":"what will be"}');
    expect(newReader().read({ member: THEIRS, payload: sealed(body) })).toBe('other-version');
  });
});

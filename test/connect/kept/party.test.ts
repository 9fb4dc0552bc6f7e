import { describe, expect, it } from 'vitest';
import { formatParty, misfitOf, type Party, readParty } from '../../../src/connect/kept/party.ts';

const SESSION = '0123456789abcdef';
const a = (session = ''): Party => ({ side: 'a', session });
const b = (session = ''): Party => ({ side: 'b', session });

describe('who somebody is in a pairing', () => {
  it.each<[string, Party | undefined, Party | undefined, string | undefined]>([
    ['both begin', a(), b(), undefined],
    ['both go on with the same', a(SESSION), b(SESSION), undefined],
    ['no pairing', undefined, b(), undefined],
    ['the same host', a(), a(), 'own-side'],
    ['the same host, in a session', b(), b(SESSION), 'own-side'],
    ['one begins, the other goes on', a(), b(SESSION), 'other-session'],
    ['one goes on, the other begins', a(SESSION), b(), 'other-session'],
    ['both go on, with different ones', a(SESSION), b('f'.repeat(16)), 'other-session'],
    ['nobody of a pairing', a(SESSION), undefined, 'other-session'],
  ])('%s', (_name, ours, theirs, misfit) => expect(misfitOf(ours, theirs)).toBe(misfit));

  it('is read as it was written, and nothing else is', () => {
    for (const party of [a(), b(SESSION)]) expect(readParty(formatParty(party))).toEqual(party);
    for (const wrong of [undefined, 1, '', 'c', `a${SESSION}0`, `a${SESSION.toUpperCase()}`, 'ab', [SESSION]])
      expect(readParty(wrong)).toBeUndefined();
  });
});

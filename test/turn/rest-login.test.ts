import { describe, expect, it } from 'vitest';
import { restLogin, restName, restPassword } from '../../src/turn/rest-login.ts';
import { firstOf, fixedUsers, restUsers } from '../../src/turn/users.ts';

describe('time-limited logins', () => {
  it('are made as coturn makes them', () => {
    // printf 1700000000:alice | openssl dgst -sha1 -hmac north -binary | base64
    expect(restPassword('north', '1700000000:alice')).toBe('Cd/49soE35ICqcJF/bCTn8Z4OyE=');
    expect(restLogin('north', { expiresAt: 1_700_000_000, name: '' }).username).toBe('1700000000');
  });

  it.each([
    ['1700000000', { expiresAt: 1_700_000_000, name: '' }],
    ['1700000000:alice', { expiresAt: 1_700_000_000, name: 'alice' }],
    ['1700000000:a:b', { expiresAt: 1_700_000_000, name: 'a:b' }],
    ['alice', undefined],
    ['alice:1700000000', undefined],
    ['12345', undefined],
    ['-1700000000', undefined],
    [`${'9'.repeat(40)}:alice`, undefined],
  ])('%s', (username, expected) => expect(restName(username)).toEqual(expected));

  it('count for whom they were made, whatever the time in them; while a secret is replaced both are right', () => {
    const users = firstOf(fixedUsers(new Map([['bob', 'hidden']])), restUsers(['new', 'old']));
    const date = 1_600_000_000_000;
    const [one, two] = [users('1700000000:alice', date), users('1700000001:alice', date)];
    expect(one?.user).toBe(two?.user);
    expect(one?.user).not.toBe(users('1700000000:carol', date)?.user);
    expect(one?.passwords).toEqual(['new', 'old'].map((secret) => restPassword(secret, '1700000000:alice')));
    expect(users('1700000000:alice', 1_700_000_000_000)).toBeUndefined();
    expect(users('bob', date)).toEqual({ passwords: ['hidden'], user: 'bob' });
  });
});

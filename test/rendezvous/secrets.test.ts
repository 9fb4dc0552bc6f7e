import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/lab/random.ts';
import { sameMember, Secrets } from '../../src/rendezvous/secrets.ts';
import { A, B } from './wire.ts';

const secrets = new Secrets(seededRandom(1, 'secrets'));
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the secrets of a rendezvous server', () => {
  it('are the same each time, and others of everything else', () => {
    const all = [
      secrets.cookieOf('room', 'one', A),
      secrets.cookieOf('room', 'two', A),
      secrets.cookieOf('moor', 'one', A),
      secrets.cookieOf('room', 'one', B),
      secrets.cookieOf('room', 'one', { ...A, port: 1 }),
      new Secrets(seededRandom(2, 'secrets')).cookieOf('room', 'one', A),
      secrets.relaySecretOf('room', 'one'),
      secrets.relaySecretOf('room', 'two'),
    ];
    expect(new Set(all.map(text)).size).toBe(all.length);
    expect(all.map(({ length }) => length)).toEqual([8, 8, 8, 8, 8, 8, 16, 16]);
    expect(text(secrets.cookieOf('room', 'one', A))).toBe(text(all[0] as Uint8Array));
  });

  it('say of a cookie from elsewhere whose it is', () => {
    const own = secrets.cookieOf('room', 'one', A);
    expect(sameMember(own, secrets.cookieOf('room', 'one', B))).toBe(true);
    expect(sameMember(own, secrets.cookieOf('room', 'two', A))).toBe(false);
    expect(sameMember(own, secrets.cookieOf('moor', 'one', A))).toBe(false);
  });
});

import { expect, it } from 'vitest';
import { seededRandom } from '../../src/lab/random.ts';
import { Nonces } from '../../src/turn/nonce.ts';

const FROM = { address: '12.13.14.15', port: 24604 };

it('a nonce is good for its source, for an hour, at its server', () => {
  const nonces = new Nonces(seededRandom(1, 'nonce'));
  const nonce = nonces.for(FROM, 5_000);
  expect(nonce).toHaveLength(16);
  expect(nonces.isGood(nonce, FROM, 5_000)).toBe(true);
  expect(nonces.isGood(nonce, FROM, 3_604_999)).toBe(true);
  expect(nonces.isGood(nonce, FROM, 3_605_000)).toBe(false);
  expect(nonces.isGood(nonce, { ...FROM, port: 1 }, 5_000)).toBe(false);
  expect(nonces.isGood(nonce, { ...FROM, address: '12.13.14.16' }, 5_000)).toBe(false);
  expect(new Nonces(seededRandom(2, 'nonce')).isGood(nonce, FROM, 5_000)).toBe(false);
});

it('whatever else is not', () => {
  const nonces = new Nonces(seededRandom(1, 'nonce'));
  const nonce = nonces.for(FROM, 0);
  for (const bad of ['', nonce.slice(1), `${nonce}=`, `${nonce}A`, ` ${nonce}`, 'A'.repeat(16), nonces.for(FROM, 9e6)])
    expect([bad, nonces.isGood(bad, FROM, 9e6)]).toEqual([bad, bad === nonces.for(FROM, 9e6)]);
});

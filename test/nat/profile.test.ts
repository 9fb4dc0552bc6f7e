import { expect, it } from 'vitest';
import { isPortFiltered, isSymmetric, type Profile } from '../../src/nat/profile.ts';

const profile = (over: Partial<Profile>): Profile => ({
  mapping: 'unknown',
  filtering: 'unknown',
  allocation: { pattern: 'unknown' },
  complete: true,
  ...over,
});

it.each([
  ['endpoint-independent', false],
  ['address-dependent', true],
  ['address-and-port-dependent', true],
  ['none', false],
  ['unknown', false],
] as const)('mapping %s is symmetric: %s', (mapping, expected) => {
  expect(isSymmetric(profile({ mapping }))).toBe(expected);
});

it.each([
  ['endpoint-independent', false],
  ['address-dependent', false],
  ['address-and-port-dependent', true],
  ['unknown', true],
] as const)('filtering %s lets in by port only: %s', (filtering, expected) => {
  expect(isPortFiltered(profile({ filtering }))).toBe(expected);
});

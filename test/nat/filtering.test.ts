import { expect, it } from 'vitest';
import { classifyFiltering } from '../../src/nat/filtering.ts';

it.each([
  ['passed', 'passed', 'endpoint-independent'],
  ['passed', 'dropped', 'endpoint-independent'],
  ['passed', 'unknown', 'endpoint-independent'],
  ['dropped', 'passed', 'address-dependent'],
  ['dropped', 'dropped', 'address-and-port-dependent'],
  ['unknown', 'dropped', 'address-and-port-dependent'],
  ['dropped', 'unknown', 'unknown'],
  ['unknown', 'passed', 'unknown'],
  ['unknown', 'unknown', 'unknown'],
] as const)('from another address %s, from another port %s: %s', (otherAddress, otherPort, expected) => {
  expect(classifyFiltering(otherAddress, otherPort)).toBe(expected);
});

import { describe, expect, it } from 'vitest';
import {
  byPriority,
  type Pair,
  pairFoundation,
  pairKey,
  priorityOf,
  sameTransport,
  unknownBase,
} from '../../src/ice/pair.ts';
import { at, candidate } from './wire.ts';

const host = candidate('host', '192.0.2.1:5000', { priority: 700 });
const remote = candidate('srflx', '192.0.2.2:6000', { priority: 500 });

describe('a pair', () => {
  it('is known by its socket and the remote endpoint, whatever the zone', () => {
    expect(pairKey(1, at('192.0.2.1:5000'))).not.toBe(pairKey(2, at('192.0.2.1:5000')));
    expect(pairKey(1, at('192.0.2.1:5000'))).not.toBe(pairKey(1, at('192.0.2.1:5001')));
    expect(pairKey(1, { address: 'fe80::1%eth0', port: 1 })).toBe(pairKey(1, { address: 'fe80::1', port: 1 }));
    // No two of socket, address and port run together.
    expect(pairKey(1, { address: '11.0.0.1', port: 2 })).not.toBe(pairKey(11, { address: '1.0.0.1', port: 2 }));
  });

  it('has the priority of RFC 8445 §6.1.2.3: that of the controlling agent is G', () => {
    expect(priorityOf('controlling', host, remote)).toBe((500n << 32n) + 1400n + 1n);
    expect(priorityOf('controlled', host, remote)).toBe((500n << 32n) + 1400n);
  });

  it('stands best first', () => {
    const pairs = [1n, 3n, 2n].map((priority) => ({ priority }) as Pair);
    expect(pairs.sort(byPriority).map(({ priority }) => priority)).toEqual([3n, 2n, 1n]);
  });

  it('shares its foundation where both ends do', () => {
    const of = (base: string, far: string) =>
      pairFoundation({ base: { ...host, foundation: base }, remote: { ...remote, foundation: far } } as Pair);
    expect(of('1', '2')).toBe(of('1', '2'));
    expect(new Set([of('1', '2'), of('2', '1'), of('12', ''), of('1', '22')]).size).toBe(4);
  });

  it('of a socket without a candidate starts from nowhere, below every candidate', () => {
    expect(unknownBase(4).endpoint).toEqual({ address: '0.0.0.0', port: 0 });
    expect(unknownBase(6).endpoint).toEqual({ address: '::', port: 0 });
    expect(unknownBase(4).priority).toBeLessThan(candidate('prflx', '192.0.2.1:1').priority);
  });
});

describe('the same transport address', () => {
  it.each([
    ['192.0.2.1:5000', '192.0.2.1:5000', true],
    ['192.0.2.1:5000', '192.0.2.1:5001', false],
    ['192.0.2.1:5000', '192.0.2.2:5000', false],
  ])('%s and %s: %s', (one, other, same) => expect(sameTransport(at(one), at(other))).toBe(same));

  it('is the same with and without a zone', () =>
    expect(sameTransport({ address: 'fe80::1%eth0', port: 1 }, { address: 'fe80::1%en1', port: 1 })).toBe(true));
});

import { describe, expect, it } from 'vitest';
import { type Share, Shares } from '../../src/rendezvous/shares.ts';

/** One more thing of that address, in use unless it is said to be spare. */
const add = (shares: Shares<string>, address: string, thing: string, spare = false): Share<string> => {
  const share = shares.grow(address);
  (spare ? share.spare : share.inUse).add(thing);
  return share;
};
const wide = { ofSource: 100, ofNetwork: 100 };

describe('shares', () => {
  it('are of an IPv4 address or an IPv6 /64, in a /24 or a /48', () => {
    const shares = new Shares<string>(wide);
    const of = (address: string) => shares.grow(address);
    expect(of('1.2.3.4')).toBe(of('::ffff:1.2.3.4'));
    expect(of('1.2.3.4')).not.toBe(of('1.2.3.5'));
    expect(of('1.2.3.4').network).toBe(of('1.2.3.5').network);
    expect(of('1.2.3.4').network).not.toBe(of('1.2.4.4').network);
    expect(of('2001:db8:1:2::3')).toBe(of('2001:db8:1:2:ff::4'));
    expect(of('2001:db8:1:2::3')).not.toBe(of('2001:db8:1:3::3'));
    expect(of('2001:db8:1:2::3').network).toBe(of('2001:db8:1:3::3').network);
    expect(of('2001:db8:1:2::3').network).not.toBe(of('2001:db8:2:2::3').network);
  });

  it('that outgrow their source give up their own oldest, what can be spared first', () => {
    const shares = new Shares<string>({ ofSource: 2, ofNetwork: 100 });
    add(shares, '9.9.9.9', 'another');
    add(shares, '1.1.1.1', 'a');
    expect(shares.excess(add(shares, '1.1.1.1', 'b'))).toBeUndefined();
    expect(shares.excess(add(shares, '1.1.1.1', 'c'))).toBe('a');
    expect(shares.excess(add(shares, '1.1.1.1', 'd', true))).toBe('d');
  });

  it('that outgrow their network give up the oldest of its heaviest source', () => {
    const shares = new Shares<string>({ ofSource: 100, ofNetwork: 3 });
    for (const thing of ['x', 'y', 'z', 'w']) add(shares, '9.9.9.9', thing);
    add(shares, '1.1.1.1', 'a');
    add(shares, '1.1.1.2', 'b');
    expect(shares.excess(add(shares, '1.1.1.2', 'c'))).toBeUndefined();
    expect(shares.excess(add(shares, '1.1.1.3', 'd'))).toBe('b');
  });

  it('know the heaviest network first, then its heaviest source, and forget what was given up', () => {
    const shares = new Shares<string>(wide);
    expect(shares.heaviest()).toBeUndefined();
    for (const thing of ['x', 'y', 'z']) add(shares, '9.9.9.9', thing);
    const one = add(shares, '1.1.1.1', 'a');
    for (const thing of ['b', 'c', 'd']) add(shares, '1.1.1.2', thing);
    expect(shares.heaviest()).toBe('b');
    shares.shrink(one);
    // Both networks hold three; this one has for longer.
    expect(shares.heaviest()).toBe('x');
    expect(shares.grow('1.1.1.1')).not.toBe(one);
  });
});

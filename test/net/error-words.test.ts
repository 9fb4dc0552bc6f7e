import { describe, expect, it } from 'vitest';
import { ignoreNetError, NetError, onNetError } from '../../src/net/env.ts';
import { errorWords, noSuchFamily, unreachableWords } from '../../src/net/error-words.ts';

describe('words for a network error', () => {
  it('say what it means, not which call failed', () => {
    expect(errorWords(new NetError('refused', 'connect ECONNREFUSED 1.2.3.4:80', 'ECONNREFUSED'))).toBe(
      'nothing listens on that port',
    );
    expect(errorWords(new NetError('unreachable', 'send ENETUNREACH', 'ENETUNREACH'))).toBe('there is no route to it');
  });

  it('tell a refusal further on from a route that is missing here', () => {
    const prohibited = new NetError('unreachable', 'send EHOSTUNREACH', 'EHOSTUNREACH');
    expect(errorWords(prohibited)).toBe('a firewall or router on the way refused it');
    expect(unreachableWords(prohibited, '192.0.2.1')).toBe(
      'a firewall or router on the way to 192.0.2.1 refused (EHOSTUNREACH)',
    );
    expect(unreachableWords(new NetError('unreachable', '', 'ENETUNREACH'), '192.0.2.1')).toBe(
      'there is no route to 192.0.2.1',
    );
  });

  it('tell a missing family from a missing name', () => {
    expect(errorWords(noSuchFamily('a.example', 6))).toBe('a.example has no IPv6 address, only IPv4');
    expect(errorWords(new NetError('not-found', 'x', 'ENOTFOUND'))).toBe('the name does not resolve');
  });

  it('are the error’s own where it says more than its kind', () => {
    expect(errorWords(new NetError('resolver', 'queryA ESERVFAIL', 'ESERVFAIL'))).toBe('no name server answered');
    expect(errorWords(new NetError('resolver', 'the name server answered: refused'))).toBe(
      'the name server answered: refused',
    );
    expect(errorWords(new NetError('tls', 'the certificate has expired', 'CERT_HAS_EXPIRED'))).toBe(
      'the certificate has expired',
    );
  });
});

describe('a rejection of the network', () => {
  it('is handled, and a bug is thrown on', () => {
    const heard: string[] = [];
    const handle = onNetError(({ kind }) => heard.push(kind));
    handle(new NetError('refused', ''));
    expect(heard).toEqual(['refused']);
    expect(() => handle(new TypeError('a bug'))).toThrow('a bug');
    expect(ignoreNetError(new NetError('closed', ''))).toBeUndefined();
    expect(() => ignoreNetError(new TypeError('a bug'))).toThrow('a bug');
  });
});

import { describe, expect, it } from 'vitest';
import { NetError } from '../../src/net/env.ts';
import { codeOf, kindOf, toIcmpError, toNetError } from '../../src/node/errors.ts';

const system = (code: string): Error => Object.assign(new Error(`send ${code} 1.2.3.4:5`), { code });

describe('an error of the system', () => {
  it.each([
    ['ECONNREFUSED', 'refused'],
    ['ECONNRESET', 'refused'],
    ['ENETUNREACH', 'unreachable'],
    ['EHOSTUNREACH', 'unreachable'],
    ['ENETDOWN', 'unreachable'],
    ['EHOSTDOWN', 'unreachable'],
    ['ETIMEDOUT', 'unreachable'],
    ['EADDRINUSE', 'in-use'],
    ['EADDRNOTAVAIL', 'not-available'],
    ['EAFNOSUPPORT', 'not-available'],
    ['EACCES', 'denied'],
    // What a local firewall says of a datagram that it rejects.
    ['EPERM', 'denied'],
    ['EMSGSIZE', 'too-big'],
    ['ENOTFOUND', 'not-found'],
    ['EAI_AGAIN', 'resolver'],
    ['ESERVFAIL', 'resolver'],
    ['EPIPE', 'closed'],
    ['ENOBUFS', 'other'],
  ] as const)('%s is %s', (code, kind) => {
    const cause = system(code);
    expect(toNetError(cause)).toMatchObject({ name: 'NetError', kind, code, cause });
  });

  it('keeps its code in the words, and is told in the tool’s own where the system names a call', () => {
    expect(toNetError(system('EPERM')).message).toBe(
      'a firewall of this host, or a lack of rights, does not permit it (EPERM)',
    );
    expect(toNetError(system('EADDRINUSE')).message).toBe('the local port is taken by another program (EADDRINUSE)');
    expect(toNetError(system('ECONNREFUSED')).message).toBe('send ECONNREFUSED 1.2.3.4:5');
  });

  it('stays itself where it is a NetError, and is other where it is no error at all', () => {
    const own = new NetError('tls', 'no');
    expect(toNetError(own)).toBe(own);
    expect(toNetError('text')).toMatchObject({ kind: 'other', code: undefined, message: 'text' });
    expect(kindOf(undefined, 'resolver')).toBe('resolver');
    expect(codeOf(Object.assign(new Error(), { code: 7 }))).toBeUndefined();
  });
});

describe('what the network tells of', () => {
  it('as prohibited is the same over both families', () => {
    for (const code of ['EHOSTUNREACH', 'EACCES'])
      expect(toIcmpError(system(code))).toMatchObject({ kind: 'unreachable', code: 'EHOSTUNREACH' });
    expect(toIcmpError(system('ECONNREFUSED')).kind).toBe('refused');
  });
});

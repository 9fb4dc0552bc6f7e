import { describe, expect, it } from 'vitest';
import { noMappingFindings } from '../../../src/commands/map/report.ts';
import type { Refusal } from '../../../src/portmap/refusal.ts';

const router = { address: '192.168.1.1', local: '192.168.1.3', interface: 'eth0' };
const offline = (wan?: string): Refusal => ({ kind: 'no-network', protocol: 'nat-pmp', code: 3, wan });
const kinds = (refusals: readonly Refusal[], seen?: string) =>
  noMappingFindings({ mapping: undefined, router, refusals, oddities: [] }, seen).map(({ kind }) => kind);

describe('a router that says it is offline', () => {
  it('is behind another NAT where the internet is reached through it', () => {
    expect(kinds([offline()], '12.13.14.15')).toEqual(['port-refused', 'second-nat']);
  });

  it('is not, where the internet sees the address that it tells', () => {
    expect(kinds([{ ...offline('192.0.2.7'), protocol: 'pcp' }, offline()], '192.0.2.7')).toEqual([
      'port-refused',
      'port-refused',
    ]);
  });

  it('may be, where nobody sees it', () => {
    expect(kinds([offline()])).toEqual(['port-refused']);
  });
});

describe('a router whose answer cannot be used', () => {
  it('is not said to be silent', () => {
    const none = { mapping: undefined, router, refusals: [] };
    const found = (oddities: Parameters<typeof noMappingFindings>[0]['oddities']) =>
      noMappingFindings({ ...none, oddities }, undefined).map(({ kind }) => kind);
    expect(found([])).toEqual(['no-port-control']);
    expect(found([{ kind: 'unusable', words: 'it sends no usable XML' }])).toEqual([]);
  });
});

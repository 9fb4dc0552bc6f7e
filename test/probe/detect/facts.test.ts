import { describe, expect, it } from 'vitest';
import { filteringOf, type ServerTest } from '../../../src/probe/detect/facts.ts';

const filtering = (part: Partial<ServerTest>) =>
  filteringOf({
    server: { address: '51.0.0.1', port: 3478 },
    otherAddress: undefined,
    otherPort: undefined,
    honoursAddress: undefined,
    honoursPort: undefined,
    ...part,
  });

describe('the filtering that a server’s two tests show', () => {
  it('is unknown where they were not made, or the server was not seen to honour them', () => {
    expect(filtering({})).toBe('unknown');
    expect(filtering({ honoursAddress: true, honoursPort: true })).toBe('unknown');
    expect(filtering({ otherPort: 'passed', honoursAddress: true })).toBe('unknown');
    for (const honours of [undefined, false]) {
      expect(filtering({ otherPort: 'silent', honoursPort: honours })).toBe('unknown');
      expect(filtering({ otherAddress: 'silent', honoursAddress: honours, otherPort: 'passed' })).toBe('unknown');
    }
  });

  it('goes by each test’s own control', () => {
    expect(filtering({ otherPort: 'silent', honoursPort: true })).toBe('address-and-port-dependent');
    expect(filtering({ otherPort: 'silent', honoursAddress: true })).toBe('unknown');
    expect(filtering({ otherAddress: 'silent', honoursAddress: true, otherPort: 'passed' })).toBe('address-dependent');
    expect(filtering({ otherAddress: 'silent', honoursPort: true, otherPort: 'passed' })).toBe('unknown');
    expect(filtering({ otherAddress: 'passed' })).toBe('endpoint-independent');
  });
});

import { describe, expect, it } from 'vitest';
import type { Sighting } from '../../src/nat/evidence.ts';
import { type Testimony, testimonyFindings } from '../../src/probe/testimony.ts';

const seen = (server: string, address: string): Sighting => ({
  server,
  local: { address: '192.168.1.3', port: 42301 },
  remote: { address: '40.30.20.10', port: 3478 },
  mapped: { address, port: 24604 },
});
const A = seen('a.example.net', '12.13.14.15');
const LIAR = seen('b.example.net', '66.77.88.99');

const said = (testimony: Partial<Testimony>) =>
  testimonyFindings({ doubted: [], credible: [], believed: [], odd: [], disputed: false, ...testimony });

describe('what is said of servers that do not count', () => {
  it('is nothing where all count', () => {
    expect(said({ credible: [A], believed: [A] })).toEqual([]);
  });

  it('is said of each server once, and those inside are no liars', () => {
    const again = { ...LIAR, mapped: { ...LIAR.mapped, port: 1 } };
    const findings = said({
      doubted: [
        { sighting: LIAR, doubt: 'not-public' },
        { sighting: again, doubt: 'unspecified' },
        { sighting: seen('lan.example.net', '192.168.1.3'), doubt: 'inside' },
        { sighting: seen('lan.example.net', '192.168.1.3'), doubt: 'inside' },
      ],
    });
    expect(findings.map(({ kind, server }) => [kind, server])).toEqual([
      ['answer-doubted', 'b.example.net'],
      ['server-inside', 'lan.example.net'],
    ]);
  });

  it('names the odd one and what the others agree on', () => {
    expect(said({ credible: [A, LIAR], believed: [A, A], odd: [LIAR, LIAR] })).toEqual([
      expect.objectContaining({
        kind: 'server-odd',
        server: 'b.example.net',
        mapped: '66.77.88.99:24604',
        others: ['12.13.14.15:24604'],
      }),
    ]);
  });

  it('names the endpoint of a server that is right at others', () => {
    const elsewhere = { ...A, remote: { address: '40.30.20.11', port: 3478 }, mapped: { ...A.mapped, port: 9 } };
    const finding = { server: '40.30.20.11:3478' };
    expect(said({ credible: [A, elsewhere], believed: [A], odd: [elsewhere] })).toMatchObject([finding]);
    expect(said({ doubted: [{ sighting: elsewhere, doubt: 'not-there' }] })).toMatchObject([finding]);
    expect(said({ credible: [A, elsewhere], disputed: true })).toMatchObject([
      { seen: ['12.13.14.15:24604 (40.30.20.10:3478)', '12.13.14.15:9 (40.30.20.11:3478)'] },
    ]);
  });

  it('gives both views where nothing says which is right', () => {
    expect(said({ credible: [A, LIAR], disputed: true })).toEqual([
      expect.objectContaining({
        kind: 'servers-disagree',
        seen: ['12.13.14.15:24604 (a.example.net)', '66.77.88.99:24604 (b.example.net)'],
      }),
    ]);
  });
});

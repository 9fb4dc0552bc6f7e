import { describe, expect, it } from 'vitest';
import { formatEndpoint } from '../../../src/net/address.ts';
import type { Observation } from '../../../src/nat/mapping.ts';
import { NetError } from '../../../src/net/env.ts';
import { conclude, nothingMeasured } from '../../../src/probe/detect/conclude.ts';
import type { BehaviourFacts, ServerTest } from '../../../src/probe/detect/facts.ts';
import type { HairpinOutcome } from '../../../src/probe/detect/hairpin.ts';
import type { Probes, ProbeSocket, Stray } from '../../../src/probe/detect/probes.ts';
import type { TcpControl } from '../../../src/probe/detect/tcp-control.ts';
import { measure } from './truth.ts';

const SERVER = { address: '51.0.0.1', port: 3478 };
const LOCAL = { address: '192.168.1.3', port: 40_000 };
const X = { mux: {}, local: LOCAL } as unknown as ProbeSocket;
const seen = (remote: string, mapped: number): Observation => ({
  local: LOCAL,
  remote: { address: remote, port: 3478 },
  mapped: { address: '12.13.14.15', port: mapped },
});
const hairpin = (outcome: HairpinOutcome): BehaviourFacts['hairpin'] => ({ outcome, evidence: {} as never });
const test = (part: Partial<ServerTest>): ServerTest => ({
  server: SERVER,
  otherAddress: undefined,
  otherPort: undefined,
  honoursAddress: undefined,
  honoursPort: undefined,
  ...part,
});

function facts(
  part: Partial<BehaviourFacts>,
  observations: readonly Observation[] = [],
  strays: readonly Stray[] = [],
): BehaviourFacts {
  const probes = {
    series: [],
    strays,
    observations: () => observations.map((each) => ({ ...each, server: formatEndpoint(each.remote) })),
    doubted: () => [],
    believes: ({ answer }: { readonly answer?: unknown }) => answer !== undefined,
    ground: {},
    usualRoute: () => undefined,
    roundTripMs: () => 0,
    tally: () => ({ sent: 0, received: 0 }),
  } as unknown as Probes;
  return {
    probes,
    servers: [SERVER],
    x: X,
    samples: [],
    tests: [],
    joined: [],
    unproven: undefined,
    hairpin: undefined,
    tcp: [],
    failure: undefined,
    stopped: undefined,
    ...part,
  };
}

const CONE = [seen('51.0.0.1', 40_000), seen('51.0.0.2', 40_000)];
const SYMMETRIC = [seen('51.0.0.1', 40_000), seen('51.0.0.2', 40_001)];

describe('what a measurement means', () => {
  it('is nothing at all where nothing was heard, and says so', () => {
    const { outcome, data } = conclude(facts({}));
    expect(outcome).toBe('failed');
    expect(data).toEqual({ ...nothingMeasured('51.0.0.1:3478'), local: '192.168.1.3:40000' });
  });

  it('is partial where it was stopped, whatever is known by then', () => {
    expect(conclude(facts({ stopped: 'interrupted' })).outcome).toBe('partial');
    const { outcome, data, findings } = conclude(facts({ stopped: 'out-of-time' }, CONE));
    expect(outcome).toBe('partial');
    expect(data.mapping).toBe('endpoint-independent');
    expect(findings.map(({ kind }) => kind)).toEqual(['out-of-time']);
  });

  it('names the failure to send', () => {
    const failure = { server: SERVER, error: new NetError('unreachable', 'send ENETUNREACH', 'ENETUNREACH') };
    expect(conclude(facts({ failure })).findings).toMatchObject([
      { kind: 'network-unreachable', server: '51.0.0.1:3478', code: 'ENETUNREACH' },
    ]);
  });

  it('takes a silent hairpin for none only where no filter of the NAT’s own explains it', () => {
    const told = (outcome: HairpinOutcome, observations: readonly Observation[], tests: ServerTest[] = []) =>
      conclude(facts({ hairpin: hairpin(outcome), tests }, observations)).data.hairpin;
    expect(told('heard', SYMMETRIC)).toBe('yes');
    expect(told('silent', CONE)).toBe('no');
    expect(told('silent', SYMMETRIC)).toBe('unknown');
    expect(told('refused', SYMMETRIC, [test({ otherAddress: 'passed', otherPort: 'passed' })])).toBe('no');
    expect(conclude(facts({}, CONE)).data.hairpin).toBe('unknown');
  });

  it('takes silence for a filter only of a server that was seen to honour the change', () => {
    const filtering = (part: Partial<ServerTest>) => conclude(facts({ tests: [test(part)] }, CONE)).data.filtering;
    expect(filtering({ otherAddress: 'passed' })).toBe('endpoint-independent');
    expect(filtering({ otherAddress: 'silent', otherPort: 'silent' })).toBe('unknown');
    expect(filtering({ otherAddress: 'silent', honoursAddress: true, otherPort: 'passed' })).toBe('address-dependent');
    expect(filtering({ otherAddress: 'silent', honoursAddress: true, otherPort: 'silent', honoursPort: true })).toBe(
      'address-and-port-dependent',
    );
  });

  it('goes by the server whose tests came to something', () => {
    const tests = [test({ otherAddress: 'rejected' }), test({ otherAddress: 'passed', otherPort: 'passed' })];
    expect(conclude(facts({ tests }, CONE)).data.filtering).toBe('endpoint-independent');
  });

  it('does not call UDP blocked because of one server that refuses it and serves TCP', () => {
    const tcp = [{ server: SERVER, outcome: 'answered', evidence: {} } as unknown as TcpControl];
    expect(conclude(facts({ tcp })).data.type).toBe('unknown');
  });

  it('shows each flow in the table, and who got in from elsewhere', async () => {
    const { data } = await measure({ nat: 'full-cone' });
    const remotes = data.table.flatMap((row) => JSON.stringify(row));
    expect(remotes.some((row) => row.includes('40.30.20.11:3479'))).toBe(true);
    expect(data.server).toMatchObject({ address: '40.30.20.10:3478', alternate: '40.30.20.11:3479' });
  });
});

describe('findings', () => {
  it('count strangers by their source', () => {
    const from = { address: '66.0.0.1', port: 6 };
    const strays = [from, from].map((each) => ({ from: each, wasStun: false }));
    expect(conclude(facts({}, CONE, strays)).findings).toContainEqual(
      expect.objectContaining({ kind: 'stray-datagrams', count: 2, from: '66.0.0.1:6' }),
    );
  });

  it('tell of addresses: pooled, shared, private', () => {
    const kinds = (observations: readonly Observation[], x = X) =>
      conclude(facts({ x }, observations)).findings.map(({ kind }) => kind);
    const other = { ...seen('51.0.0.2', 40_001), mapped: { address: '12.13.14.16', port: 40_001 } };
    expect(kinds([...CONE, other])).toContain('address-pooling');
    expect(kinds(CONE, { ...X, local: { address: '100.64.0.9', port: 1 } })).toContain('shared-address-space');
    expect(kinds([{ ...seen('51.0.0.1', 1), mapped: LOCAL }])).toContain('server-on-this-side');
    expect(kinds(CONE)).toEqual([]);
  });
});

/** What `punch` believes of servers that lie, stand inside, are reached another way, or are dead; and what it marks as assumed. */
import { describe, expect, it } from 'vitest';
import { type LabFault, withFaults } from '../../../src/lab/faults.ts';
import { createLab, DEFAULT_SERVER, type LabOptions, type ServerSpec } from '../../../src/lab/topology.ts';
import { play, tell } from '../worlds.ts';

const [N, B] = ['12.13.14.15', '50.60.70.80'];
const PLAIN: readonly ServerSpec[] = [2, 3, 4].map((n) => ({
  name: `stun${n}.example.net`,
  addresses: [`40.30.2${n}.10`],
}));
const CONE = 'port-restricted-cone,ports=preserving';

interface Punch {
  readonly public: string | null;
  readonly publicAssumed: boolean;
  readonly mapping: string;
  readonly table: readonly Record<string, unknown>[];
  readonly stun: readonly { readonly address: string | null; readonly error: string | null }[];
}

async function punched(options: LabOptions, servers: readonly string[], words: readonly string[] = ['-c', '1']) {
  const lab = createLab({ nat: CONE, rttMs: 40, patienceMs: 60_000, ...options });
  const stun = servers.flatMap((server) => ['--stun', server]);
  return play(lab, async (on) => {
    const { status, report, stderr } = await tell(on('A'), ['punch', '-p', '12001', ...stun, ...words, B, '12003']);
    return {
      status,
      stderr,
      data: report.data as unknown as Punch,
      kinds: report.findings.map(({ kind }) => kind),
      findings: report.findings,
      tookMs: report.durationMs,
      truth: lab.table().find((row) => row.remote === `${B}:12003`),
    };
  });
}

const LIES: readonly LabFault[] = ['lie-private', 'lie-cgn', 'lie-zero', 'lie-port', 'lie-family', 'lie-public'];
const NAMES = ['stun.example.net', 'stun2.example.net', 'stun3.example.net'];
const liar = (fault: LabFault): ServerSpec =>
  ({ name: 'stun.example.net', addresses: ['40.30.20.10'], faults: [fault] }) as ServerSpec;

describe('one server that lies', () => {
  it.each(LIES)('%s beside two right ones changes nothing, and is named', async (fault) => {
    const servers = [liar(fault), ...PLAIN];
    const { data, findings, status } = await punched({ servers }, NAMES);
    expect(data).toMatchObject({ public: `${N}:12001`, mapping: 'endpoint-independent' });
    expect(findings).toEqual([
      expect.objectContaining({
        kind: fault === 'lie-public' ? 'server-odd' : 'answer-doubted',
        server: 'stun.example.net',
      }),
    ]);
    expect(data.table.every((row) => row['public'] === `${N}:12001`)).toBe(true);
    expect(status).toBe(0);
  });

  it.each(LIES.filter((fault) => fault !== 'lie-public'))('%s alone proves nothing', async (fault) => {
    const { data, kinds } = await punched({ servers: [liar(fault)] }, ['stun.example.net']);
    expect(data).toMatchObject({ public: null, mapping: 'unknown', table: [] });
    expect(kinds).toEqual(['answer-doubted', 'public-side-unknown']);
  });

  it('that names another public address, beside one other: nothing says who is right', async () => {
    const { data, kinds } = await punched({ servers: [liar('lie-public'), ...PLAIN] }, NAMES.slice(0, 2));
    expect(data).toMatchObject({ public: null, mapping: 'unknown', table: [] });
    expect(kinds).toEqual(['servers-disagree', 'public-side-unknown']);
  });

  it('in the IPv4-mapped form of a dual-stack socket tells the truth', async () => {
    const { data, kinds } = await punched({ servers: [liar('lie-mapped'), ...PLAIN] }, NAMES.slice(0, 2));
    expect(data).toMatchObject({ public: `${N}:12001`, mapping: 'endpoint-independent' });
    expect(kinds).toEqual([]);
  });

  it.each(LIES)('%s does not make a symmetric NAT a cone', async (fault) => {
    const { data, kinds } = await punched({ nat: 'symmetric', servers: [liar(fault), ...PLAIN] }, NAMES);
    expect(data).toMatchObject({ public: null });
    expect(kinds).toContain('symmetric-punch');
  });
});

describe('a server inside this network', () => {
  const world = withFaults({}, ['lan-server']);

  it('says nothing of the internet, unless just that is asked', async () => {
    const plain = await punched(world, ['stun.lan']);
    expect(plain.data).toMatchObject({ public: null, mapping: 'unknown', table: [] });
    expect(plain.kinds).toEqual(['server-inside', 'public-side-unknown']);
    const local = await punched(world, ['stun.lan'], ['-c', '1', '--local']);
    expect(local.data).toMatchObject({ public: '192.168.1.3:12001', mapping: 'none' });
    expect(local.kinds).toEqual([]);
  });

  it('does not make the NAT symmetric beside a public one', async () => {
    const { data, kinds } = await punched(world, ['stun.lan', 'stun.example.net']);
    expect(data).toMatchObject({ public: `${N}:12001`, mapping: 'endpoint-independent' });
    expect(kinds).toEqual(['server-inside']);
  });
});

describe('routes that differ', () => {
  it('only the way to the remote end is judged, and it is said', async () => {
    const world = { servers: PLAIN, splitRoute: { to: ['40.30.22.10'] } };
    const { data, findings, truth } = await punched(world, ['stun2.example.net', 'stun3.example.net']);
    expect(data.public).toBe(truth?.public);
    expect(data.table.every((row) => row['private'] === '192.168.1.3:12001')).toBe(true);
    expect(findings.map(({ kind }) => kind)).toEqual(['paths-differ', 'public-side-assumed']);
    expect(findings[0]?.['paths']).toEqual([`192.168.1.3 to ${B}:12003`, '10.8.0.2 to stun2.example.net']);
  });

  it('servers that are all reached by the tunnel say nothing of another way', async () => {
    const world = { servers: PLAIN, splitRoute: { to: ['40.30.22.10'] } };
    const { data, kinds } = await punched(world, ['stun2.example.net']);
    expect(data).toMatchObject({ public: null, mapping: 'unknown', table: [] });
    expect(kinds).toEqual(['path-unseen', 'public-side-unknown']);
  });
});

describe('every address of a name', () => {
  it('has its turn', async () => {
    const { data, kinds, tookMs } = await punched(withFaults({}, ['dead-first-address']), ['stun.example.net']);
    expect(data).toMatchObject({ public: `${N}:12001`, mapping: 'endpoint-independent' });
    expect(data.stun[0]).toMatchObject({ address: '40.30.20.10:3478', error: null });
    expect(data.stun.find(({ address }) => address === '40.30.20.99:3478')?.error).toBe('given up');
    expect(kinds).toEqual([]);
    // The delay of RFC 8305 and two round trips.
    expect(tookMs).toBeLessThan(400);
  });
});

describe('the row towards the peer', () => {
  const row = (data: Punch) => data.table.find(({ remote }) => remote === `${B}:12003`);
  const ONE = { servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10'] }] };

  it('is assumed where only a plain server saw another flow: in the row, the data and the words', async () => {
    const { data, kinds, truth } = await punched({ ...ONE, nat: 'symmetric' }, ['stun.example.net']);
    // Behind this symmetric NAT it is wrong, and nobody claims to have seen it.
    expect(row(data)).toEqual({
      private: '192.168.1.3:12001',
      public: `${N}:24604`,
      remote: `${B}:12003`,
      assumed: true,
    });
    expect(truth?.public).toBe(`${N}:24605`);
    expect(data.publicAssumed).toBe(true);
    expect(kinds).toContain('public-side-assumed');
  });

  it('is seen where the remote end tells it, and what it tells beats what was assumed', async () => {
    const lab = createLab({ ...ONE, nat: 'symmetric', rttMs: 40, patienceMs: 60_000 });
    await play(lab, async (on, later) => {
      const stop = new AbortController();
      const listening = tell(on('B'), ['listen', '-p', '12003'], { signal: stop.signal });
      await later(1);
      const { report } = await tell(on('A'), ['punch', '-p', '12001', '--stun', 'stun.example.net', B, '12003']);
      const data = report.data as unknown as Punch;
      expect(row(data)).toEqual({ private: '192.168.1.3:12001', public: `${N}:24605`, remote: `${B}:12003` });
      expect(data).toMatchObject({ public: `${N}:24605`, publicAssumed: false });
      expect(report.findings).toEqual([
        expect.objectContaining({ kind: 'peer-sees-other', seen: `${N}:24605`, others: [`${N}:24604`] }),
      ]);
      stop.abort();
      await listening;
    });
  });

  it('is seen where the server is the remote end itself', async () => {
    const lab = createLab({ nat: 'symmetric', rttMs: 40, patienceMs: 60_000 });
    await play(lab, async (on) => {
      const [server] = DEFAULT_SERVER.addresses;
      const { report } = await tell(on('A'), ['punch', '-c', '1', '--stun', 'stun.example.net', `${server}:3478`]);
      const data = report.data as unknown as Punch;
      expect(data.publicAssumed).toBe(false);
      expect(data.table.some(({ assumed }) => assumed)).toBe(false);
    });
  });
});

/** `listen --stun`: which server is believed, which of its addresses is asked, and why there is a new public side. */
import { describe, expect, it } from 'vitest';
import { withFaults } from '../../../src/lab/faults.ts';
import { createLab, type LabOptions } from '../../../src/lab/topology.ts';
import { play, run, tell } from '../worlds.ts';

async function listened(options: LabOptions, words: readonly string[], forMs = 60_000) {
  const lab = createLab({ rttMs: 40, patienceMs: 60_000, nat: 'port-restricted-cone', ...options });
  return play(lab, async (on, later) => {
    const stop = new AbortController();
    const listening = tell(on('A'), ['listen', '-p', '12001', ...words], { signal: stop.signal });
    await later(forMs);
    const table = lab.table();
    stop.abort();
    const { report, events, stderr } = await listening;
    return { report, stderr, table, events: events.filter(({ event }) => event !== 'listening') };
  });
}

const STUN = ['--stun', 'stun.example.net'];

describe('a NAT that forgets within 2 s', () => {
  const world = { nat: 'port-restricted-cone,timeout=2' };

  it.each([[[]], [['--keepalive', 'auto']]])(
    'is said to, and what holds the mapping is found out and kept up %j',
    async (more) => {
      const { report, events, table } = await listened(world, [...STUN, ...more]);
      expect(events.map(({ event }) => event)).toEqual(['public', 'public', 'public', 'public', 'held']);
      expect(events[1]).toMatchObject({ was: '12.13.14.15:24604', forgottenWithinMs: 10_000 });
      expect(events[4]).toEqual({ event: 'held', everyMs: 1_250, kept: true });
      expect(report.findings).toEqual([
        expect.objectContaining({ kind: 'mapping-forgotten', withinS: 2.5, keepaliveS: 1.2 }),
      ]);
      // A minute later it still is what was said.
      expect(table.map((row) => row.public)).toContain(report.data['public']);
    },
  );

  it('is said to, and what would hold it, where another keepalive is asked for', async () => {
    const { events } = await listened(world, [...STUN, '--keepalive', '10']);
    expect(events.find(({ event }) => event === 'held')).toEqual({ event: 'held', everyMs: 1_250, kept: false });
    // As often as was asked for, and each time it has been forgotten.
    expect(events.filter(({ event }) => event === 'public').length).toBeGreaterThanOrEqual(6);
  });

  it('held by what it says would hold it, says nothing more', async () => {
    const { events, report } = await listened(world, [...STUN, '--keepalive', '1.2']);
    expect(events.map(({ event }) => event)).toEqual(['public']);
    expect(report.findings.map(({ kind }) => kind)).toEqual([]);
  });

  it('people read why', async () => {
    const lab = createLab({ ...world, rttMs: 40, patienceMs: 60_000 });
    const stderr = await play(lab, async (on, later) => {
      const stop = new AbortController();
      const listening = run(['listen', '-p', '12001', ...STUN], { env: on('A'), signal: stop.signal });
      await later(30_000);
      stop.abort();
      return (await listening).stderr;
    });
    expect(stderr).toContain('; the NAT forgot 12.13.14.15:24604 after at most 10 s without a packet');
    expect(stderr).toContain('a packet every 1.2 s holds it: the server is asked that often from now on');
  });
});

describe('a router that restarts', () => {
  it('is not called forgetful', async () => {
    const lab = createLab({ rttMs: 40, patienceMs: 60_000, nat: 'port-restricted-cone' });
    const { events, report } = await play(lab, async (on, later) => {
      const stop = new AbortController();
      const listening = tell(on('A'), ['listen', '-p', '12001', ...STUN], { signal: stop.signal });
      await later(35_000);
      lab.nat().nat()?.reset();
      await later(25_000);
      stop.abort();
      return listening;
    });
    const [first, second] = events.filter(({ event }) => event === 'public');
    expect(second).toMatchObject({ was: first?.['public'] });
    expect(second).not.toHaveProperty('forgottenWithinMs');
    expect(report.findings.map(({ kind }) => kind)).toEqual([]);
  });
});

describe('the server', () => {
  it.each(['dead-first-address', 'dead-ipv6'] as const)('%s: its other addresses have their turn', async (fault) => {
    const { report } = await listened(withFaults({}, [fault]), STUN, 1_000);
    expect(report.data['public']).toBe('12.13.14.15:24604');
  });

  it.each([
    ['lie-private', 'answer-doubted'],
    ['lie-zero', 'answer-doubted'],
    ['lie-family', 'answer-doubted'],
  ] as const)('%s: is not believed, and that is said', async (fault, kind) => {
    const { report, stderr } = await listened(withFaults({}, [fault]), STUN);
    expect(report.data).toMatchObject({ public: null, table: [] });
    expect(report.findings.map((each) => each.kind)).toEqual([kind]);
    expect(stderr).toContain('what 40.30.20.10:3478 says does not count');
  });

  it('that names the address as a dual-stack socket sees it is right', async () => {
    const { report } = await listened(withFaults({}, ['lie-mapped']), STUN, 1_000);
    expect(report.data['public']).toBe('12.13.14.15:24604');
  });

  it('inside this network counts only where just that is asked', async () => {
    const world = withFaults({}, ['lan-server']);
    const plain = await listened(world, ['--stun', 'stun.lan'], 1_000);
    expect(plain.report.data['public']).toBeNull();
    expect(plain.report.findings.map(({ kind }) => kind)).toEqual(['server-inside']);
    const local = await listened(world, ['--stun', 'stun.lan', '--local'], 1_000);
    expect(local.report.data['public']).toBe('192.168.1.3:12001');
  });

  it('that falls silent is given up for another of its addresses', async () => {
    const lab = createLab({
      rttMs: 40,
      patienceMs: 60_000,
      nat: 'port-restricted-cone',
      servers: [
        { name: 'one.example.net', addresses: ['40.30.21.10'] },
        { name: 'two.example.net', addresses: ['40.30.22.10'] },
      ],
      names: { 'both.example.net': ['40.30.21.10', '40.30.22.10'] },
    });
    const { events } = await play(lab, async (on, later) => {
      const stop = new AbortController();
      const listening = tell(on('A'), ['listen', '-p', '12001', '--stun', 'both.example.net'], { signal: stop.signal });
      await later(15_000);
      lab.system('S').host.down = true;
      await later(30_000);
      stop.abort();
      return listening;
    });
    // A cone: the public side is the same, and is said once.
    expect(events.filter(({ event }) => event === 'public')).toHaveLength(1);
    expect(lab.table().map(({ remote }) => remote)).toContain('40.30.22.10:3478');
  });

  it('is asked again where sends are refused', async () => {
    for (const fault of ['refused-sends', 'full-queue'] as const) {
      const { report } = await listened(withFaults({}, [fault]), STUN, 1_000);
      expect(report.data['public']).toBe('12.13.14.15:24604');
    }
  });
});

describe('what is typed into listen', () => {
  it('goes out though the system refuses every other datagram', async () => {
    const lab = createLab({ nat: 'none', refusedSends: { every: 2 }, patienceMs: 60_000 });
    await play(lab, async (on, later) => {
      const stop = new AbortController();
      const typed = (async function* () {
        for (const word of ['a', 'b', 'c', 'd']) {
          yield new TextEncoder().encode(word);
          await later(50);
        }
      })();
      const listening = run(['listen', '-p', '12001'], { env: on('A'), signal: stop.signal, stdin: typed });
      await later(1);
      const heard: string[] = [];
      const remote = await on('B').udp.open({ family: 4, port: 12003 });
      remote.listen({ datagram: ({ data }) => void heard.push(new TextDecoder().decode(data)) });
      await remote.send(Uint8Array.of(1), { address: '12.13.14.15', port: 12001 });
      await later(1_000);
      expect(heard.join('')).toBe('abcd');
      stop.abort();
      await listening;
      remote.close();
    });
  });
});

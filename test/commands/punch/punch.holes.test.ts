/** What becomes of holes: routers that answer too early, sends that are refused, echo servers, NATs that forget. */
import { describe, expect, it } from 'vitest';
import { createLab, type LabOptions } from '../../../src/lab/topology.ts';
import { play, run, tell } from '../worlds.ts';

const STUN = ['--stun', 'stun.example.net'];
const [N, N2, B] = ['12.13.14.15', '22.23.24.25', '50.60.70.80'];
const KEEPING = 'port-restricted-cone,ports=preserving';

describe('two Linux routers that answer what comes in early', () => {
  const punchedAt = async (rttMs: number, apartMs: number, seed: number, words: readonly string[] = []) => {
    const lab = createLab({ rttMs, seed, nat: 'linux', second: { nat: 'linux' }, patienceMs: 60_000 });
    return play(lab, async (on, later) => {
      const one = tell(on('A'), ['punch', '-p', '12001', ...STUN, ...words, N2, '12003']);
      await later(apartMs);
      const two = tell(on('C2'), ['punch', '-p', '12003', ...STUN, ...words, N, '12001']);
      return (await Promise.all([one, two])).map(({ status, report }) => ({ status, tookMs: report.durationMs }));
    });
  };

  it.each([0, 1, 2, 5, 40])(
    '%i ms apart: open within the second, whoever is first by less than the interval',
    async (rttMs) => {
      for (const apartMs of [0, 1, 50, 300, 450])
        for (const seed of [1, 2])
          for (const { status, tookMs } of await punchedAt(rttMs, apartMs, seed)) {
            expect({ rttMs, apartMs, status }).toEqual({ rttMs, apartMs, status: 0 });
            expect(tookMs).toBeLessThan(1_200);
          }
    },
  );

  it('listen --punch does as punch does', async () => {
    const lab = createLab({ rttMs: 2, nat: 'linux', second: { nat: 'linux' }, patienceMs: 60_000 });
    await play(lab, async (on, later) => {
      const stop = new AbortController();
      const listening = tell(on('A'), ['listen', '-p', '12001', '--punch', `${N2}:12003`], { signal: stop.signal });
      await later(100);
      const { status } = await tell(on('C2'), ['punch', '-p', '12003', ...STUN, N, '12001']);
      expect(status).toBe(0);
      stop.abort();
      expect((await listening).report.data).toMatchObject({ punched: [`${N2}:12003`] });
    });
  });

  it('at full time to live from the first packet on they lose, which is what the low one is for', async () => {
    for (const { status } of await punchedAt(1, 100, 1, ['--ttl', '64'])) expect(status).toBe(1);
  });

  it('a side that comes much later finds the flow taken, and the note says what helps; it does', async () => {
    const lab = createLab({ rttMs: 2, nat: 'linux', second: { nat: 'linux' }, patienceMs: 60_000 });
    await play(lab, async (on, later) => {
      const one = tell(on('A'), ['punch', '-p', '12001', ...STUN, N2, '12003']);
      await later(3_000);
      const two = await tell(on('C2'), ['punch', '-p', '12003', ...STUN, N, '12001']);
      expect([(await one).status, two.status]).toEqual([1, 1]);
      const text = two.report.findings.map((each) => each.text).join(' ');
      expect(text).toContain('holds that flow for half a minute');
      expect(text).toContain('wait so long, run this with --ttl 2, and then the other side');

      await later(31_000);
      const quiet = tell(on('A'), ['punch', '-p', '12001', ...STUN, '--ttl', '2', '-w', '20', N2, '12003']);
      await later(10_000);
      const other = await tell(on('C2'), ['punch', '-p', '12003', ...STUN, N, '12001']);
      expect([(await quiet).status, other.status]).toEqual([0, 0]);
    });
  });
});

describe('sends that the system refuses', () => {
  const sent = async (refusedSends: LabOptions['refusedSends'], words: readonly string[]) => {
    const lab = createLab({ nat: KEEPING, refusedSends, patienceMs: 60_000 });
    return play(lab, async (on, later) => {
      let arrived = 0;
      const remote = await on('B').udp.open({ family: 4, address: B, port: 12003 });
      remote.listen({ datagram: () => void arrived++ });
      const result = await tell(on('A'), ['punch', '-p', '12001', '--no-stun', ...words, B, '12003']);
      await later(100);
      remote.close();
      return { ...result, arrived };
    });
  };

  it.each(['denied', 'other'] as const)('now and then (%s): the train goes to its end', async (kind) => {
    const { status, report, arrived } = await sent({ every: 2, kind }, ['-c', '6']);
    expect({ status, arrived }).toEqual({ status: 0, arrived: 6 });
    expect(report).toMatchObject({ outcome: 'complete', data: { sent: 6 } });
  });

  it('always: that is the answer, and not that nobody is there', async () => {
    const lab = createLab({ nat: KEEPING, refusedSends: { every: 1 }, patienceMs: 60_000 });
    const { status, stderr } = await play(lab, (on) =>
      run(['punch', '--no-stun', '-c', '2', B, '12003'], { env: on('A') }),
    );
    expect(status).toBe(1);
    expect(stderr).toContain('refused to send');
  });

  it('when the network goes amid a train: partial, with a note', async () => {
    const lab = createLab({ nat: KEEPING, patienceMs: 60_000 });
    const { report, status } = await play(lab, async (on, later) => {
      const punching = tell(on('A'), ['punch', '--no-stun', '-c', '20', '-w', '30', B, '12003']);
      await later(2_200);
      lab.system('A').host.down = true;
      return punching;
    });
    expect(report).toMatchObject({ outcome: 'partial', data: { sent: 5 } });
    expect(report.findings.map(({ kind }) => kind)).toContain('sends-refused');
    expect(status).toBe(1);
  });

  it('for a moment, while the network changes, are made good', async () => {
    const lab = createLab({ nat: KEEPING, patienceMs: 60_000 });
    const { report } = await play(lab, async (on, later) => {
      const punching = tell(on('A'), ['punch', '--no-stun', '-c', '10', B, '12003']);
      await later(900);
      lab.system('A').host.down = true;
      await later(600);
      lab.system('A').host.down = false;
      return punching;
    });
    expect(report).toMatchObject({ outcome: 'complete', data: { sent: 10 } });
  });
});

describe('a UDP echo server', () => {
  it('is named as one: a probe, and a payload', async () => {
    const lab = createLab({ nat: KEEPING, patienceMs: 60_000 });
    await play(lab, async (on, later) => {
      const echo = await on('B').udp.open({ family: 4, address: B, port: 7 });
      echo.listen({ datagram: ({ data, from }) => void echo.send(data, from) });
      for (const words of [[], ['--data', 'knock']]) {
        const { status, report } = await tell(on('A'), ['punch', '--no-stun', ...words, B, '7']);
        expect(report.data).toMatchObject({ hole: 'open', peer: { kind: 'echo', seenAs: null, rttMs: 40 } });
        expect(report.findings.map(({ kind }) => kind)).toContain('echo-server');
        expect(status).toBe(0);
      }
      const stop = new AbortController();
      const listening = tell(on('A'), ['listen', '-p', '12009', '--punch', `${B}:7`], { signal: stop.signal });
      await later(5_000);
      stop.abort();
      const { events, report } = await listening;
      expect(events.map(({ event }) => event)).toEqual(['listening', 'echo']);
      expect(report.data).toMatchObject({ datagrams: 0, punched: [] });
      echo.close();
    });
  });
});

describe('--keepalive', () => {
  const kept = async (nat: string, words: readonly string[], forMs = 60_000) => {
    const lab = createLab({ nat, patienceMs: 60_000 });
    return play(lab, async (on, later) => {
      const [here, there] = [new AbortController(), new AbortController()];
      const listening = tell(on('B'), ['listen', '-k', '12003'], { signal: there.signal });
      await later(1);
      const argv = ['punch', '-p', '12001', '--no-stun', '-w', '2', '--keepalive', ...words, B, '12003'];
      const punching = tell(on('A'), argv, { signal: here.signal });
      await later(forMs);
      here.abort();
      const result = await punching;
      there.abort();
      await listening;
      return { ...result, notes: result.stderr };
    });
  };

  it('behind a NAT that forgets within 2 s says so, and what would hold it', async () => {
    const { report, notes } = await kept('port-restricted-cone,timeout=2', ['10']);
    expect(notes).toContain(
      `the public side towards ${B}:12003 is ${N}:24605 now: the NAT forgot ${N}:24604 after at most 10 s without a packet`,
    );
    expect(notes).toContain('a packet every 1.2 s would hold it: --keepalive 1.2');
    expect(report.findings).toContainEqual(
      expect.objectContaining({ kind: 'mapping-forgotten', withinS: 2.5, keepaliveS: 1.2 }),
    );
  });

  it('auto: becomes what holds', async () => {
    const { report, notes } = await kept('port-restricted-cone,timeout=2', ['auto']);
    expect(notes).toContain('a packet every 1.2 s holds it: from now on there is one so often');
    expect(report.findings).toContainEqual(expect.objectContaining({ kind: 'mapping-forgotten', keepaliveS: 1.2 }));
    // Forgotten while it was searched for, and never again in the half minute after.
    expect(notes.lastIndexOf('forgot')).toBeLessThan(notes.indexOf('holds it'));
  });

  it('that holds says nothing', async () => {
    const { report, notes } = await kept('port-restricted-cone,timeout=2', ['1.2']);
    expect(notes).not.toContain('forgot');
    expect(report.findings.map(({ kind }) => kind)).not.toContain('mapping-forgotten');
  });

  it('says when nobody answers any more', async () => {
    const lab = createLab({ nat: KEEPING, patienceMs: 60_000 });
    const stderr = await play(lab, async (on, later) => {
      const [here, there] = [new AbortController(), new AbortController()];
      const listening = tell(on('B'), ['listen', '-k', '12003'], { signal: there.signal });
      await later(1);
      const argv = ['punch', '-p', '12001', '--no-stun', '-w', '2', '--keepalive', '5', B, '12003'];
      const punching = run(argv, { env: on('A'), signal: here.signal });
      await later(12_000);
      there.abort();
      await listening;
      await later(60_000);
      here.abort();
      return (await punching).stderr;
    });
    expect(stderr.match(/answers no more/g)).toHaveLength(1);
  });
});

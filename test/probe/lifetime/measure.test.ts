/** What may go wrong while lifetimes are measured: no bound is ever wrong, and what cannot be known is said to be unknown. */
import { describe, expect, it } from 'vitest';
import type { ServerFault } from '../../../src/lab/server-faults.ts';
import { LAB_LOGIN } from '../../../src/lab/servers.ts';
import { DEFAULT_SERVER, Lab, type LabOptions } from '../../../src/lab/topology.ts';
import { concludeLifetime } from '../../../src/probe/lifetime/conclude.ts';
import { measureLifetime } from '../../../src/probe/lifetime/measure.ts';
import { parseTurnServer } from '../../../src/turn/uri.ts';
import { measure, type Measured } from './sim.ts';

const kinds = ({ findings }: Measured): string[] => findings.map(({ kind }) => kind);
const hole = ({ data }: Measured, after: 'one-packet' | 'both-ways') => data.holes.find((each) => each.after === after);

/** Whether the bounds contain it, no further than `within` away. */
function contains(result: Measured, after: 'one-packet' | 'both-ways', truthMs: number, within = 1_500): void {
  const { aliveMs = 0, deadMs = null } = hole(result, after) ?? {};
  expect(aliveMs).toBeLessThanOrEqual(truthMs);
  expect(aliveMs).toBeGreaterThanOrEqual(truthMs - within);
  expect(deadMs).toBeGreaterThanOrEqual(truthMs);
  expect(deadMs).toBeLessThanOrEqual(truthMs + within);
}

/** Something that happens so many virtual seconds after the beginning. */
const then =
  (seconds: number, happen: (lab: Lab) => void, ...more: [number, (lab: Lab) => void][]) =>
  (lab: Lab): void => {
    for (const [at, what] of [[seconds, happen] as const, ...more])
      lab.world.schedule(at * 1000, () => what(lab), false);
  };

describe('what there is to know', () => {
  it.each(['linux', 'cgnat,timeout=30/120', 'firewall,timeout=30/120', 'symmetric,timeout=30/120,ports=random'])(
    '%s: both kinds, and both directions refresh',
    async (nat) => {
      const result = await measure({ nat });
      contains(result, 'one-packet', 30_000);
      contains(result, 'both-ways', 120_000);
      expect(result.outcome).toBe('complete');
      expect(result.data.refreshedBy).toEqual({ outbound: 'yes', inbound: 'yes' });
      expect(result.data.holes.map(({ likelyMs }) => likelyMs)).toEqual([30_000, 120_000]);
      expect(result.data.mappings).toBeLessThanOrEqual(128);
      expect(result.data.tookMs).toBeLessThan(1.06 * 120_000);
    },
  );

  it.each([
    ['outbound', { outbound: 'yes', inbound: 'no' }],
    ['inbound', { outbound: 'no', inbound: 'yes' }],
  ])('only %s refreshes', async (direction, refreshedBy) => {
    for (const nat of ['symmetric', 'linux', 'port-restricted-cone,ports=preserving']) {
      const result = await measure({ nat: `${nat},timeout=20,refresh=${direction}` });
      contains(result, 'both-ways', 20_000);
      expect(result.data.refreshedBy).toEqual(refreshedBy);
    }
  });

  it('the filter of a mapping that lives longer', async () => {
    contains(await measure({ nat: 'port-restricted-cone,timeout=120,filter-timeout=45' }), 'both-ways', 45_000);
  });

  it('IPv6 behind a firewall', async () => {
    const lab = new Lab({ nat: 'port-restricted-cone,timeout=60', ipv6: 'firewall' });
    const servers = [{ address: '2001:db8:40::10', port: 3478 }];
    const facts = await lab.run((env, signal) => measureLifetime(env, { servers, maxMs: 330_000 }, signal));
    const { data } = concludeLifetime(facts);
    expect(data.public).toBe(data.local);
    expect(data.holes.map(({ likelyMs }) => likelyMs)).toEqual([60_000, 60_000]);
  });

  it('no NAT and no filter: known at once', async () => {
    const result = await measure({ nat: 'none' });
    expect(kinds(result)).toEqual(['no-hole-needed']);
    expect(result.data.tookMs).toBeLessThan(2_000);
    expect(result.data.holes.map(({ deadMs }) => deadMs)).toEqual([null, null]);
  });

  it('longer than the greatest age: at least so long, and no number', async () => {
    const result = await measure({ nat: 'full-cone,timeout=600' }, { maxMs: 100_000 });
    expect(result.outcome).toBe('complete');
    expect(kinds(result)).toEqual(['outlives-max', 'outlives-max']);
    for (const each of result.data.holes)
      expect(each).toMatchObject({ aliveMs: 100_000, deadMs: null, likelyMs: null });
  });

  it('a limit of sessions: fewer ages, and it is said', async () => {
    const result = await measure({ nat: 'linux,limit=60' });
    expect(kinds(result)).toContain('holes-refused');
    contains(result, 'one-packet', 30_000, 10_000);
    contains(result, 'both-ways', 120_000, 20_000);
  });

  it('several public addresses: only holes on the one that the server can be asked for', async () => {
    const result = await measure({ nat: 'symmetric,pool=3:arbitrary,timeout=30' });
    expect(kinds(result)).toContain('holes-elsewhere');
    contains(result, 'both-ways', 30_000, 10_000);
  });
});

describe('with few holes', () => {
  it.each(['full-cone,pool=4:arbitrary,timeout=100', 'linux,limit=16', 'symmetric,limit=20,timeout=60'])(
    '%s: wide bounds, and right ones, or it is said that they are not known',
    async (nat) => {
      const truth = nat.startsWith('linux') ? 120_000 : nat.startsWith('full') ? 100_000 : 60_000;
      let known = 0;
      for (let seed = 1; seed <= 12; seed++) {
        const result = await measure({ nat, seed, loss: 0.05 }, { maxMs: 1_800_000 });
        const both = hole(result, 'both-ways');
        expect(both?.aliveMs ?? 0).toBeLessThanOrEqual(truth);
        if (typeof both?.deadMs !== 'number') {
          expect(kinds(result)).not.toEqual([]);
          continue;
        }
        known++;
        expect(both.deadMs).toBeGreaterThanOrEqual(truth);
      }
      expect(known).toBeGreaterThanOrEqual(8);
    },
  );
});

describe('nobody outside, or nobody to be believed', () => {
  const faulty = (...faults: ServerFault[]) => ({ servers: [{ ...DEFAULT_SERVER, faults }] });

  it.each<[ServerFault, RegExp]>([
    ['no-response-port', /does not honour RESPONSE-PORT/],
    ['silent', /no answer/i],
    ['lie-private', /not a public address/],
    ['wrong-source', /no answer/i],
  ])('%s', async (fault, why) => {
    const result = await measure({ nat: 'linux', ...faulty(fault) });
    expect(result.outcome).toBe('failed');
    expect(result.data).toMatchObject({ holes: [], keepaliveMs: { answered: null, unanswered: null } });
    expect(result.findings[0]?.text).toMatch(why);
  });

  it('of two servers the one that can is used', async () => {
    const bad = { name: 'bad.example.net', addresses: ['60.50.40.30'], faults: ['no-response-port'] as const };
    const result = await measure({ nat: 'linux', servers: [bad, DEFAULT_SERVER] }, { maxMs: 40_000 });
    expect(result.data.server).toBe('40.30.20.10:3478');
    contains(result, 'one-packet', 30_000);
  });
});

describe('lives too short to be measured', () => {
  it.each(['1', '2', '3', '1/30', '3/60'])('%s s: said to be that, and no restart', async (timeout) => {
    for (const ports of ['sequential', 'preserving']) {
      const result = await measure({ nat: `port-restricted-cone,ports=${ports},timeout=${timeout}` });
      expect(result.outcome).toBe('partial');
      expect(kinds(result)).toContain('holes-short-lived');
      expect(kinds(result)).not.toContain('nat-forgot-all');
      for (const { deadMs } of result.data.holes) expect(deadMs).toBeNull();
    }
  });
});

describe('a long way', () => {
  it.each([150, 300, 700, 900])('of %i ms round trip', async (rttMs) => {
    const result = await measure({ nat: 'linux', rttMs }, { maxMs: 150_000 });
    // Over a satellite holes are used up before the long life ends: wide bounds, and right ones.
    const within = rttMs > 500 ? 70_000 : 3_000;
    contains(result, 'one-packet', 30_000, within);
    const both = hole(result, 'both-ways');
    expect(both?.aliveMs).toBeLessThanOrEqual(120_000);
    expect(both?.aliveMs).toBeGreaterThanOrEqual(120_000 - within);
    expect(both?.deadMs ?? 120_000).toBeGreaterThanOrEqual(120_000);
  });
});

describe('accidents on the way', () => {
  it('the NAT restarts: what was seen open stands, and there is no upper bound', async () => {
    for (const nat of ['linux', 'symmetric,timeout=120', 'port-restricted-cone,timeout=120,ports=preserving']) {
      for (const seconds of [4, 18, 22.5, 71]) {
        const result = await measure(
          { nat },
          {},
          then(seconds, (lab) => lab.nat().nat()?.reset()),
        );
        for (const { after: kind, aliveMs, deadMs } of result.data.holes) {
          const truth = nat === 'linux' && kind === 'one-packet' ? 30_000 : 120_000;
          expect(aliveMs).toBeLessThanOrEqual(truth);
          if (deadMs !== null) expect(deadMs).toBeGreaterThanOrEqual(truth);
        }
        expect(result.outcome).toBe('partial');
        expect(kinds(result)).toContain('nat-forgot-all');
      }
    }
  });

  it('the NAT restarts at any instant, between the use of one hole and the next, too: no bound is wrong', async () => {
    const wrong: string[] = [];
    for (const nat of ['linux', 'port-restricted-cone,timeout=30,ports=preserving']) {
      for (let seconds = 1.5; seconds < 6.2; seconds += 0.11) {
        const restart = then(seconds, (lab) => lab.nat().nat()?.reset());
        const { data } = await measure({ nat, rttMs: 150 }, { maxMs: 40_000 }, restart);
        for (const { after, aliveMs, deadMs } of data.holes) {
          const truth = nat === 'linux' && after === 'both-ways' ? 120_000 : 30_000;
          if (aliveMs > truth || (deadMs !== null && deadMs < truth))
            wrong.push(`${nat}, ${seconds}: ${after} ${deadMs}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('the host has no network for ten seconds', async () => {
    for (const seconds of [5, 26, 58, 117]) {
      const cable = (down: boolean) => (lab: Lab) => void (lab.system('A').host.down = down);
      const result = await measure({ nat: 'linux' }, {}, then(seconds, cable(true), [seconds + 10, cable(false)]));
      const [one, both] = [hole(result, 'one-packet'), hole(result, 'both-ways')];
      expect(one?.aliveMs).toBeLessThanOrEqual(30_000);
      expect(both?.aliveMs).toBeLessThanOrEqual(120_000);
      if (one?.deadMs != null) expect(one.deadMs).toBeGreaterThanOrEqual(30_000);
      if (both?.deadMs != null) expect(both.deadMs).toBeGreaterThanOrEqual(120_000);
    }
  });

  it('the host has no network any more: no hole is said to outlive what was looked at', async () => {
    const cut = then(12, (lab) => void (lab.system('A').host.down = true));
    const result = await measure({ nat: 'linux' }, { maxMs: 60_000 }, cut);
    expect([result.outcome, kinds(result)]).toEqual(['partial', ['ages-void', 'ages-void']]);
    for (const { aliveMs, deadMs } of result.data.holes) {
      expect(aliveMs).toBeLessThanOrEqual(12_000);
      expect(deadMs).toBeNull();
    }
  });

  it('the host slept: the clock on the wall tells', async () => {
    const lab = new Lab({ nat: 'linux' });
    const facts = await lab.run((env, signal) => {
      const { clock } = env;
      const date = (): Date => new Date(clock.date().getTime() + (clock.now() > 15_000 ? 3_600_000 : 0));
      return measureLifetime(
        { ...env, clock: { now: clock.now, after: clock.after, date } },
        { servers: lab.servers, maxMs: 330_000 },
        signal,
      );
    });
    const { outcome, data, findings } = concludeLifetime(facts);
    expect(outcome).toBe('partial');
    expect(findings.map(({ kind }) => kind)).toContain('clocks-parted');
    for (const { aliveMs, deadMs } of data.holes) {
      expect(aliveMs).toBeGreaterThan(9_000);
      expect(aliveMs).toBeLessThan(15_000);
      expect(deadMs).toBeNull();
    }
  });

  it('interrupted: what was learnt until then', async () => {
    const lab = new Lab({ nat: 'linux' });
    const facts = await lab.run(
      (env, signal) => measureLifetime(env, { servers: lab.servers, maxMs: 330_000 }, signal),
      { abortAtMs: 50_000 },
    );
    const { outcome, data, findings } = concludeLifetime(facts);
    expect(outcome).toBe('partial');
    expect(findings.map(({ kind }) => kind)).toEqual(['interrupted']);
    expect(data.holes[0]).toMatchObject({ after: 'one-packet', likelyMs: 30_000 });
    expect(data.holes[1]).toMatchObject({ after: 'both-ways', deadMs: null });
    expect(data.holes[1]?.aliveMs).toBeGreaterThan(40_000);
  });
});

describe('a relay is the outside', () => {
  const through = async (options: LabOptions, login: { username: string; password: string }) => {
    const lab = new Lab({ turn: true, ...options });
    const relay = { name: parseTurnServer('turn:stun.example.net'), credentials: login };
    const facts = await lab.run((env, signal) => measureLifetime(env, { servers: [], relay, maxMs: 330_000 }, signal));
    return { ...concludeLifetime(facts), facts, lab };
  };

  it.each(['linux', 'symmetric,timeout=30/120,ports=random', 'cgnat,timeout=30/120'])('%s', async (nat) => {
    for (const loss of [0, 0.05]) {
      const result = await through({ nat, loss }, LAB_LOGIN);
      contains(result, 'one-packet', 30_000, 3_000);
      contains(result, 'both-ways', 120_000, 3_000);
      expect(result.data.refreshedBy.inbound).toBe('yes');
    }
  });

  it('a login that is refused: unknown, and why', async () => {
    const result = await through({ nat: 'linux' }, { username: 'alice', password: 'wrong' });
    expect(result.outcome).toBe('failed');
    expect(kinds(result)).toEqual(['nobody-outside']);
    expect(result.findings[0]?.text).toMatch(/401/);
  });
});

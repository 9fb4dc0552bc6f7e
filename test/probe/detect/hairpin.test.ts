import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import { hairpinTest } from '../../../src/probe/detect/hairpin.ts';
import { Probes } from '../../../src/probe/detect/probes.ts';
import { sendUntil, settled } from '../../../src/probe/detect/series.ts';

const SERVER = { address: '40.30.20.10', port: 3478 };

const tested = (nat: string, refusalSettles = false) =>
  createLab({ nat }).run(async (env, signal) => {
    const probes = new Probes(env, 4, undefined);
    const ends = [];
    for (let i = 0; i < 2; i++) {
      const socket = await probes.open(signal);
      const series = probes.begin({ kind: 'allocation' }, socket, SERVER);
      await sendUntil(series, [100, 100, 100], () => settled(series), signal);
      const [seen] = probes.observations(socket);
      if (seen) ends.push({ socket, seen });
    }
    const [a, b] = ends;
    if (!a || !b) throw new Error('the server did not answer');
    const probe = await hairpinTest(probes, a, b, probes.roundTripMs(), () => refusalSettles, signal);
    probes.close();
    return { ...probe, strays: probes.strays };
  });

describe('the hairpin test', () => {
  it('hears its own probe come round', async () => {
    const { outcome, evidence } = await tested('full-cone,hairpin=yes');
    expect(outcome).toBe('heard');
    expect(evidence).toMatchObject({ test: 'hairpin', received: 1, verdict: 'heard' });
    expect(evidence.rttMs).not.toBeNull();
  });

  it('hears nothing of a NAT that turns none', async () => {
    const { outcome, evidence, strays } = await tested('full-cone,hairpin=no');
    expect(['silent', 'refused']).toContain(outcome);
    expect(evidence).toMatchObject({ received: 0, rttMs: null });
    expect(evidence.sent).toBeGreaterThanOrEqual(7);
    expect(strays).toEqual([]);
  });
});

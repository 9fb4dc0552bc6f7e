import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { Probes } from '../../../src/probe/detect/probes.ts';
import { best, usableOther, watchRefusal } from '../../../src/probe/detect/search.ts';
import { sendUntil, type Series, settled } from '../../../src/probe/detect/series.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { SERVER, scriptedServer, success } from '../scripted-server.ts';

/** The series to a server that says so, answered, and one to a plain server. */
async function asked(other: Endpoint | undefined): Promise<readonly [Series, Series]> {
  const lab = createLab();
  scriptedServer(lab, (request, from) => success(request, from, ...(other ? [attribute('OTHER-ADDRESS', other)] : [])));
  return lab.run(async (env, signal) => {
    const probes = new Probes(env, 4, undefined);
    const socket = await probes.open(signal);
    const all = [];
    for (const to of [SERVER, { address: '40.30.20.10', port: 3478 }]) {
      const series = probes.begin({ kind: 'mapping', number: 1 }, socket, to);
      await sendUntil(series, [100, 100], () => settled(series), signal);
      all.push(series);
    }
    probes.close();
    return all as [Series, Series];
  });
}

describe('the other address of a server under test', () => {
  it('is used where it can be one, on the same IP too: it tells of ports', async () => {
    for (const other of [
      { address: '51.0.0.2', port: 3479 },
      { address: SERVER.address, port: 3479 },
    ])
      expect(usableOther((await asked(other))[0])).toEqual(other);
  });

  it('is not where it cannot, and that server is not the best', async () => {
    for (const other of [
      undefined,
      { address: '51.0.0.2', port: 0 },
      { address: '0.0.0.0', port: 3479 },
      { address: '192.168.1.9', port: 3479 },
      SERVER,
    ]) {
      const [odd, whole] = await asked(other);
      expect(usableOther(odd)).toBeUndefined();
      expect(best([odd, whole])).toBe(whole);
      expect(best([odd])).toBe(odd);
    }
  });
});

describe('a port that nobody listens on', () => {
  it('is heard of beside the mapping socket, which cannot', async () => {
    const lab = createLab();
    lab.addHost('S', [SERVER.address]);
    const failure = await lab.run(async (env, signal) => {
      const probes = new Probes(env, 4, undefined);
      const binding = probes.begin({ kind: 'mapping', number: 1 }, await probes.open(signal), SERVER);
      await watchRefusal(probes, binding, signal);
      probes.close();
      expect(probes.series[1]).toMatchObject({ purpose: { kind: 'allocation' }, sent: 1 });
      return binding.failure;
    });
    expect(failure?.kind).toBe('refused');
    expect(lab.world.now).toBeLessThan(200);
  });
});

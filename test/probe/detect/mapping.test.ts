import { describe, expect, it } from 'vitest';
import { createLab, type LabOptions } from '../../../src/lab/topology.ts';
import type { BehaviourFacts } from '../../../src/probe/detect/facts.ts';
import { nearPort, testMapping } from '../../../src/probe/detect/mapping.ts';
import { Probes } from '../../../src/probe/detect/probes.ts';
import { sendUntil, settled } from '../../../src/probe/detect/series.ts';

const SERVER = { address: '40.30.20.10', port: 3478 };
const OTHER = { address: '40.30.20.11', port: 3479 };

/** A socket that has asked the server, and what `test` then asks. */
async function asked(options: LabOptions, test: 'alternates' | 'next port') {
  return createLab(options).run(async (env, signal) => {
    const probes = new Probes(env, 4, undefined);
    await probes.route([SERVER], signal);
    const x = await probes.open(signal);
    const m = { probes, x, samples: [], servers: [SERVER] } as unknown as BehaviourFacts;
    const binding = probes.begin({ kind: 'mapping', number: 1 }, x, SERVER);
    await sendUntil(binding, [100], () => settled(binding), signal);
    const near = test === 'next port' ? await nearPort(m, x, binding, signal) : undefined;
    if (test === 'alternates') await testMapping(m, x, binding, OTHER, signal);
    if (near) await testMapping(m, x, binding, near, signal);
    probes.close();
    return {
      near,
      remotes: probes.series.map((each) => `${each.to.address}:${each.to.port}`),
      seen: probes.observations(x),
    };
  });
}

describe('the mapping tests', () => {
  it('ask the server at its four endpoints, each once', async () => {
    const { remotes, seen } = await asked({ nat: 'symmetric' }, 'alternates');
    expect([...remotes].sort()).toEqual([
      '40.30.20.10:3478',
      '40.30.20.10:3479',
      '40.30.20.11:3478',
      '40.30.20.11:3479',
    ]);
    expect(new Set(seen.map(({ mapped }) => mapped.port)).size).toBe(4);
    expect(new Set(seen.map(({ server }) => server))).toEqual(new Set(['40.30.20.10:3478']));
  });

  it('find the next port of a server on one address, and ask it once', async () => {
    const { near, remotes } = await asked({ servers: [{ name: 's', addresses: ['40.30.20.10'] }] }, 'next port');
    expect(near).toEqual({ address: '40.30.20.10', port: 3479 });
    expect(remotes).toEqual(['40.30.20.10:3478', '40.30.20.10:3479']);
  });

  it('go on without where nothing listens on the next port', async () => {
    const servers = [{ name: 's', addresses: ['40.30.20.10'], faults: ['no-other-address'] as const }];
    expect((await asked({ servers }, 'next port')).near).toBeUndefined();
  });
});

/** Sends that the system refuses, for a moment or for good. */
import { describe, expect, it } from 'vitest';
import { createLab, type LabOptions } from '../../../src/lab/topology.ts';
import { play, run, tell } from '../worlds.ts';

const B = '50.60.70.80';
const lines = (count: number): string => Array.from({ length: count }, (_, i) => `${i}\n`).join('');

async function sent(
  options: LabOptions,
  words: readonly string[],
  stdin: string,
  meanwhile?: { offAt: number; onAt?: number },
) {
  const lab = createLab({ nat: 'none', rttMs: 40, patienceMs: 60_000, ...options });
  return play(lab, async (on, later) => {
    const heard: string[] = [];
    const remote = await on('B').udp.open({ family: 4, address: B, port: 7 });
    remote.listen({ datagram: ({ data }) => void heard.push(new TextDecoder().decode(data)) });
    const sending = tell(on('A'), ['send', ...words, B, '7'], { stdin });
    if (meanwhile) {
      await later(meanwhile.offAt);
      lab.system('A').host.down = true;
      if (meanwhile.onAt !== undefined) {
        await later(meanwhile.onAt - meanwhile.offAt);
        lab.system('A').host.down = false;
      }
    }
    const result = await sending;
    await later(100);
    remote.close();
    return { ...result, heard };
  });
}

describe('send', () => {
  it.each([
    [2, 'denied'],
    [3, 'other'],
  ] as const)('where every %i. datagram is refused (%s), all go out all the same', async (every, kind) => {
    for (const words of [['--line'], ['--line', '--rate', '100']]) {
      const { report, status, heard } = await sent({ refusedSends: { every, kind } }, words, lines(300));
      expect({ words, status, outcome: report.outcome }).toEqual({ words, status: 0, outcome: 'complete' });
      expect(report.data).toMatchObject({ datagrams: 300 });
      expect(new Set(heard).size).toBe(300);
      expect(report.findings).toEqual([]);
    }
  });

  it('a network that is gone for a moment delays', async () => {
    const { report, heard } = await sent({}, ['--line', '--rate', '10'], lines(20), { offAt: 450, onAt: 1_050 });
    expect(report).toMatchObject({ outcome: 'complete', data: { datagrams: 20 } });
    expect(heard).toHaveLength(20);
  });

  it('a network that is gone for good ends it: partial, and what went out is said', async () => {
    const { report, status, heard } = await sent({}, ['--line', '--rate', '10'], lines(20), { offAt: 450 });
    expect(status).toBe(1);
    expect(report).toMatchObject({ outcome: 'partial', data: { datagrams: 5 } });
    expect(report.findings).toEqual([expect.objectContaining({ kind: 'sends-refused', sent: 5 })]);
    expect(heard).toHaveLength(5);
  });

  it('where nothing can be sent at all, that is the error', async () => {
    const lab = createLab({ nat: 'none', refusedSends: { every: 1 }, patienceMs: 60_000 });
    const { status, stderr } = await play(lab, (on) => run(['send', '--data', 'x', B, '7'], { env: on('A') }));
    expect(status).toBe(1);
    expect(stderr).toContain('refused to send');
  });

  it('Ctrl-C ends the trying too', async () => {
    const lab = createLab({ nat: 'none', refusedSends: { every: 1 }, patienceMs: 60_000 });
    await play(lab, async (on, later) => {
      const stop = new AbortController();
      const sending = tell(on('A'), ['send', '--data', 'x', B, '7'], { signal: stop.signal });
      await later(300);
      stop.abort();
      const { status, report } = await sending;
      expect({ status, outcome: report.outcome }).toEqual({ status: 130, outcome: 'partial' });
      expect(report.data).toMatchObject({ datagrams: 0 });
    });
  });
});

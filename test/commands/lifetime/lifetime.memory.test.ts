/** What one command found is of use to the next, in the same network. */
import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import { play, tell } from '../worlds.ts';

const B = '50.60.70.80';
const SERVER = 'stun.example.net';

describe('what lifetime found', () => {
  it('is where detect says it, and what --keepalive auto of punch and listen begins with', async () => {
    const lab = createLab({ nat: 'port-restricted-cone,timeout=60', patienceMs: 60_000, trace: true });
    await play(lab, async (on, later) => {
      const before = await tell(on('A'), ['detect', SERVER]);
      expect(before.report.findings.map(({ kind }) => kind)).not.toContain('lifetime-known');
      const { report } = await tell(on('A'), ['lifetime', SERVER]);
      const { unanswered } = (report.data as { keepaliveMs: { unanswered: number } }).keepaliveMs;
      expect(unanswered).toBeGreaterThan(25_000);

      const after = await tell(on('A'), ['detect', SERVER]);
      expect(after.report.findings).toContainEqual(
        expect.objectContaining({ kind: 'lifetime-known', keepaliveS: Math.floor(unanswered / 1000) }),
      );

      const sentBy = async (words: readonly string[], forMs: number): Promise<number> => {
        const stop = new AbortController();
        const punching = tell(on('A'), ['punch', '-p', '12001', '--stun', SERVER, '-c', '1', ...words, B, '12003'], {
          signal: stop.signal,
        });
        await later(forMs);
        stop.abort();
        return (await punching).report.data['sent'] as number;
      };
      expect(await sentBy(['--keepalive', 'auto'], 100_000)).toBe(1 + 3);
      expect(await sentBy(['--keepalive', '10'], 100_000)).toBeGreaterThanOrEqual(1 + 9);

      const asked = async (words: readonly string[]): Promise<number> => {
        const before = lab.trace.length;
        const stop = new AbortController();
        const listening = tell(on('A'), ['listen', '-p', '12002', '--stun', SERVER, ...words], { signal: stop.signal });
        await later(100_000);
        stop.abort();
        await listening;
        return lab.trace.slice(before).length;
      };
      const [auto, ten] = [await asked([]), await asked(['--keepalive', '10'])];
      expect(auto).toBeLessThan(ten / 2);
    });
  });

  it('of another network is of no use', async () => {
    const lab = createLab({ nat: 'port-restricted-cone,timeout=60', patienceMs: 60_000 });
    await play(lab, async (on) => {
      await tell(on('A'), ['lifetime', SERVER]);
      const [name] = await on('A').store.list('lifetimes');
      const data = await on('A').store.read(`lifetimes/${name}`);
      await on('A').store.remove(`lifetimes/${name}`);
      await on('A').store.write('lifetimes/00', data as Uint8Array);
      const { report } = await tell(on('A'), ['detect', SERVER]);
      expect(report.findings.map(({ kind }) => kind)).not.toContain('lifetime-known');
    });
  });
});

import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/topology.ts';
import { type Clock, NetError } from '../../src/net/env.ts';
import { Resender } from '../../src/net/resend.ts';
import { sleep } from '../../src/net/wait.ts';

const TO = { address: '50.60.70.80', port: 9 };
const OTHER = { address: '50.60.70.81', port: 9 };
const refusal = (kind: NetError['kind']): NetError => new NetError(kind, 'no', 'EPERM');

/** A system that refuses by this rule; what it took, by when. */
const systemOf = (clock: Clock, refuses: (n: number, to: string) => NetError | undefined) => {
  const start = clock.now();
  const taken: [number, number, string][] = [];
  let count = 0;
  return {
    taken,
    tries: () => count,
    send: async (data: Uint8Array, to = TO) => {
      const error = refuses(++count, to.address);
      if (error) throw error;
      taken.push([data[0] as number, clock.now() - start, to.address]);
    },
  };
};

const on = <T>(work: (clock: Clock) => Promise<T>): Promise<T> => createLab().run(({ clock }) => work(clock));

describe('sends that nobody awaits', () => {
  it('leave at once, and again 25 ms after a refusal', async () => {
    await on(async (clock) => {
      const system = systemOf(clock, (n) => (n % 2 === 0 ? refusal('denied') : undefined));
      const sends = new Resender(clock, system);
      for (const each of [1, 2]) sends.send(Uint8Array.of(each), TO);
      await sleep(clock, 100);
      expect(system.taken).toEqual([
        [1, 0, TO.address],
        [2, 25, TO.address],
      ]);
    });
  });

  it.each(['denied', 'unreachable', 'other'] as const)('that are %s for a second have failed, once', async (kind) => {
    await on(async (clock) => {
      const system = systemOf(clock, () => refusal(kind));
      const sends = new Resender(clock, system);
      const failed: [number, string][] = [];
      const start = clock.now();
      sends.send(Uint8Array.of(1), TO, (error) => failed.push([clock.now() - start, error.kind]));
      await sleep(clock, 5_000);
      expect(failed).toEqual([[1_000, kind]]);
      expect(system.tries()).toBe(41);
    });
  });

  it('that can never leave have failed at once', async () => {
    await on(async (clock) => {
      const sends = new Resender(
        clock,
        systemOf(clock, () => refusal('too-big')),
      );
      const failed: string[] = [];
      sends.send(Uint8Array.of(1), TO, ({ kind }) => failed.push(kind));
      await sleep(clock, 0);
      expect(failed).toEqual(['too-big']);
    });
  });

  it('to one destination say nothing of another', async () => {
    await on(async (clock) => {
      const system = systemOf(clock, (_, to) => (to === TO.address ? refusal('unreachable') : undefined));
      const sends = new Resender(clock, system);
      const failed: string[] = [];
      sends.send(Uint8Array.of(1), TO, () => failed.push('first'));
      for (let i = 0; i < 60; i++) {
        sends.send(Uint8Array.of(2), OTHER, () => failed.push('other'));
        await sleep(clock, 25);
      }
      expect(failed).toEqual(['first']);
      expect(system.taken.length).toBe(60);
    });
  });

  it('that went well in between are no failure', async () => {
    await on(async (clock) => {
      let blocked = true;
      const system = systemOf(clock, () => (blocked ? refusal('denied') : undefined));
      const sends = new Resender(clock, system);
      const failed: string[] = [];
      for (let i = 0; i < 4; i++) {
        blocked = true;
        sends.send(Uint8Array.of(i), TO, () => failed.push('failed'));
        await sleep(clock, 900);
        blocked = false;
        await sleep(clock, 100);
      }
      expect(failed).toEqual([]);
      expect(system.taken.map(([data]) => data)).toEqual([0, 1, 2, 3]);
    });
  });

  it('are lost where too many wait, and none waits after the end', async () => {
    await on(async (clock) => {
      let blocked = true;
      const system = systemOf(clock, () => (blocked ? refusal('other') : undefined));
      const sends = new Resender(clock, system);
      for (let i = 0; i < 100; i++) sends.send(Uint8Array.of(i), TO);
      await sleep(clock, 10);
      blocked = false;
      await sleep(clock, 100);
      expect(system.taken.length).toBe(64);
      blocked = true;
      sends.send(Uint8Array.of(1), TO);
      await sleep(clock, 0);
      sends.stop();
      // The lab itself fails the run where a timer is left.
    });
  });

  it('of a closed socket are nobody’s failure', async () => {
    await on(async (clock) => {
      const sends = new Resender(
        clock,
        systemOf(clock, () => refusal('closed')),
      );
      const failed: string[] = [];
      sends.send(Uint8Array.of(1), TO, ({ kind }) => failed.push(kind));
      await sleep(clock, 2_000);
      expect(failed).toEqual([]);
    });
  });
});

import { describe, expect, it } from 'vitest';
import { Watch } from '../../src/connect/watch.ts';
import { createLab } from '../../src/lab/topology.ts';
import type { InterfaceAddress } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';

const address = (text: string, internal = false): InterfaceAddress => ({
  name: 'eth0',
  address: text,
  family: 4,
  prefixLength: 24,
  internal,
});

/** A path that is heard, and answers, until it does not. */
function watched<T>(
  play: (on: {
    readonly wait: (ms: number) => Promise<void>;
    readonly log: string[];
    /** Of the path. */
    hears: boolean;
    answers: boolean;
    addresses: InterfaceAddress[];
    readonly watch: Watch;
  }) => Promise<T>,
): Promise<T> {
  return createLab().run(async ({ clock }) => {
    const log: string[] = [];
    let [heardAt, answeredAt] = [0, 0];
    const on = {
      wait: (ms: number) => sleep(clock, ms),
      log,
      hears: true,
      answers: true,
      addresses: [address('127.0.0.1', true), address('192.168.1.3')],
      watch: undefined as unknown as Watch,
    };
    let cancel = (): void => {};
    const beat = (): void => {
      if (on.hears) heardAt = clock.now();
      if (on.hears && on.answers) answeredAt = clock.now();
      cancel = clock.after(2_000, beat);
    };
    beat();
    const note = (what: string) => log.push(`${clock.now()} ${what}`);
    on.watch = new Watch({
      clock,
      interfaces: () => on.addresses,
      life: { heardAt: () => heardAt, answeredAt: () => answeredAt },
      local: () => '192.168.1.3',
      suspected: note,
      lost: () => note('lost'),
      revived: () => note('revived'),
    });
    try {
      return await play(on);
    } finally {
      cancel();
      on.watch.stop();
    }
  });
}

describe('a watched path', () => {
  it('is suspected after four seconds of silence at most, lost after eight, and back with its answers', async () => {
    await watched(async (on) => {
      await on.wait(11_000);
      expect(on.log).toEqual([]);
      on.hears = false;
      await on.wait(20_000);
      expect(on.log).toEqual(['13500 silent', '18000 lost']);
      on.hears = true;
      await on.wait(4_000);
      expect(on.log.slice(2)).toEqual(['32000 revived']);
      on.hears = false;
      await on.wait(9_500);
      expect(on.log.slice(3)).toEqual(['37500 silent', '42000 lost']);
    });
  });

  it('is suspected, and lost, where the peer speaks and does not hear', async () => {
    await watched(async (on) => {
      await on.wait(3_000);
      on.answers = false;
      await on.wait(20_000);
      expect(on.log).toEqual(['10000 silent', '18000 lost']);
      on.answers = true;
      await on.wait(2_500);
      expect(on.log.slice(2)).toEqual(['24000 revived']);
    });
  });

  it('is lost at once when its local address vanishes, and not when another one does', async () => {
    await watched(async (on) => {
      on.addresses = [...on.addresses, address('10.0.0.1')];
      await on.wait(1_000);
      on.addresses = on.addresses.slice(0, 2);
      await on.wait(1_000);
      expect(on.log).toEqual([]);
      on.addresses = [];
      await on.wait(1_000);
      expect(on.log).toEqual(['2000 network', '2000 lost']);
      on.addresses = [address('192.168.1.9')];
      await on.wait(500);
      expect(on.log.slice(2)).toEqual(['3000 network']);
    });
  });

  it('is suspected when a send is refused, once', async () => {
    await watched(async (on) => {
      await on.wait(100);
      on.watch.refused();
      on.watch.refused();
      await on.wait(2_400);
      expect(on.log).toEqual(['100 refused', '2000 revived']);
    });
  });
});

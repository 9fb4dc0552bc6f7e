import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heap } from '../../src/lab/heap.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { DeadlockError, LeakError, RunawayError, World } from '../../src/lab/world.ts';
import { sleep } from '../../src/net/wait.ts';

const owner = { name: 'A', background: false };
const service = { name: 'S', background: true };

describe('virtual time', () => {
  it('jumps to the next event, however far', async () => {
    const world = new World();
    const clock = world.clock(owner);
    const times: number[] = [];
    await world.run(async () => {
      await sleep(clock, 86_400_000);
      times.push(clock.now());
      await sleep(clock, 0.25);
      times.push(clock.now());
    });
    expect(times).toEqual([86_400_000, 86_400_000.25]);
  });

  it('lets all that waits run before it goes on', async () => {
    const world = new World();
    const clock = world.clock(owner);
    const log: string[] = [];
    await world.run(async () => {
      clock.after(5, () => log.push('timer'));
      for (let i = 0; i < 1000; i++) await null;
      log.push('microtasks');
      await sleep(clock, 5);
    });
    expect(log).toEqual(['microtasks', 'timer']);
  });

  it('runs events of one instant in the order in which they were set', async () => {
    const world = new World();
    const log: number[] = [];
    await world.run(async () => {
      for (let i = 0; i < 20; i++) world.schedule(7, () => log.push(i));
      await sleep(world.clock(owner), 7);
    });
    expect(log).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  it('counts a negative delay as none and refuses one that is no number', async () => {
    const world = new World();
    await world.run(async () => {
      await sleep(world.clock(owner), -5);
      expect(world.now).toBe(0);
    });
    expect(() => world.schedule(Number.NaN, () => {})).toThrow(RangeError);
  });

  it('passes on the main error and the error of an event', async () => {
    await expect(new World().run(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    const world = new World();
    await expect(
      world.run(async () => {
        world.schedule(1, () => {
          throw new Error('in an event');
        });
        await sleep(world.clock(owner), 2);
      }),
    ).rejects.toThrow('in an event');
  });
});

describe('deadlocks and leaks', () => {
  it('reports a standstill, with what is still open', async () => {
    const world = new World();
    const run = world.run(async () => {
      await sleep(world.clock(owner), 12);
      world.hold(owner, () => 'UDP socket 192.168.1.3:42301');
      world.hold(service, () => 'not mine');
      await new Promise(() => {});
    });
    const error = await run.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error).toMatchObject({ atMs: 12, waiting: ['A: UDP socket 192.168.1.3:42301'] });
  });

  it('is not deceived by a cancelled timer', async () => {
    const world = new World();
    await expect(
      world.run(async () => {
        world.clock(owner).after(10, () => {})();
        await new Promise(() => {});
      }),
    ).rejects.toBeInstanceOf(DeadlockError);
    expect(world.now).toBe(0);
  });

  it('names timers and sockets that outlive the main procedure, and not those of services', async () => {
    const world = new World();
    const error = await world
      .run(async () => {
        world.clock(owner).after(250, () => {});
        world.clock(service).after(250, () => {});
        world.clock(owner).after(300, () => {})();
        world.hold(owner, () => 'UDP socket');
        world.hold(owner, () => 'closed')();
      })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LeakError);
    expect((error as LeakError).leaks).toEqual(['A: UDP socket', 'A: timer due at 250 ms']);
    // The next run starts clean.
    await expect(world.run(async () => 'clean')).resolves.toBe('clean');
  });

  it('says where a leaked timer was set, if asked', async () => {
    const world = new World({ stacks: true });
    const error = await world
      .run(async () => void world.clock(owner).after(1, () => {}))
      .catch((reason: unknown) => reason);
    expect((error as LeakError).leaks[0]).toContain('world.test.ts');
  });

  it('prefers the main error to the leaks that it caused', async () => {
    const world = new World();
    await expect(
      world.run(async () => {
        world.clock(owner).after(1, () => {});
        throw new Error('first');
      }),
    ).rejects.toThrow('first');
  });

  it('gives up on a loop without end', async () => {
    const forever = (world: World) =>
      world.run(async () => {
        for (;;) await sleep(world.clock(owner), 1000);
      });
    await expect(forever(new World({ limitMs: 60_000 }))).rejects.toBeInstanceOf(RunawayError);
    await expect(forever(new World({ limitEvents: 100 }))).rejects.toBeInstanceOf(RunawayError);
  });

  it('refuses to run twice at once', async () => {
    const world = new World();
    await world.run(() => expect(world.run(async () => {})).rejects.toThrow('running already'));
  });
});

describe('seeded chance', () => {
  it('gives each label a stream of its own, the same for the same seed', () => {
    const draw = (seed: number, label: string) =>
      Array.from(
        { length: 8 },
        (
          (random) => () =>
            random.below(2 ** 32)
        )(seededRandom(seed, label)),
      );
    expect(draw(1, 'a')).toEqual(draw(1, 'a'));
    expect(draw(1, 'a')).not.toEqual(draw(1, 'b'));
    expect(draw(1, 'a')).not.toEqual(draw(2, 'a'));
  });

  it('is uniform: each of ten cells within five deviations', () => {
    const random = seededRandom(42, 'uniform');
    const n = 100_000;
    const counted = new Array<number>(10).fill(0);
    for (let i = 0; i < n; i++) {
      const cell = random.below(10);
      counted[cell] = (counted[cell] ?? 0) + 1;
    }
    const deviation = Math.sqrt(n * 0.1 * 0.9);
    for (const count of counted) expect(Math.abs(count - n / 10)).toBeLessThan(5 * deviation);
  });

  it('stays in its bounds', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, bound) => {
        const random = seededRandom(seed, 'bounds');
        const value = random.below(bound);
        const unit = random.unit();
        return (
          value >= 0 &&
          value < bound &&
          Number.isInteger(value) &&
          unit >= 0 &&
          unit < 1 &&
          random.bytes(5).length === 5
        );
      }),
    );
    expect(() => seededRandom(1, '').below(0)).toThrow(RangeError);
  });

  it('draws nothing for what is certain', () => {
    const [a, b] = [seededRandom(1, 'x'), seededRandom(1, 'x')];
    expect([a.chance(0), a.chance(1)]).toEqual([false, true]);
    expect(a.below(1000)).toBe(b.below(1000));
  });
});

describe('heap', () => {
  it('sorts', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (items) => {
        const heap = new Heap<number>((a, b) => a < b);
        for (const item of items) heap.push(item);
        const out: number[] = [];
        for (let item = heap.pop(); item !== undefined; item = heap.pop()) out.push(item);
        expect(out).toEqual([...items].sort((a, b) => a - b));
      }),
    );
  });
});

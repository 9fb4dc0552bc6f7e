import { describe, expect, it } from 'vitest';
import { World } from '../../src/lab/world.ts';
import { drive, type Machine } from '../../src/net/machine.ts';

/** Wakes at what it was told last, and answers with what it saw. */
class Alarm implements Machine<number | undefined, string> {
  #at: number | undefined;
  handle(at: number | undefined, now: number): string[] {
    this.#at = at;
    return [`told ${at} at ${now}`];
  }
  wakeAt(): number | undefined {
    return this.#at;
  }
  wake(now: number): string[] {
    this.#at = undefined;
    return [`woken at ${now}`, 'and done'];
  }
}

/** On virtual time, which ends when nothing is left to wait for: a timer left behind would show. */
async function play(
  script: (drive: { feed(at: number | undefined): void; stop(): void }, clock: ReturnType<World['clock']>) => void,
  perform: (action: string) => void = () => {},
  failed?: (error: unknown) => void,
): Promise<{ done: string[]; now: number }> {
  const world = new World({ seed: 1 });
  const clock = world.clock({ name: 'machine', background: false });
  const done: string[] = [];
  await world.run(async () => {
    const driver = drive(
      new Alarm(),
      clock,
      (action) => {
        done.push(action);
        perform(action);
      },
      failed,
    );
    await new Promise<void>((resolve) => {
      clock.after(100, resolve);
      script(driver, clock);
    });
    driver.stop();
  });
  return { done, now: world.now };
}

describe('a driven machine', () => {
  it('is told at once, and woken at its deadline, once', async () => {
    const { done } = await play((driver) => driver.feed(30));
    expect(done).toEqual(['told 30 at 0', 'woken at 30', 'and done']);
  });

  it('has one timer, that follows its deadline: later, sooner and never', async () => {
    const { done } = await play((driver, clock) => {
      driver.feed(30);
      clock.after(10, () => driver.feed(60));
      clock.after(20, () => driver.feed(50));
    });
    expect(done).toEqual(['told 30 at 0', 'told 60 at 10', 'told 50 at 20', 'woken at 50', 'and done']);
    const never = await play((driver, clock) => {
      driver.feed(30);
      clock.after(10, () => driver.feed(undefined));
    });
    expect(never.done).toEqual(['told 30 at 0', 'told undefined at 10']);
  });

  it('hears and does nothing more once it is stopped, not even the rest of an answer', async () => {
    let stop = (): void => {};
    const { done } = await play(
      (driver, clock) => {
        stop = () => driver.stop();
        driver.feed(30);
        clock.after(40, () => driver.feed(50));
      },
      (action) => action === 'woken at 30' && stop(),
    );
    expect(done).toEqual(['told 30 at 0', 'woken at 30']);
    const early = await play((driver) => {
      driver.feed(30);
      driver.stop();
    });
    expect(early.done).toEqual(['told 30 at 0']);
  });

  it('goes on after what a deadline did failed', async () => {
    const errors: unknown[] = [];
    const { done } = await play(
      (driver, clock) => {
        driver.feed(30);
        clock.after(40, () => driver.feed(50));
      },
      (action) => {
        if (action.startsWith('woken')) throw new Error(action);
      },
      (error) => errors.push((error as Error).message),
    );
    expect(errors).toEqual(['woken at 30', 'woken at 50']);
    expect(done).toEqual(['told 30 at 0', 'woken at 30', 'told 50 at 40', 'woken at 50']);
  });

  it('tells whoever feeds it of an error there', async () => {
    await expect(
      play(
        (driver) => driver.feed(30),
        () => {
          throw new Error('no');
        },
      ),
    ).rejects.toThrow('no');
  });
});

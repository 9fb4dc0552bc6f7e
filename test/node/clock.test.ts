import { createSocket } from 'node:dgram';
import { describe, expect, it } from 'vitest';
import { nodeClock } from '../../src/node/clock.ts';

describe('the clock', () => {
  it('never wakes early, whatever the fraction of a millisecond', async () => {
    const early: number[] = [];
    await Promise.all(
      Array.from({ length: 60 }, (_, i) => {
        const due = nodeClock.now() + i / 3;
        return new Promise<void>((resolve) =>
          nodeClock.after(i / 3, () => {
            if (nodeClock.now() < due) early.push(i);
            resolve();
          }),
        );
      }),
    );
    expect(early).toEqual([]);
  });

  it('wakes at once for the past, but never within the call', async () => {
    let inside = true;
    await new Promise<void>((resolve) => {
      nodeClock.after(-5, () => {
        expect(inside).toBe(false);
        resolve();
      });
      inside = false;
    });
  });

  it('does not wake what was cancelled, neither before its time nor in its last moment', async () => {
    const woken: string[] = [];
    nodeClock.after(0, () => woken.push('now'))();
    nodeClock.after(1, () => woken.push('soon'))();
    const cancel = nodeClock.after(1e12, () => woken.push('a delay beyond what Node counts'));
    await new Promise<void>((resolve) => void nodeClock.after(5, resolve));
    cancel();
    cancel();
    expect(woken).toEqual([]);
  });

  it('lets a datagram that waits in the kernel be heard before a deadline that passed meanwhile', async () => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const order = await new Promise<string[]>((resolve) => {
      const heard: string[] = [];
      const note = (what: string) => heard.push(what) === 2 && resolve(heard);
      socket.on('message', () => note('datagram'));
      nodeClock.after(3, () => note('deadline'));
      socket.send('x', socket.address().port, '127.0.0.1');
      const until = performance.now() + 20;
      while (performance.now() < until); // the process is held up past the deadline
    });
    socket.close();
    expect(order).toEqual(['datagram', 'deadline']);
  });
});

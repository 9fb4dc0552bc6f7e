import { describe, expect, it } from 'vitest';
import { Pushes } from '../../src/rendezvous/pushes.ts';

/** All that are due, at each deadline. */
function run(pushes: Pushes<string>, until = Number.POSITIVE_INFINITY): string[] {
  const taken: string[] = [];
  for (let at = pushes.wakeAt; at !== undefined && at <= until; at = pushes.wakeAt)
    for (let who = pushes.take(at); who !== undefined; who = pushes.take(at)) taken.push(`${at} ${who}`);
  return taken;
}

describe('pushes', () => {
  it('come again after 60 ms, and after twice as long each time, five times in all', () => {
    const pushes = new Pushes<string>();
    expect(pushes.wakeAt).toBeUndefined();
    pushes.begin('a', 10);
    expect(pushes.take(69)).toBeUndefined();
    expect(run(pushes)).toEqual(['70 a', '190 a', '430 a', '910 a', '1870 a']);
  });

  it('are each on its own way, earliest first', () => {
    const pushes = new Pushes<string>();
    pushes.begin('a', 0);
    pushes.begin('b', 30);
    expect(run(pushes, 300)).toEqual(['60 a', '90 b', '180 a', '210 b']);
  });

  it('begin anew with news, and end when told so', () => {
    const pushes = new Pushes<string>();
    pushes.begin('a', 0);
    pushes.begin('b', 0);
    expect(run(pushes, 60)).toEqual(['60 a', '60 b']);
    pushes.begin('a', 100);
    pushes.end('b');
    pushes.end('b');
    expect(run(pushes, 300)).toEqual(['160 a', '280 a']);
    pushes.end('a');
    expect(pushes.wakeAt).toBeUndefined();
  });
});

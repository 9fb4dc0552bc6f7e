import { describe, expect, it } from 'vitest';
import { Grant } from '../../src/turn/grant.ts';

describe('the time that a server grants', () => {
  it('is counted from the request, and asked for again after five sixths of it', () => {
    const grant = new Grant();
    expect([grant.isDue(1e9), grant.isOver(1e9), grant.wakeAt()]).toEqual([false, false, Number.POSITIVE_INFINITY]);
    expect(grant.renew(undefined, 1_000, 1_400)).toBe(600);
    expect(grant.wakeAt()).toBe(501_000);
    expect([grant.isDue(500_999), grant.isDue(501_000)]).toEqual([false, true]);
    grant.asked();
    expect([grant.isDue(600_000), grant.wakeAt()]).toEqual([false, 601_000]);
    expect([grant.isOver(600_999), grant.isOver(601_000)]).toEqual([false, true]);
  });

  it('is asked for at once where little of it is left when the answer comes', () => {
    const grant = new Grant();
    expect(grant.renew(1, 0, 900)).toBe(1);
    expect([grant.isDue(900), grant.wakeAt()]).toEqual([true, 900]);
  });

  it('is asked for again half way to the end after an error, but not sooner than in five seconds', () => {
    const grant = new Grant();
    grant.renew(600, 0, 0);
    grant.asked();
    grant.again(500_000);
    expect(grant.wakeAt()).toBe(550_000);
    grant.again(598_000);
    expect([grant.isDue(602_999), grant.isDue(603_000)]).toEqual([false, true]);
  });
});

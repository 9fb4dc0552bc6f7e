import { describe, expect, it } from 'vitest';
import { Mailboxes, MOST_MESSAGE } from '../../src/rendezvous/mailbox.ts';

const [T, B, X] = ['terminal-member', 'browser-member', 'somebody-else'];

describe('a box', () => {
  it('gives each side what the other one said, in order, from where it left off', () => {
    const boxes = new Mailboxes();
    expect(boxes.put('r', 'terminal', T, 'setup', 0)).toBeUndefined();
    expect(boxes.read('r', 'browser', B, 0, 1)).toEqual(['setup']);
    boxes.put('r', 'browser', B, 'one', 2);
    boxes.put('r', 'browser', B, 'two', 3);
    expect(boxes.read('r', 'terminal', T, 0, 4)).toEqual(['one', 'two']);
    expect(boxes.read('r', 'terminal', T, 1, 4)).toEqual(['two']);
    expect(boxes.read('r', 'terminal', T, 2, 4)).toEqual([]);
    expect(boxes.read('r', 'browser', B, 1, 4)).toEqual([]);
  });

  it('is made by a terminal alone, and gone when that takes it away', () => {
    const boxes = new Mailboxes();
    expect(boxes.read('r', 'browser', B, 0, 0)).toBe('gone');
    expect(boxes.put('r', 'browser', B, 'x', 0)).toBe('gone');
    boxes.put('r', 'terminal', T, 'setup', 0);
    boxes.remove('r', X);
    expect(boxes.read('r', 'browser', B, 0, 0)).toEqual(['setup']);
    boxes.remove('r', T);
    expect(boxes.read('r', 'browser', B, 0, 0)).toBe('gone');
  });

  it('knows two, and turns away a third on either side', () => {
    const boxes = new Mailboxes();
    boxes.put('r', 'terminal', T, 'setup', 0);
    boxes.read('r', 'browser', B, 0, 0);
    expect(boxes.read('r', 'browser', X, 0, 0)).toBe('taken');
    expect(boxes.put('r', 'browser', X, 'x', 0)).toBe('taken');
    expect(boxes.put('r', 'terminal', X, 'x', 0)).toBe('taken');
    expect(boxes.read('r', 'terminal', T, 0, 0)).toEqual([]);
  });

  it('ends a quarter of an hour after it was touched', () => {
    const boxes = new Mailboxes();
    boxes.put('r', 'terminal', T, 'setup', 0);
    boxes.read('r', 'browser', B, 0, 10 * 60_000);
    expect(boxes.read('r', 'browser', B, 0, 24 * 60_000)).toEqual(['setup']);
    expect(boxes.read('r', 'browser', B, 0, 40 * 60_000)).toBe('gone');
    expect(boxes.size).toBe(0);
  });

  it('holds so much, and there are so many', () => {
    const boxes = new Mailboxes();
    const long = 'x'.repeat(MOST_MESSAGE);
    const said = Array.from({ length: 10 }, () => boxes.put('r', 'terminal', T, long, 0));
    expect(said.filter((each) => each === 'full').length).toBe(5);
    expect((boxes.read('r', 'browser', B, 0, 0) as string[]).length).toBe(2);
    for (let i = 0; i < 5_000; i++) boxes.put(`r${i}`, 'terminal', T, 'x', 1);
    expect(boxes.size).toBe(1_000);
    expect(boxes.read('r', 'browser', B, 0, 2)).toBe('gone');
    expect(boxes.read('r4999', 'browser', B, 0, 2)).toEqual(['x']);
  });

  it('is not driven out by a source that makes many', () => {
    const boxes = new Mailboxes();
    boxes.put('mine', 'terminal', T, 'setup', 0, 'me');
    for (let i = 0; i < 2_000; i++) boxes.put(`flood-${i}`, 'terminal', X, 'x', 1, 'flooder');
    expect(boxes.size).toBe(65);
    for (let i = 0; i < 2_000; i++) boxes.put(`spread-${i}`, 'terminal', X, 'x', 2, `source-${i % 40}`);
    expect(boxes.size).toBe(1_000);
    expect(boxes.read('mine', 'browser', B, 0, 3)).toEqual(['setup']);
  });
});

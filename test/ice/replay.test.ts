import { describe, expect, it } from 'vitest';
import { Replay } from '../../src/ice/replay.ts';
import { at } from './wire.ts';

const HERE = at('192.0.2.1:5000');

describe('a check that comes again', () => {
  it('from the same place to the same socket is a retransmission', () => {
    const replay = new Replay(8);
    expect([replay.isReplay('t', 0, HERE), replay.isReplay('t', 0, HERE)]).toEqual([false, false]);
  });

  it.each([
    ['another address', 0, '192.0.2.9:5000'],
    ['another port', 0, '192.0.2.1:5001'],
  ])('from %s is a replay, and stays one', (_, socket, from) => {
    const replay = new Replay(8);
    replay.isReplay('t', 0, HERE);
    expect([replay.isReplay('t', socket, at(from)), replay.isReplay('t', socket, at(from))]).toEqual([true, true]);
    expect(replay.isReplay('t', 0, HERE)).toBe(false);
  });

  it('to another socket is a replay', () => {
    const replay = new Replay(8);
    replay.isReplay('t', 0, HERE);
    expect(replay.isReplay('t', 1, HERE)).toBe(true);
  });

  it('is remembered among the latest so many', () => {
    const replay = new Replay(2);
    for (const transaction of ['a', 'b', 'c']) replay.isReplay(transaction, 0, HERE);
    const elsewhere = at('192.0.2.9:1');
    // b and c are known; a is not any more.
    expect(['c', 'b', 'a'].map((each) => replay.isReplay(each, 0, elsewhere))).toEqual([true, true, false]);
  });
});

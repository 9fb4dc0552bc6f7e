import { describe, expect, it } from 'vitest';
import { eventOf } from '../../src/connect/ice-events.ts';
import type { IceLog } from '../../src/ice/agent.ts';

const [HERE, THERE] = [
  { address: '12.13.14.15', port: 7 },
  { address: '22.23.24.25', port: 8 },
];
const check = { event: 'check', socket: 1, to: THERE, cause: 'ordinary', attempt: 1 } as const;

describe('what of an agent’s log is told', () => {
  it.each<[IceLog, ReturnType<typeof eventOf>]>([
    [check, ['check', { to: '22.23.24.25:8', cause: 'ordinary' }]],
    [{ ...check, cause: 'triggered' }, ['check', { to: '22.23.24.25:8', cause: 'triggered' }]],
    // Repetitions, and the choice of what works.
    [{ ...check, attempt: 2 }, undefined],
    [{ ...check, cause: 'nomination' }, undefined],
    [{ event: 'checked', socket: 1, from: THERE, useCandidate: true }, ['checked', { from: '22.23.24.25:8' }]],
    [
      { event: 'answered', socket: 1, from: THERE, mapped: HERE, rttMs: 3, speculative: false },
      ['answered', { from: '22.23.24.25:8', mapped: '12.13.14.15:7', rttMs: 3 }],
    ],
    [
      { event: 'answered', socket: 1, from: THERE, mapped: HERE, rttMs: undefined, speculative: true },
      ['answered', { from: '22.23.24.25:8', mapped: '12.13.14.15:7', rttMs: null }],
    ],
    [
      { event: 'pair-failed', socket: 1, remote: THERE, why: 'timeout' },
      ['pair-failed', { remote: '22.23.24.25:8', why: 'timeout' }],
    ],
    [{ event: 'role', role: 'controlling' }, undefined],
    [{ event: 'nominating', socket: 1, to: THERE }, undefined],
  ])('%j', (entry, told) => {
    expect(eventOf(entry)).toEqual(told);
  });
});

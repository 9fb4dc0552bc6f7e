import { describe, expect, it } from 'vitest';
import { BRISK_PACING, type IceConfig } from '../../src/ice/agent.ts';
import { candidate, type Fate, type Packet, Wire } from './wire.ts';

const A = '192.0.2.1:5000';
const B = '192.0.2.2:6000';

/** Two agents, one socket each, that tell each other all at time 0. */
function duo(options: { readonly fate?: (packet: Packet) => Fate; readonly a?: Partial<IceConfig>; readonly b?: Partial<IceConfig> } = {}) {
  const wire = new Wire(options.fate);
  const a = wire.party('a', { role: 'controlling', ...options.a });
  const b = wire.party('b', { role: 'controlled', ...options.b });
  const hostA = a.host(0, A);
  const hostB = b.host(0, B);
  return { wire, a, b, hostA, hostB, meet: () => { a.meet(b, [hostB]); b.meet(a, [hostA]); } };
}

describe('two agents on an open path', () => {
  it('select the same pair, at instants that the delay alone decides', () => {
    const { wire, a, b, meet } = duo({ a: { pacing: BRISK_PACING }, b: { pacing: BRISK_PACING } });
    meet();
    wire.run(200);
    expect([a.selected, b.selected]).toEqual([`${A} > ${B}`, `${B} > ${A}`]);
    expect([a.of('valid')[0]?.at, b.of('valid')[0]?.at]).toEqual([20, 20]);
    expect([a.of('selected')[0]?.at, b.of('selected')[0]?.at]).toEqual([40, 30]);
    expect(a.of('valid')[0]?.what.rttMs).toBe(20);
    expect([a.agent.state, b.agent.state]).toEqual(['completed', 'completed']);
  });
});

void candidate;

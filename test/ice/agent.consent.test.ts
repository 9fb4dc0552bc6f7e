import { describe, expect, it } from 'vitest';
import { BRISK_PACING, type IceConfig } from '../../src/ice/agent.ts';
import { encodeError } from '../../src/ice/messages.ts';
import { shortTermKey } from '../../src/stun/credentials.ts';
import { checkFingerprint, checkIntegrity } from '../../src/stun/integrity.ts';
import { decode } from '../../src/stun/message.ts';
import { at, type Party, Wire } from './wire.ts';

function connected(config: Partial<IceConfig> = {}, seed = 1): { wire: Wire; a: Party; b: Party } {
  const wire = new Wire(undefined, seed);
  const a = wire.party('a', { role: 'controlling', pacing: BRISK_PACING, ...config });
  const b = wire.party('b', { role: 'controlled', pacing: BRISK_PACING, ...config });
  const hosts = [a.host(0, '192.0.2.1:5000'), b.host(0, '192.0.2.2:6000')];
  a.meet(b, hosts.slice(1));
  b.meet(a, hosts.slice(0, 1));
  wire.run(100);
  expect([a.agent.state, b.agent.state]).toEqual(['completed', 'completed']);
  return { wire, a, b };
}

const sentAfter = (party: Party, from: number, kind: 'request' | 'indication') =>
  party.sends().filter(({ at, data }) => at > from && decode(data).class === kind);

describe('consent', () => {
  it('is asked for every 4 to 6 s, at random, once each', () => {
    const waits: number[] = [];
    for (let seed = 1; seed <= 10; seed++) {
      const { wire, a } = connected({}, seed);
      wire.run(300_000);
      const times = [40, ...sentAfter(a, 100, 'request').map(({ at }) => at)];
      waits.push(...times.slice(1).map((at, index) => at - (times[index] ?? 0)));
      expect(a.agent.state).toBe('completed');
    }
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(4000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(6000);
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(1500);
    expect(new Set(waits.map(Math.round)).size).toBeGreaterThan(100);
  });

  it('is lost 30 s after the last answer, and with it the right to send', () => {
    const { wire, a, b } = connected();
    wire.run(60_000);
    const lastAnswer = Math.max(
      ...b
        .sends()
        .filter(({ data }) => decode(data).class === 'success')
        .map(({ at }) => at),
    );
    wire.fate = () => [];
    // What b had answered before reaches a 10 ms later.
    wire.run(200_000);
    expect(a.of('consent-lost').map(({ at }) => at)).toEqual([lastAnswer + 10 + 30_000]);
    expect(a.agent.state).toBe('lost');
    expect(a.agent.wakeAt()).toBeUndefined();
    expect(a.sends().filter(({ at }) => at > lastAnswer + 10 + 30_000)).toEqual([]);
    expect(b.agent.state).toBe('lost');
  });

  it('survives a hole of 20 s', () => {
    const { wire, a, b } = connected();
    const open = wire.fate;
    wire.run(60_000);
    wire.fate = () => [];
    wire.run(80_000);
    wire.fate = open;
    wire.run(200_000);
    expect([a.agent.state, b.agent.state]).toEqual(['completed', 'completed']);
  });

  it('is not renewed by forged answers', () => {
    const { wire, a } = connected();
    wire.fate = ({ data }) => {
      const forged = data.slice();
      // The answer's own bytes, one bit of the seal turned.
      if (decode(data).class === 'success') forged[forged.length - 12] = (forged[forged.length - 12] ?? 0) ^ 1;
      return [{ afterMs: 10, data: forged }];
    };
    wire.run(100_000);
    expect(a.agent.state).toBe('lost');
  });

  it.each([
    ['another address', '192.0.2.66:6000'],
    ['another port', '192.0.2.2:6001'],
  ])('is not renewed by an authentic answer from %s (RFC 7675 §5.1)', (_, elsewhere) => {
    const { wire, a } = connected();
    wire.fate = ({ data, to }) => [
      { afterMs: 10, ...(decode(data).class === 'success' && to.port === 5000 ? { from: at(elsewhere) } : {}) },
    ];
    wire.run(100_000);
    expect(a.agent.state).toBe('lost');
    expect(a.logs('asymmetric').every(({ what }) => !what.accepted)).toBe(true);
    expect(a.logs('asymmetric').length).toBeGreaterThan(0);
  });

  it('is not renewed by an authentic answer on another socket', () => {
    const { wire, a } = connected();
    a.bind(1, '192.0.2.1:5001');
    wire.fate = ({ data, to }) => [
      { afterMs: 10, ...(decode(data).class === 'success' && to.port === 5000 ? { to: at('192.0.2.1:5001') } : {}) },
    ];
    wire.run(100_000);
    expect(a.agent.state).toBe('lost');
  });

  it('is not renewed by an error', () => {
    const { wire, a, b } = connected();
    wire.fate = ({ data, to }) => {
      const answer = decode(data);
      if (answer.class !== 'success' || to.port !== 5000) return [{ afterMs: 10 }];
      return [{ afterMs: 10, data: encodeError(answer, 400, shortTermKey(b.credentials.pwd)) }];
    };
    wire.run(100_000);
    expect(a.agent.state).toBe('lost');
  });

  it('is renewed from elsewhere where any return path is allowed', () => {
    const { wire, a } = connected({ anyReturnPath: true });
    wire.fate = ({ data, to }) => [
      { afterMs: 10, ...(decode(data).class === 'success' && to.port === 5000 ? { from: at('192.0.2.66:1') } : {}) },
    ];
    wire.run(100_000);
    expect(a.agent.state).toBe('completed');
  });

  it('measures the round trip', () => {
    const { wire, a } = connected();
    wire.fate = () => [{ afterMs: 35 }];
    wire.run(30_000);
    expect(a.agent.selected?.rttMs).toBeCloseTo(70, 6);
  });
});

describe('without consent', () => {
  it('indications keep the path open, every 15 s', () => {
    const { wire, a, b } = connected({ consent: false });
    wire.fate = () => [];
    wire.run(50_000);
    expect(sentAfter(a, 100, 'request')).toEqual([]);
    const keepalives = sentAfter(a, 100, 'indication');
    expect(keepalives.map(({ at }) => at)).toEqual([15_040, 30_040, 45_040]);
    const message = decode(keepalives[0]?.data ?? new Uint8Array());
    expect(checkFingerprint(message)).toBe('valid');
    expect(checkIntegrity(message, new Uint8Array(1))).toBe('absent');
    expect([a.agent.state, b.agent.state]).toEqual(['completed', 'completed']);
  });
});

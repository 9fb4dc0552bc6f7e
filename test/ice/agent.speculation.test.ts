import { describe, expect, it } from 'vitest';
import { formatEndpoint } from '../../src/net/address.ts';
import { BRISK_PACING, type IceConfig } from '../../src/ice/agent.ts';
import { decode, transactionKey } from '../../src/stun/message.ts';
import { at, type Party, Wire } from './wire.ts';

const BRISK: Partial<IceConfig> = { pacing: BRISK_PACING, patienceMs: 0, consent: false };

/** a knows of b, but not where: no candidates. */
function strangers(config: Partial<IceConfig> = {}): { wire: Wire; a: Party; b: Party } {
  const wire = new Wire();
  const a = wire.party('a', { role: 'controlling', ...BRISK, ...config });
  const b = wire.party('b', { role: 'controlled', ...BRISK, ...config });
  a.bind(0, '192.0.2.1:5000');
  b.bind(0, '192.0.2.2:6000');
  return { wire, a, b };
}

const acquaint = (a: Party, b: Party): void => {
  a.feed({ kind: 'remote-credentials', ...b.credentials });
  b.feed({ kind: 'remote-credentials', ...a.credentials });
};

describe('a speculative check', () => {
  it('that hits makes a valid pair on both sides, without any candidate', () => {
    const { wire, a, b } = strangers();
    acquaint(a, b);
    for (let port = 5990; port < 6010; port++) a.feed({ kind: 'speculate', socket: 0, to: at(`192.0.2.2:${port}`) });
    wire.run(1000);
    expect([a.selected, b.selected]).toEqual(['192.0.2.1:5000 > 192.0.2.2:6000', '192.0.2.2:6000 > 192.0.2.1:5000']);
    expect(a.of('valid').map(({ at: when, what }) => [when, what.rttMs])).toEqual([[20, 20]]);
    expect([a.agent.selected?.speculative, b.agent.selected?.speculative]).toEqual([true, false]);
    expect(a.agent.pairs()).toHaveLength(1);
  });

  it.each([
    [9n, 5n],
    [5n, 9n],
    [7n, 7n],
  ])('settles who controls, where both sides believe they do (%i, %i)', (tieA, tieB) => {
    const wire = new Wire();
    const a = wire.party('a', { ...BRISK, role: 'controlling', tieBreaker: tieA });
    const b = wire.party('b', { ...BRISK, role: 'controlling', tieBreaker: tieB });
    a.bind(0, '192.0.2.1:5000');
    b.bind(0, '192.0.2.2:6000');
    acquaint(a, b);
    a.feed({ kind: 'speculate', socket: 0, to: at('192.0.2.2:6000') });
    wire.run(2000);
    expect([a.agent.state, b.agent.state]).toEqual(['completed', 'completed']);
    expect(new Set([a.agent.role, b.agent.role]).size).toBe(2);
  });

  it('is sent once, with the time to live asked for', () => {
    const { wire, a, b } = strangers();
    acquaint(a, b);
    a.feed({ kind: 'speculate', socket: 0, to: at('192.0.2.2:1'), ttl: 3 });
    wire.run(10_000);
    expect(a.sends().map(({ to, ttl }) => [to, ttl])).toEqual([['192.0.2.2:1', 3]]);
  });

  it('is not sent before the credentials are known, nor after a pair was chosen', () => {
    const { wire, a, b } = strangers();
    a.feed({ kind: 'speculate', socket: 0, to: at('192.0.2.2:6000') });
    expect(a.sends()).toEqual([]);
    acquaint(a, b);
    a.feed({ kind: 'speculate', socket: 0, to: at('192.0.2.2:6000') });
    wire.run(1000);
    const sent = a.sends().length;
    a.feed({ kind: 'speculate', socket: 0, to: at('192.0.2.2:6001') });
    expect(a.sends().length).toBe(sent);
  });

  it('answered too late counts for nothing', () => {
    const { wire, a, b } = strangers({ speculationMs: 500 });
    wire.fate = ({ from }) => [{ afterMs: formatEndpoint(from) === '192.0.2.2:6000' ? 600 : 10 }];
    a.feed({ kind: 'remote-credentials', ...b.credentials });
    a.feed({ kind: 'speculate', socket: 0, to: at('192.0.2.2:6000') });
    wire.run(5000);
    expect(a.of('valid')).toEqual([]);
  });

  it('holds the verdict back until its answer can come no more', () => {
    const { wire, a, b } = strangers({ speculationMs: 500 });
    wire.fate = () => [];
    a.feed({ kind: 'remote-credentials', ...b.credentials });
    wire.run(1000);
    a.feed({ kind: 'speculate', socket: 0, to: at('192.0.2.2:1') });
    wire.run(1300);
    a.feed({ kind: 'speculate', socket: 0, to: at('192.0.2.2:2') });
    a.feed({ kind: 'local-end' });
    a.feed({ kind: 'remote-end' });
    wire.run(5000);
    expect(a.of('failed').map(({ at: when, what }) => [when, what.reason])).toEqual([[1800, 'no-answer']]);
  });

  it('from one of many sockets finds the one whose mapping the peer guessed', () => {
    const { wire, a, b } = strangers();
    // a: 200 sockets, each of which the NAT shows at a random port; b has one, filtered by port.
    a.behind('symmetric', '198.51.100.1', { ports: { kind: 'random' } });
    b.behind('port-restricted-cone', '198.51.100.2');
    const target = b.reflect(0).endpoint;
    acquaint(a, b);
    for (let i = 0; i < 256; i++) {
      a.bind(1000 + i, `192.168.1.3:${10_000 + i}`);
      a.feed({ kind: 'speculate', socket: 1000 + i, to: target });
    }
    const step = 40_503; // odd: visits every port once
    for (let i = 0; i < 2000; i++) {
      wire.after(i * 3, () =>
        b.feed({ kind: 'speculate', socket: 0, to: { address: '198.51.100.1', port: ((i * step) % 64_512) + 1024 } }),
      );
    }
    wire.run(10_000);
    expect([a.agent.state, b.agent.state]).toEqual(['completed', 'completed']);
    expect(a.agent.selected?.socket).toBeGreaterThanOrEqual(1000);
    expect(a.agent.selected?.local.endpoint).toEqual(b.agent.selected?.remote.endpoint);
    expect(b.agent.pairs().length).toBeLessThan(20);
  });
});

describe('thousands of them', () => {
  it('are remembered up to the limit, the latest ones', () => {
    const { wire, a, b } = strangers({ limits: { speculative: 100 } });
    wire.fate = () => [];
    a.feed({ kind: 'remote-credentials', ...b.credentials });
    b.feed({ kind: 'remote-credentials', ...a.credentials });
    for (let i = 0; i < 5000; i++) a.feed({ kind: 'speculate', socket: 0, to: { address: '192.0.2.2', port: 1 + i } });
    expect(a.agent.counters.speculative).toBe(5000);
    const requests = a.sends();
    const ids = new Set(requests.map(({ data }) => transactionKey(decode(data).transactionId)));
    expect(ids.size).toBe(5000);
    const answers = (index: number) => {
      const request = requests[index];
      if (!request) throw new Error('no such request');
      return b.agent
        .handle({ kind: 'datagram', socket: 0, from: at('192.0.2.1:5000'), message: decode(request.data) }, wire.now)
        .flatMap((action) => (action.kind === 'send' && decode(action.data).class === 'success' ? [action.data] : []));
    };
    const deliver = (index: number) => {
      for (const data of answers(index))
        a.feed({ kind: 'datagram', socket: 0, from: { address: '192.0.2.2', port: 1 + index }, message: decode(data) });
      return a.of('valid').length;
    };
    expect(deliver(4899)).toBe(0);
    expect(deliver(4900)).toBe(1);
  });
});

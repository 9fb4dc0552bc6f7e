import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatEndpoint } from '../../src/net/address.ts';
import { BRISK_PACING, type IceConfig } from '../../src/ice/agent.ts';
import { IceInputError } from '../../src/ice/credentials.ts';
import { encodeCheck } from '../../src/ice/messages.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { attribute } from '../../src/stun/attributes.ts';
import { shortTermKey } from '../../src/stun/credentials.ts';
import { decode, encode, get, METHOD } from '../../src/stun/message.ts';
import { at, candidate, type Party, Wire } from './wire.ts';

const A = '192.0.2.1:5000';
const B = '192.0.2.2:6000';
const EVE = '203.0.113.66:666';

function scene(config: Partial<IceConfig> = {}) {
  const wire = new Wire();
  const a = wire.party('a', { role: 'controlling', pacing: BRISK_PACING, ...config });
  const b = wire.party('b', { role: 'controlled', pacing: BRISK_PACING });
  const [hostA, hostB] = [a.host(0, A), b.host(0, B)];
  return { wire, a, b, hostA, hostB };
}

const random = seededRandom(1, 'eve');

/** A check as b would send it to a, with what is to be different. */
const check = (a: Party, b: Party, over: Partial<Parameters<typeof encodeCheck>[0]> = {}): Uint8Array =>
  encodeCheck({
    transactionId: random.bytes(12),
    username: `${a.credentials.ufrag}:${b.credentials.ufrag}`,
    key: shortTermKey(a.credentials.pwd),
    role: 'controlled',
    tieBreaker: 1n,
    priority: 100,
    useCandidate: false,
    ...over,
  });

/** All that can be seen of an agent. */
const picture = (party: Party) => ({
  state: party.agent.state,
  role: party.agent.role,
  pairs: party.agent.pairs(),
  wakeAt: party.agent.wakeAt(),
  sent: party.actions.length,
});

describe('a packet that is not authentic changes nothing and gets no answer', () => {
  const cases: readonly (readonly [string, (a: Party, b: Party) => Uint8Array])[] = [
    ['a check under a wrong password', (a, b) => check(a, b, { key: shortTermKey('x'.repeat(22)) })],
    ["a check under our peer's password", (a, b) => check(a, b, { key: shortTermKey(b.credentials.pwd) })],
    ['a check for somebody else', (a, b) => check(a, b, { username: `${b.credentials.ufrag}:${a.credentials.ufrag}` })],
    [
      'a check for a ufrag that begins like ours',
      (a, b) => check(a, b, { username: `${a.credentials.ufrag}x:${b.credentials.ufrag}` }),
    ],
    [
      'a check that nominates and claims our role',
      (a, b) =>
        check(a, b, {
          key: shortTermKey('x'.repeat(22)),
          role: 'controlling',
          tieBreaker: 2n ** 64n - 1n,
          useCandidate: true,
        }),
    ],
    [
      'a plain Binding request',
      () => encode({ class: 'request', method: METHOD.binding, transactionId: random.bytes(12), attributes: [] }),
    ],
    [
      'an answer to nothing',
      (a) =>
        encode(
          {
            class: 'success',
            method: METHOD.binding,
            transactionId: random.bytes(12),
            attributes: [attribute('XOR-MAPPED-ADDRESS', at(A))],
          },
          { key: shortTermKey(a.credentials.pwd) },
        ),
    ],
    [
      'an indication',
      () =>
        encode(
          { class: 'indication', method: METHOD.binding, transactionId: random.bytes(12), attributes: [] },
          { fingerprint: true },
        ),
    ],
    [
      'a request of another method',
      (a) =>
        encode(
          { class: 'request', method: METHOD.allocate, transactionId: random.bytes(12), attributes: [] },
          { key: shortTermKey(a.credentials.pwd) },
        ),
    ],
  ];

  it.each(cases)('%s', (_name, make) => {
    const { wire, a, b, hostB } = scene();
    wire.fate = () => [];
    a.meet(b, [hostB]);
    const before = picture(a);
    for (const from of [EVE, B]) a.feed({ kind: 'datagram', socket: 0, from: at(from), message: decode(make(a, b)) });
    expect(picture(a)).toEqual(before);
  });

  it('any bit of a check or an answer turned', () => {
    const { wire, a, b, hostB } = scene();
    wire.fate = () => [];
    a.meet(b, [hostB]);
    const original = check(a, b);
    const asked = a.sends()[0]?.data ?? new Uint8Array();
    const answer = encode(
      {
        class: 'success',
        method: METHOD.binding,
        transactionId: decode(asked).transactionId,
        attributes: [attribute('XOR-MAPPED-ADDRESS', at(A))],
      },
      { key: shortTermKey(b.credentials.pwd), fingerprint: true },
    );
    const before = picture(a);
    for (const message of [original, answer]) {
      for (let bit = 0; bit < message.length * 8; bit++) {
        const turned = message.slice();
        turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        let decoded: ReturnType<typeof decode>;
        try {
          decoded = decode(turned);
        } catch {
          continue;
        }
        a.feed({ kind: 'datagram', socket: 0, from: at(B), message: decoded });
        expect(picture(a)).toEqual(before);
      }
    }
    // The untouched ones do count.
    a.feed({ kind: 'datagram', socket: 0, from: at(B), message: decode(answer) });
    expect(a.of('valid')).toHaveLength(1);
  });

  it('any message cut short', () => {
    const { a, b, hostB } = scene();
    a.meet(b, [hostB]);
    const original = check(a, b);
    for (let length = 0; length < original.length; length += 4) {
      const cut = original.slice(0, length);
      if (length >= 20) {
        cut[2] = (length - 20) >> 8;
        cut[3] = (length - 20) & 0xff;
      }
      try {
        a.feed({ kind: 'datagram', socket: 0, from: at(EVE), message: decode(cut) });
      } catch {}
    }
    expect(a.agent.counters.requests).toBe(0);
    expect(a.logs('checked')).toEqual([]);
  });
});

describe('a third party that sees everything', () => {
  it('gains nothing by replaying checks from its own address', () => {
    const { wire, a, b, hostA, hostB } = scene();
    wire.fate = ({ data }) => [
      { afterMs: 10 },
      ...(decode(data).class === 'request' ? [{ afterMs: 11, from: at(EVE) }] : []),
    ];
    a.meet(b, [hostB]);
    b.meet(a, [hostA]);
    wire.run(2000);
    for (const party of [a, b]) {
      expect(party.agent.state).toBe('completed');
      expect(party.sends().filter(({ to }) => to === EVE)).toEqual([]);
      expect(party.agent.counters.refused).toBeGreaterThan(0);
    }
  });

  it('gains nothing by sending our own checks back to us', () => {
    const { wire, a, b, hostB } = scene();
    wire.fate = ({ from, to }) => [{ afterMs: 10, from: to, to: from }];
    a.meet(b, [hostB]);
    wire.run(2000);
    expect(a.of('valid')).toEqual([]);
    expect(a.agent.counters.requests).toBe(0);
  });

  it('gains nothing by replaying a check of some time ago', () => {
    const { wire, a, b, hostB } = scene();
    wire.fate = () => [];
    a.meet(b, [hostB]);
    const from = (endpoint: string, data: Uint8Array): void =>
      a.feed({ kind: 'datagram', socket: 0, from: at(endpoint), message: decode(data) });
    const old = check(a, b);
    from(B, old);
    for (let i = 0; i < 500; i++) from(B, check(a, b));
    const { length } = a.sends();
    from(EVE, old);
    expect(a.sends()).toHaveLength(length);
    expect(a.agent.pairs()).toHaveLength(1);
  });

  it('gets no speculative check answered from elsewhere', () => {
    const { wire, a, b } = scene();
    wire.fate = ({ data }) => [{ afterMs: 10, ...(decode(data).class === 'success' ? { from: at(EVE) } : {}) }];
    a.meet(b, [], false);
    b.meet(a, [], false);
    a.feed({ kind: 'speculate', socket: 0, to: at(B) });
    wire.run(15);
    // b has answered: only the source is wrong.
    expect(b.agent.counters.requests).toBe(1);
    wire.run(25);
    expect([a.of('valid'), a.logs('asymmetric').length]).toEqual([[], 1]);
  });

  it('uses up no check with a forged answer that comes before the right one', () => {
    const { wire, a, b, hostA, hostB } = scene();
    wire.fate = ({ data }) => {
      if (decode(data).class !== 'success') return [{ afterMs: 10 }];
      const forged = data.slice();
      forged[forged.length - 12] = (forged[forged.length - 12] ?? 0) ^ 1;
      return [{ afterMs: 9, data: forged }, { afterMs: 10 }];
    };
    a.meet(b, [hostB]);
    b.meet(a, [hostA]);
    wire.run(45);
    // Not one check had to be sent again.
    expect([a.agent.state, b.agent.state]).toEqual(['completed', 'completed']);
    expect(a.logs('check').every(({ what }) => what.attempt === 1)).toBe(true);
  });

  it('answers from elsewhere do not make a pair', () => {
    const { wire, a, b, hostA, hostB } = scene();
    wire.fate = ({ data }) => [{ afterMs: 10, ...(decode(data).class === 'success' ? { from: at(EVE) } : {}) }];
    a.meet(b, [hostB]);
    b.meet(a, [hostA]);
    wire.run(1000);
    expect([...a.of('valid'), ...b.of('valid')]).toEqual([]);
    expect(a.agent.pairs()[0]?.state).not.toBe('succeeded');
  });
});

describe('an authentic peer that misbehaves', () => {
  it('from ten thousand addresses gets at most as many pairs as allowed', () => {
    const { wire, a, b, hostB } = scene({ limits: { peerReflexive: 8 } });
    wire.fate = () => [];
    a.meet(b, [hostB]);
    for (let i = 0; i < 10_000; i++)
      a.feed({
        kind: 'datagram',
        socket: 0,
        from: { address: '203.0.113.66', port: i + 1 },
        message: decode(check(a, b)),
      });
    expect(a.agent.pairs()).toHaveLength(9);
    wire.run(60_000);
    expect(
      new Set(
        a
          .sends()
          .filter(({ data }) => decode(data).class === 'request')
          .map(({ to }) => to),
      ).size,
    ).toBe(9);
  });

  it('with a thousand candidates gets as many as allowed, and a check for each', () => {
    const { a, b } = scene({ limits: { remoteCandidates: 16 } });
    a.meet(
      b,
      Array.from({ length: 1000 }, (_, i) => candidate('host', `192.0.2.3:${i + 1}`)),
    );
    expect(a.agent.pairs()).toHaveLength(16);
  });

  it('is told what we do not understand, or miss', () => {
    const { wire, a, b, hostB } = scene();
    wire.fate = () => [];
    a.meet(b, [hostB]);
    const username = attribute('USERNAME', `${a.credentials.ufrag}:${b.credentials.ufrag}`);
    const ask = (...attributes: Parameters<typeof encode>[0]['attributes'][number][]) => {
      const data = encode(
        {
          class: 'request',
          method: METHOD.binding,
          transactionId: random.bytes(12),
          attributes: [username, ...attributes],
        },
        { key: shortTermKey(a.credentials.pwd), fingerprint: true },
      );
      a.feed({ kind: 'datagram', socket: 0, from: at(EVE), message: decode(data) });
      const answer = decode(a.sends().at(-1)?.data ?? new Uint8Array());
      return [get(answer, 'ERROR-CODE')?.code, get(answer, 'UNKNOWN-ATTRIBUTES')];
    };
    expect(ask(attribute('PRIORITY', 1), { name: undefined, type: 0x7777, value: new Uint8Array(4) })).toEqual([
      420,
      [0x7777],
    ]);
    expect(ask()).toEqual([400, undefined]);
    expect(a.agent.pairs()).toHaveLength(1);
  });

  it('that answers every check with a role conflict does not keep us turning', () => {
    const { wire, a, b, hostB } = scene({ patienceMs: 0 });
    wire.fate = ({ from, data }) => {
      if (formatEndpoint(from) !== A) return [];
      const error = encode(
        {
          class: 'error',
          method: METHOD.binding,
          transactionId: decode(data).transactionId,
          attributes: [attribute('ERROR-CODE', { code: 487, reason: '' })],
        },
        { key: shortTermKey(b.credentials.pwd), fingerprint: true },
      );
      return [{ afterMs: 10, from: at(B), to: at(A), data: error }];
    };
    a.meet(b, [hostB]);
    wire.run(60_000);
    expect(a.of('failed')[0]?.what.reason).toBe('rejected');
    expect(a.sends().length).toBeLessThan(40);
  });

  it('that nominates what we have not validated gets nothing selected', () => {
    const { wire, a, b } = scene({ role: 'controlled' });
    wire.fate = () => [];
    a.meet(b, []);
    const nomination = encodeCheck({
      transactionId: random.bytes(12),
      username: `${a.credentials.ufrag}:${b.credentials.ufrag}`,
      key: shortTermKey(a.credentials.pwd),
      role: 'controlling',
      tieBreaker: 1n,
      priority: 1,
      useCandidate: true,
    });
    a.feed({ kind: 'datagram', socket: 0, from: at(EVE), message: decode(nomination) });
    wire.run(20_000);
    expect(a.of('selected')).toEqual([]);
    expect(a.agent.state).not.toBe('completed');
  });

  it('that nominates as the controlled agent chooses nothing', () => {
    const { wire, a, b, hostA, hostB } = scene({ nomination: { waitMs: 5000 } });
    const better = candidate('host', '192.0.2.9:9', { priority: hostB.priority + 1 });
    a.meet(b, [hostB, better]);
    b.meet(a, [hostA]);
    wire.run(1000);
    expect(a.agent.state).toBe('connected');
    a.feed({ kind: 'datagram', socket: 0, from: at(B), message: decode(check(a, b, { useCandidate: true })) });
    wire.run(1500);
    expect(a.of('selected')).toEqual([]);
    wire.run(6000);
    expect(a.of('selected')).toHaveLength(1);
  });

  it('cannot have us send to nowhere by an answer without an address', () => {
    const { wire, a, b, hostB } = scene({ patienceMs: 0 });
    wire.fate = ({ data }) => {
      const empty = encode(
        { class: 'success', method: METHOD.binding, transactionId: decode(data).transactionId, attributes: [] },
        { key: shortTermKey(b.credentials.pwd), fingerprint: true },
      );
      return [{ afterMs: 10, from: at(B), to: at(A), data: empty }];
    };
    a.meet(b, [hostB]);
    wire.run(60_000);
    expect(a.of('valid')).toEqual([]);
    expect(a.of('failed')[0]?.what.reason).toBe('rejected');
  });
});

describe('credentials', () => {
  const kindOf = (run: () => unknown): unknown => {
    try {
      run();
    } catch (error) {
      return error instanceof IceInputError ? error.kind : error;
    }
    return undefined;
  };

  it('that break the grammar, or are our own, are refused by kind', () => {
    const { wire } = scene();
    expect(kindOf(() => wire.party('c', { ufrag: 'abc' }))).toBe('ufrag');
    expect(kindOf(() => wire.party('c', { pwd: 'x'.repeat(21) }))).toBe('pwd');
    expect(kindOf(() => wire.party('c', { tieBreaker: 2n ** 64n }))).toBe('tie-breaker');
    const c = wire.party('c');
    expect(kindOf(() => c.feed({ kind: 'remote-credentials', ...c.credentials }))).toBe('reflected');
    expect(kindOf(() => c.feed({ kind: 'remote-credentials', ufrag: 'a:bc', pwd: 'x'.repeat(22) }))).toBe('ufrag');
  });
});

describe('any schedule of loss, delay, reordering and duplication', () => {
  const fates = fc.array(fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 3 }), { minLength: 1, maxLength: 60 });

  it('ends in the same pair on both sides once packets pass again', () => {
    fc.assert(
      fc.property(fates, fc.boolean(), fc.boolean(), fc.nat(1000), (schedule, oneRole, brisk, seed) => {
        const wire = new Wire(({ number }) => (schedule[number] ?? [10]).map((afterMs) => ({ afterMs })), seed);
        const pacing = brisk ? { pacing: BRISK_PACING } : {};
        const a = wire.party('a', { role: 'controlling', ...pacing });
        const b = wire.party('b', { role: oneRole ? 'controlled' : 'controlling', ...pacing });
        const as = [a.host(0, A), a.host(1, '192.0.2.1:5001')];
        const bs = [b.host(0, B), b.host(1, '192.0.2.2:6001')];
        a.meet(b, bs);
        b.meet(a, as);
        wire.run(120_000);
        const [pairA, pairB] = [a.agent.selected, b.agent.selected];
        expect([a.agent.state, b.agent.state]).toEqual(['completed', 'completed']);
        expect(pairA?.remote.endpoint).toEqual(pairB?.local.endpoint);
        expect(pairA?.local.endpoint).toEqual(pairB?.remote.endpoint);
        expect(new Set([a.agent.role, b.agent.role]).size).toBe(2);
      }),
      { numRuns: 150 },
    );
  });

  it('and loss for ever ends in a verdict or a loss of consent, never in a hang', () => {
    fc.assert(
      fc.property(fates, fc.nat(1000), (schedule, seed) => {
        const wire = new Wire(({ number }) => (schedule[number] ?? []).map((afterMs) => ({ afterMs })), seed);
        const parties = [
          wire.party('a', { role: 'controlling', pacing: BRISK_PACING }),
          wire.party('b', { role: 'controlled', pacing: BRISK_PACING }),
        ] as const;
        const [a, b] = parties;
        const [hostA, hostB] = [a.host(0, A), b.host(0, B)];
        a.meet(b, [hostB]);
        b.meet(a, [hostA]);
        wire.run(300_000);
        for (const { agent } of parties) {
          expect(['failed', 'lost']).toContain(agent.state);
          expect(agent.wakeAt()).toBeUndefined();
        }
      }),
      { numRuns: 100 },
    );
  });
});

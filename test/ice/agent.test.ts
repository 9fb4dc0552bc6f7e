import { describe, expect, it } from 'vitest';
import { formatEndpoint } from '../../src/net/address.ts';
import { BOOK_PACING, BRISK_PACING, type IceConfig } from '../../src/ice/agent.ts';
import { type Candidate, candidatePriority } from '../../src/ice/candidate.ts';
import { encodeCheck } from '../../src/ice/messages.ts';
import { attribute } from '../../src/stun/attributes.ts';
import { type Decoded, decode, encode, get, METHOD } from '../../src/stun/message.ts';
import { checkFingerprint, checkIntegrity } from '../../src/stun/integrity.ts';
import { shortTermKey } from '../../src/stun/credentials.ts';
import { at, candidate, type Fate, type Packet, type Party, Wire } from './wire.ts';

const A = '192.0.2.1:5000';
const B = '192.0.2.2:6000';
const NOWHERE = '192.0.2.9:9';

interface Options {
  readonly fate?: (packet: Packet) => Fate;
  readonly a?: Partial<IceConfig>;
  readonly b?: Partial<IceConfig>;
  readonly seed?: number;
}

/** Two agents of brisk pacing, one socket each; `meet` tells them all. */
function duo({ fate, a: configA, b: configB, seed }: Options = {}) {
  const wire = new Wire(fate, seed);
  const a = wire.party('a', { role: 'controlling', pacing: BRISK_PACING, ...configA });
  const b = wire.party('b', { role: 'controlled', pacing: BRISK_PACING, ...configB });
  const hostA = a.host(0, A);
  const hostB = b.host(0, B);
  const meet = (): void => {
    a.meet(b, [hostB]);
    b.meet(a, [hostA]);
  };
  return { wire, a, b, hostA, hostB, meet };
}

const lost: Fate = [];
const passed: Fate = [{ afterMs: 10 }];

/** Checks that a party sent, decoded. */
const checksOf = (party: Party): { readonly at: number; readonly to: string; readonly message: Decoded }[] =>
  party
    .sends()
    .map(({ at: when, to, data }) => ({ at: when, to, message: decode(data) }))
    .filter(({ message }) => message.class === 'request');

const instants = (party: Party): number[] => checksOf(party).map(({ at: when }) => when);

describe('two agents on an open path', () => {
  it('select the same pair, at instants that the delay alone decides', () => {
    const { wire, a, b, meet } = duo();
    meet();
    wire.run(200);
    expect([a.selected, b.selected]).toEqual([`${A} > ${B}`, `${B} > ${A}`]);
    expect([a.of('valid')[0]?.at, b.of('valid')[0]?.at]).toEqual([20, 20]);
    expect([a.of('selected')[0]?.at, b.of('selected')[0]?.at]).toEqual([40, 30]);
    expect(a.of('valid')[0]?.what.rttMs).toBe(20);
    expect([a.agent.state, b.agent.state]).toEqual(['completed', 'completed']);
  });

  it('do so over IPv6, and never pair the two families', () => {
    const wire = new Wire();
    const a = wire.party('a', { pacing: BRISK_PACING });
    const b = wire.party('b', { role: 'controlled', pacing: BRISK_PACING });
    const candidates = [a, b].map((party, index) => [
      party.host(4, `192.0.2.${index + 1}:4`),
      party.host(6, `[2001:db8::${index + 1}]:6`, { priority: candidatePriority('host', 65_535) }),
    ]);
    a.meet(b, candidates[1] ?? []);
    b.meet(a, candidates[0] ?? []);
    wire.run(200);
    expect(a.agent.pairs().map(({ local, remote }) => [local.endpoint.port, remote.endpoint.port])).toEqual(
      expect.arrayContaining([
        [4, 4],
        [6, 6],
      ]),
    );
    expect(a.agent.pairs()).toHaveLength(2);
    expect(a.agent.state).toBe('completed');
  });

  it('connect when candidates come late and one by one', () => {
    const { wire, a, b, hostA, hostB } = duo();
    a.feed({ kind: 'remote-credentials', ...b.credentials });
    b.feed({ kind: 'remote-credentials', ...a.credentials });
    wire.run(1000);
    a.feed({ kind: 'remote-candidate', candidate: candidate('host', NOWHERE) });
    wire.run(2000);
    a.feed({ kind: 'remote-candidate', candidate: hostB });
    wire.run(3000);
    // b learns of a from its check.
    expect([a.selected, b.selected]).toEqual([`${A} > ${B}`, `${B} > ${A}`]);
    b.feed({ kind: 'remote-candidate', candidate: hostA });
    expect(b.agent.pairs()).toHaveLength(1);
  });

  it('connect when the peer checks before its credentials are here', () => {
    const { wire, a, b, hostB } = duo();
    a.meet(b, [hostB]);
    wire.run(50);
    expect(b.of('valid')).toEqual([]);
    b.meet(a, []);
    wire.run(100);
    expect([a.agent.state, b.agent.state]).toEqual(['completed', 'completed']);
    expect(b.of('valid')[0]?.at).toBe(70);
  });
});

describe('a check', () => {
  it('carries what RFC 8445 §7.1 asks for', () => {
    const { a, b, hostB } = duo({ a: { tieBreaker: 0x0102030405060708n } });
    a.meet(b, [hostB]);
    const { message } = checksOf(a)[0] as { message: Decoded };
    expect(message.method).toBe(METHOD.binding);
    expect(get(message, 'USERNAME')).toBe(`${b.credentials.ufrag}:${a.credentials.ufrag}`);
    expect(get(message, 'PRIORITY')).toBe(candidatePriority('prflx'));
    expect(get(message, 'ICE-CONTROLLING')).toBe(0x0102030405060708n);
    expect(get(message, 'USE-CANDIDATE')).toBeUndefined();
    expect(checkIntegrity(message, shortTermKey(b.credentials.pwd))).toBe('valid');
    expect(checkFingerprint(message)).toBe('valid');
  });

  it('is answered with the address that it came from, sealed with the same password', () => {
    const { wire, a, b, meet } = duo({ fate: () => [{ afterMs: 10 }] });
    meet();
    wire.run(15);
    const answer = decode(
      b
        .sends()
        .map(({ data }) => data)
        .find((data) => decode(data).class === 'success') ?? new Uint8Array(),
    );
    expect(get(answer, 'XOR-MAPPED-ADDRESS')).toEqual(at(A));
    expect(checkIntegrity(answer, shortTermKey(b.credentials.pwd))).toBe('valid');
    expect(checkFingerprint(answer)).toBe('valid');
    expect(a.agent.state).toBe('checking');
  });

  it('leaves at the times of RFC 8445 §14 and fails 39.5 s after the first', () => {
    const { wire, a, b } = duo({ a: { pacing: BOOK_PACING } });
    a.meet(b, [candidate('host', NOWHERE)]);
    wire.run(60_000);
    expect(instants(a)).toEqual([0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    expect(a.of('failed').map(({ at: when, what }) => [when, what.reason])).toEqual([[39_500, 'no-answer']]);
  });

  it('waits its turn: one each Ta, and an RTO that grows with their number', () => {
    const { wire, a, b } = duo({ a: { pacing: { ...BOOK_PACING, freezing: false } } });
    a.meet(
      b,
      Array.from({ length: 20 }, (_, index) => candidate('host', `192.0.2.${index + 10}:9`)),
    );
    wire.run(999);
    expect(instants(a)).toEqual(Array.from({ length: 20 }, (_, index) => index * 50));
    wire.run(1000);
    // 20 checks at 50 ms make an RTO of 1 s.
    expect(checksOf(a).at(-1)).toMatchObject({ at: 1000, to: checksOf(a)[0]?.to });
  });

  it('leaves at once where configured, and by Ta past that', () => {
    const { wire, a, b } = duo({ a: { pacing: { ...BRISK_PACING, immediate: 5, taMs: 20 } } });
    a.meet(
      b,
      Array.from({ length: 8 }, (_, index) => candidate('host', `192.0.2.${index + 10}:9`)),
    );
    wire.run(99);
    expect(instants(a)).toEqual([0, 0, 0, 0, 0, 20, 40, 60]);
  });

  it('leaves in the order of priority', () => {
    const { wire, a, b } = duo({ a: { pacing: { ...BOOK_PACING, freezing: false } } });
    const types = ['relay', 'srflx', 'host'] as const;
    a.meet(b, []);
    a.feed({ kind: 'remote-candidate', candidate: candidate('host', '192.0.2.10:1') });
    for (const [index, type] of types.entries())
      a.feed({ kind: 'remote-candidate', candidate: candidate(type, `192.0.2.${index + 20}:9`) });
    wire.run(200);
    expect(checksOf(a).map(({ to }) => to)).toEqual(['192.0.2.10:1', '192.0.2.22:9', '192.0.2.21:9', '192.0.2.20:9']);
  });

  it('of a frozen pair waits for the first one of its foundation', () => {
    const same = (endpoint: string, priority: number) => candidate('host', endpoint, { foundation: 'same', priority });
    const { wire, a, b } = duo({
      a: { pacing: { ...BOOK_PACING, scaleRto: false } },
      fate: ({ to, from }) => (formatEndpoint(to) === B || formatEndpoint(from) === B ? [{ afterMs: 120 }] : lost),
    });
    a.meet(b, [same(B, 3000), same(NOWHERE, 2000), candidate('host', '192.0.2.8:8', { priority: 1000 })]);
    b.feed({ kind: 'remote-credentials', ...a.credentials });
    expect(a.agent.pairs().map(({ state }) => state)).toEqual(['in-progress', 'frozen', 'waiting']);
    wire.run(100);
    expect(checksOf(a).map(({ to }) => to)).toEqual([B, '192.0.2.8:8']);
    wire.run(400);
    // The answer at 240 ms thaws it; the nomination goes first.
    expect(checksOf(a).find(({ to }) => to === NOWHERE)?.at).toBe(290);
  });

  it('of all pairs of a foundation may leave once one of them succeeded', () => {
    const same = (endpoint: string, priority: number) => candidate('host', endpoint, { foundation: 'same', priority });
    const { wire, a, b } = duo({
      a: { pacing: { ...BOOK_PACING, scaleRto: false } },
      fate: ({ to, from }) => ([formatEndpoint(to), formatEndpoint(from)].includes(B) ? [{ afterMs: 120 }] : lost),
    });
    a.meet(b, [same(B, 3000), same(NOWHERE, 2000), same('192.0.2.8:8', 1000)]);
    b.feed({ kind: 'remote-credentials', ...a.credentials });
    wire.run(400);
    expect(checksOf(a).filter(({ to }) => to !== B)).toMatchObject([
      { at: 290, to: NOWHERE },
      { at: 340, to: '192.0.2.8:8' },
    ]);
  });

  it('fails at once where the system cannot send', () => {
    const { a, b, hostB } = duo({ a: { patienceMs: 0 } });
    a.meet(b, [hostB]);
    a.feed({ kind: 'send-failed', socket: 0, to: at(B) });
    expect(a.logs('pair-failed').map(({ what }) => what.why)).toEqual(['unsendable']);
    expect(a.agent.state).toBe('failed');
  });
});

describe('a triggered check', () => {
  it('opens the way at once where the first check was lost', () => {
    // As behind a filter that a's own packet has yet to open: b's first one dies.
    const { wire, a, b, meet } = duo({ fate: ({ number }) => (number === 0 ? lost : passed) });
    meet();
    wire.run(60);
    expect(
      checksOf(a)
        .map(({ at: when }) => when)
        .slice(0, 2),
    ).toEqual([0, 10]);
    expect(
      a
        .logs('check')
        .map(({ what }) => what.cause)
        .slice(0, 2),
    ).toEqual(['ordinary', 'triggered']);
    expect(a.of('valid')[0]?.at).toBe(30);
    expect(b.of('valid')[0]?.at).toBe(20);
  });

  it('revives a pair that had failed', () => {
    const { wire, a, b, hostA, hostB } = duo({ a: { pacing: { ...BRISK_PACING, sends: 1, lastWait: 1 } } });
    const late = wire.fate;
    wire.fate = () => lost;
    a.meet(b, [hostB]);
    wire.run(500);
    expect(a.agent.pairs().map(({ state }) => state)).toEqual(['failed']);
    wire.fate = late;
    b.meet(a, [hostA]);
    wire.run(1000);
    expect([a.agent.state, b.agent.state]).toEqual(['completed', 'completed']);
  });

  it('is one for a burst of the peer', () => {
    const { wire, a, b, hostB } = duo();
    a.meet(b, [hostB]);
    wire.fate = () => lost;
    for (let burst = 0; burst < 5; burst++) {
      const again = encodeCheck({
        transactionId: Uint8Array.from({ length: 12 }, () => burst),
        username: `${a.credentials.ufrag}:${b.credentials.ufrag}`,
        key: shortTermKey(a.credentials.pwd),
        role: 'controlled',
        tieBreaker: 1n,
        priority: 1,
        useCandidate: false,
      });
      a.feed({ kind: 'datagram', socket: 0, from: at(B), message: decode(again) });
    }
    expect(a.logs('check').map(({ what }) => what.cause)).toEqual(['ordinary', 'triggered']);
  });

  it('is not sent for each packet of a peer whose answers do not come', () => {
    const { wire, a, b, meet } = duo({
      fate: ({ data }) => (decode(data).class === 'request' ? passed : lost),
      a: { patienceMs: 0 },
      b: { patienceMs: 0 },
    });
    meet();
    wire.run(60_000);
    expect([a.of('failed')[0]?.what.reason, b.of('failed')[0]?.what.reason]).toEqual(['only-inbound', 'only-inbound']);
    expect(instants(a).length + instants(b).length).toBeLessThan(100);
  });
});

describe('peer-reflexive candidates', () => {
  /** What leaves a is seen to come from elsewhere, and a's own address leads nowhere. */
  const translated =
    () =>
    ({ from, to }: Packet): Fate => {
      if (formatEndpoint(from) === A) return [{ afterMs: 10, from: at('198.51.100.1:24604') }];
      if (formatEndpoint(to) === '198.51.100.1:24604') return [{ afterMs: 10, to: at(A) }];
      return lost;
    };

  it('are found on both sides', () => {
    const { wire, a, b, meet } = duo({ fate: translated() });
    meet();
    wire.run(200);
    expect([a.selected, b.selected]).toEqual([`198.51.100.1:24604 > ${B}`, `${B} > 198.51.100.1:24604`]);
    expect(a.agent.selected?.local).toMatchObject({
      type: 'prflx',
      related: at(A),
      priority: candidatePriority('prflx'),
    });
    expect(b.agent.selected?.remote).toMatchObject({ type: 'prflx', priority: candidatePriority('prflx') });
  });

  it('take the type and priority of the same candidate when it is signalled', () => {
    const { wire, b, meet } = duo({ fate: translated() });
    meet();
    wire.run(15);
    const signalled = candidate('srflx', '198.51.100.1:24604', { related: at(A) });
    b.feed({ kind: 'remote-candidate', candidate: signalled });
    expect(b.agent.pairs().find(({ remote }) => remote.endpoint.port === 24_604)?.remote).toMatchObject({
      type: 'srflx',
      priority: signalled.priority,
    });
    expect(b.agent.pairs()).toHaveLength(2);
  });
});

describe('the pairs', () => {
  it('are one for each socket and remote candidate, from the base', () => {
    const wire = new Wire(() => lost);
    const a = wire.party('a', {});
    const host = a.host(0, A);
    a.feed({
      kind: 'local-candidate',
      socket: 0,
      candidate: candidate('srflx', '198.51.100.1:24604', { related: at(A) }),
    });
    a.host(1, '192.0.2.1:5001');
    a.feed({ kind: 'remote-candidate', candidate: candidate('host', B) });
    a.feed({ kind: 'remote-candidate', candidate: candidate('srflx', B) });
    expect(a.agent.pairs().map(({ socket, local, remote }) => [socket, local.endpoint, remote.type])).toEqual([
      [0, host.endpoint, 'host'],
      [1, at('192.0.2.1:5001'), 'host'],
    ]);
  });

  it('leave from the host candidate, whatever the priority of a reflexive one', () => {
    const wire = new Wire(() => lost);
    const a = wire.party('a', {});
    a.bind(0, A);
    const reflexive = candidate('srflx', '198.51.100.1:24604', { related: at(A), priority: candidatePriority('host') });
    a.feed({ kind: 'local-candidate', socket: 0, candidate: reflexive });
    a.feed({ kind: 'remote-candidate', candidate: candidate('host', B) });
    expect(a.agent.pairs().map(({ local }) => local.type)).toEqual(['srflx']);
    a.host(0, A, { priority: 1000 });
    expect(a.agent.pairs().map(({ local }) => local.type)).toEqual(['host']);
  });

  it('have one priority, seen from either side', () => {
    const { a, b } = duo({ fate: () => lost });
    const [extraA, extraB] = [
      a.host(1, '192.0.2.1:5001', { priority: 500 }),
      b.host(1, '192.0.2.2:6001', { priority: 700 }),
    ];
    a.meet(b, [extraB]);
    b.meet(a, [extraA]);
    const [one, two] = [
      a.agent.pairs().find(({ socket }) => socket === 1)?.priority,
      b.agent.pairs().find(({ socket }) => socket === 1)?.priority,
    ];
    expect([one, two]).toEqual([(500n << 32n) + 1400n, (500n << 32n) + 1400n]);
  });

  it('are bounded in number, the best ones kept', () => {
    const wire = new Wire(() => lost);
    const a = wire.party('a', { limits: { pairs: 10, remoteCandidates: 30 } });
    a.host(0, A);
    for (let i = 0; i < 50; i++)
      a.feed({ kind: 'remote-candidate', candidate: candidate('host', `192.0.2.3:${i + 1}`, { priority: 1000 + i }) });
    expect(a.agent.pairs().map(({ remote }) => remote.priority)).toEqual(
      Array.from({ length: 10 }, (_, i) => 1029 - i),
    );
  });

  it('are never made with addresses that nobody can have', () => {
    const wire = new Wire(() => lost);
    const a = wire.party('a', {});
    a.host(0, A);
    a.host(6, '[2001:db8::1]:5000');
    for (const endpoint of ['0.0.0.0:1', '224.0.0.1:1', '192.0.2.1:0', '[ff02::1]:1', '[fe80::1]:1'])
      a.feed({ kind: 'remote-candidate', candidate: candidate('host', endpoint) });
    expect(a.agent.pairs()).toEqual([]);
  });
});

describe('roles', () => {
  const roles: readonly (readonly ['controlling' | 'controlled', bigint, bigint, string, string])[] = [
    ['controlling', 9n, 5n, 'controlling', 'controlled'],
    ['controlling', 5n, 9n, 'controlled', 'controlling'],
    ['controlled', 9n, 5n, 'controlling', 'controlled'],
    ['controlled', 5n, 9n, 'controlled', 'controlling'],
  ];

  it.each(roles)('both %s with tie-breakers %i and %i become %s and %s', (role, tieA, tieB, endA, endB) => {
    const { wire, a, b, meet } = duo({ a: { role, tieBreaker: tieA }, b: { role, tieBreaker: tieB } });
    meet();
    wire.run(1000);
    expect([a.agent.role, b.agent.role]).toEqual([endA, endB]);
    expect([a.selected, b.selected]).toEqual([`${A} > ${B}`, `${B} > ${A}`]);
  });

  it.each(['controlling', 'controlled'] as const)('both %s with the same tie-breaker end with one of each', (role) => {
    for (let seed = 1; seed <= 20; seed++) {
      const { wire, a, b, meet } = duo({ a: { role, tieBreaker: 7n }, b: { role, tieBreaker: 7n }, seed });
      meet();
      wire.run(5000);
      expect([a.agent.role, b.agent.role].toSorted()).toEqual(['controlled', 'controlling']);
      expect([a.agent.state, b.agent.state]).toEqual(['completed', 'completed']);
    }
  });
});

describe('nomination', () => {
  /** Two sockets for b: a slow path that would be better, and a quick one. */
  const twoPaths = (slowMs: number, config: Partial<IceConfig> = {}) => {
    const slow = (endpoint: string) => endpoint === B;
    const made = duo({
      fate: ({ from, to }) => [{ afterMs: slow(formatEndpoint(from)) || slow(formatEndpoint(to)) ? slowMs : 10 }],
      a: config,
    });
    const quick = made.b.host(1, '192.0.2.3:7000', { priority: 5000 });
    made.a.meet(made.b, [made.hostB, quick]);
    made.b.meet(made.a, [made.hostA]);
    return made;
  };

  it('waits for a better pair that may yet come', () => {
    const { wire, a, b } = twoPaths(30);
    wire.run(500);
    expect([a.selected, b.selected]).toEqual([`${A} > ${B}`, `${B} > ${A}`]);
    expect(a.logs('nominating').map(({ at: when }) => when)).toEqual([60]);
  });

  it('but not for long', () => {
    const { wire, a } = twoPaths(300);
    wire.run(500);
    expect(a.selected).toBe(`${A} > 192.0.2.3:7000`);
    expect(a.logs('nominating').map(({ at: when }) => when)).toEqual([70]);
  });

  it('not at all where told so', () => {
    const { wire, a } = twoPaths(300, { nomination: { waitMs: 0 } });
    wire.run(500);
    expect(a.logs('nominating').map(({ at: when }) => when)).toEqual([20]);
  });

  it('waits longer where the path that works is relayed', () => {
    const wire = new Wire(({ from, to }) =>
      [formatEndpoint(from), formatEndpoint(to)].includes(B) ? [{ afterMs: 100 }] : passed,
    );
    const a = wire.party('a', { role: 'controlling', pacing: BRISK_PACING });
    const b = wire.party('b', { role: 'controlled', pacing: BRISK_PACING });
    const hostA = a.host(0, A);
    b.bind(1, '203.0.113.7:7000');
    const relay = candidate('relay', '203.0.113.7:7000');
    b.feed({ kind: 'local-candidate', socket: 1, candidate: relay });
    a.meet(b, [b.host(0, B), relay]);
    b.meet(a, [hostA]);
    wire.run(1000);
    expect(a.of('valid').map(({ at: when }) => when)).toEqual([20, 200]);
    expect(a.logs('nominating').map(({ at: when }) => when)).toEqual([200]);
    expect(a.selected).toBe(`${A} > ${B}`);
  });

  it('of a better pair is followed, of a worse one not, and a stray check makes no pair any more', () => {
    const { wire, a, b, hostB } = duo();
    wire.fate = () => lost;
    b.meet(a, []);
    const ask = (from: string, useCandidate: boolean, priority: number) => {
      const asked = b.sends().length;
      const key = shortTermKey(b.credentials.pwd);
      const request = encodeCheck({
        transactionId: Uint8Array.from({ length: 12 }, () => priority & 0xff),
        username: `${b.credentials.ufrag}:${a.credentials.ufrag}`,
        key,
        role: 'controlling',
        tieBreaker: 1n,
        priority,
        useCandidate,
      });
      b.feed({ kind: 'datagram', socket: 0, from: at(from), message: decode(request) });
      for (const { data } of b.sends().slice(asked)) {
        const message = decode(data);
        if (message.class !== 'request') continue;
        const answer = encode(
          {
            class: 'success',
            method: METHOD.binding,
            transactionId: message.transactionId,
            attributes: [attribute('XOR-MAPPED-ADDRESS', hostB.endpoint)],
          },
          { key: shortTermKey(a.credentials.pwd), fingerprint: true },
        );
        b.feed({ kind: 'datagram', socket: 0, from: at(from), message: decode(answer) });
      }
    };
    ask('192.0.2.20:1', true, 200);
    ask('192.0.2.10:1', true, 100);
    ask('192.0.2.40:1', false, 400);
    ask('192.0.2.30:1', true, 300);
    expect(b.of('selected').map(({ what }) => formatEndpoint(what.pair.remote.endpoint))).toEqual([
      '192.0.2.20:1',
      '192.0.2.30:1',
    ]);
    expect(b.agent.pairs()).toHaveLength(3);
  });

  it('is sent again when lost, and takes the next pair when it comes to nothing', () => {
    const { wire, a, b, hostA, hostB } = duo({
      fate: ({ to, data }) => (formatEndpoint(to) === B && get(decode(data), 'USE-CANDIDATE') ? lost : passed),
    });
    const second = b.host(1, '192.0.2.3:7000', { priority: 5000 });
    a.meet(b, [hostB, second]);
    b.meet(a, [hostA]);
    wire.run(10_000);
    expect(a.selected).toBe(`${A} > 192.0.2.3:7000`);
    expect(b.selected).toBe(`192.0.2.3:7000 > ${A}`);
    expect(
      a.logs('check').filter(({ what }) => what.cause === 'nomination' && formatEndpoint(what.to) === B).length,
    ).toBe(BRISK_PACING.sends);
  });

  it('before the controlled agent has validated the pair counts once it has', () => {
    // b's own checks are lost until a has nominated.
    const { wire, a, b, meet } = duo({
      fate: ({ from, data, number }) =>
        formatEndpoint(from) === B && decode(data).class === 'request' && number < 10 ? lost : passed,
    });
    meet();
    wire.run(2000);
    expect(a.of('selected')[0]?.at).toBeLessThan(b.of('selected')[0]?.at ?? 0);
    expect(b.selected).toBe(`${B} > ${A}`);
  });

  it('ends all other checks', () => {
    const { wire, a, b, hostA, hostB } = duo();
    a.meet(b, [hostB, candidate('host', NOWHERE, { priority: 10 })]);
    b.meet(a, [hostA]);
    wire.run(3999);
    expect(a.agent.state).toBe('completed');
    expect(checksOf(a).filter(({ at: when }) => when > 40)).toEqual([]);
  });
});

describe('a verdict', () => {
  const hopeless = { pacing: { ...BRISK_PACING, sends: 3 }, patienceMs: 2000 } as const;
  const verdict = (options: Options, ...remote: readonly Candidate[]) => {
    const { wire, a, b, hostA, hostB } = duo({
      ...options,
      a: { ...hopeless, ...options.a },
      b: { ...hopeless, ...options.b },
    });
    a.meet(b, [hostB, ...remote]);
    b.meet(a, [hostA]);
    wire.run(100_000);
    return [a, b].map((party) => [party.of('failed')[0]?.what.reason, party.of('failed')[0]?.at]);
  };

  it('says that nothing came at all, when the time to listen is over', () => {
    expect(verdict({ fate: () => lost })).toEqual([
      ['no-answer', 2000],
      ['no-answer', 2000],
    ]);
  });

  it('says that only one direction works', () => {
    const [a, b] = verdict({ fate: ({ from }) => (formatEndpoint(from) === A ? passed : lost) });
    expect(a?.[0]).toBe('no-answer');
    expect(b?.[0]).toBe('only-inbound');
  });

  it('says that answers came from elsewhere', () => {
    const [a] = verdict({
      fate: ({ from }) => (formatEndpoint(from) === B ? [{ afterMs: 10, from: at('192.0.2.2:6001') }] : passed),
    });
    expect(a?.[0]).toBe('asymmetric-path');
  });

  it('says that no two candidates fit', () => {
    const { wire, a, b } = duo({ a: hopeless });
    a.meet(b, [candidate('host', '[2001:db8::2]:1')]);
    wire.run(5000);
    expect(a.of('failed').map(({ at: when, what }) => [when, what.reason])).toEqual([[2000, 'no-pairs']]);
  });

  it('says that the peer never chose', () => {
    // a is deaf to answers: its checks reach b, but it never knows.
    const { wire, a, b, meet } = duo({
      b: hopeless,
      fate: ({ from, data }) => (formatEndpoint(from) === B && decode(data).class === 'success' ? lost : passed),
      a: { pacing: { ...BRISK_PACING, sends: 2 }, patienceMs: 100 },
    });
    meet();
    wire.run(100_000);
    expect(a.of('failed')[0]?.what.reason).toBe('only-inbound');
    expect(b.of('failed')[0]?.what.reason).toBe('not-nominated');
  });

  it('is not given while candidates may come', () => {
    const { wire, a, b } = duo({ a: hopeless, fate: () => lost });
    a.meet(b, [candidate('host', NOWHERE)], false);
    wire.run(100_000);
    expect(a.agent.state).toBe('checking');
    expect(a.agent.wakeAt()).toBeUndefined();
    a.feed({ kind: 'remote-end' });
    a.feed({ kind: 'local-end' });
    expect(a.agent.state).toBe('failed');
  });
});

describe('the end', () => {
  it('by close: nothing more is sent or awaited', () => {
    const { wire, a, meet } = duo();
    meet();
    wire.run(15);
    a.feed({ kind: 'close' });
    const sent = a.sends().length;
    wire.run(60_000);
    expect(a.sends().length).toBe(sent);
    expect([a.agent.state, a.agent.wakeAt()]).toEqual(['closed', undefined]);
    expect(a.agent.handle({ kind: 'remote-end' }, 0)).toEqual([]);
  });

  it('by the closing of the selected socket', () => {
    const { wire, a, meet } = duo();
    meet();
    wire.run(100);
    a.feed({ kind: 'socket-closed', socket: 0 });
    expect(a.agent.state).toBe('lost');
    expect(a.of('consent-lost')).toHaveLength(1);
  });

  it('of a socket that is not selected takes only its pairs', () => {
    const { a, b, hostB } = duo({ fate: () => lost });
    a.host(1, '192.0.2.1:5001');
    a.meet(b, [hostB]);
    a.feed({ kind: 'socket-closed', socket: 0 });
    expect(a.agent.pairs().map(({ socket }) => socket)).toEqual([1]);
    expect(a.agent.state).toBe('checking');
  });
});

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/net/address.ts';
import type { Random } from '../../src/net/env.ts';
import { type Attribute, attribute, ATTRIBUTES } from '../../src/stun/attributes.ts';
import {
  type Decoded,
  decode,
  encode,
  get,
  METHOD,
  MOST_BYTES,
  type Seal,
  StunFormatError,
} from '../../src/stun/message.ts';
import { checkFingerprint } from '../../src/stun/integrity.ts';
import {
  advertise,
  changedRole,
  createStunServer,
  respond,
  type Role,
  ROLES,
  type ServerOptions,
  type StunServer,
} from '../../src/stun/server.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

let state = 1;
const random: Random = {
  bytes: (length) => Uint8Array.from({ length }, () => random.below(256)),
  below: (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % bound;
  },
};

const FOUR: Record<Role, Endpoint> = {
  A1P1: { address: '192.0.2.1', port: 3478 },
  A1P2: { address: '192.0.2.1', port: 3479 },
  A2P1: { address: '192.0.2.2', port: 3478 },
  A2P2: { address: '192.0.2.2', port: 3479 },
};
const CLIENT: Endpoint = { address: '203.0.113.7', port: 40000 };
const UNLIMITED = { perSecond: Number.POSITIVE_INFINITY, burst: 1 };

const twoAddresses = (more: Partial<ServerOptions> = {}) =>
  createStunServer({ endpoints: FOUR, random, limit: UNLIMITED, ...more });
const oneAddress = (more: Partial<ServerOptions> = {}) =>
  createStunServer({ endpoints: { A1P1: FOUR.A1P1 }, random, limit: UNLIMITED, ...more });

const request = (attributes: readonly Attribute[] = [], seal?: Seal, classic = false) =>
  encode(
    { class: 'request', method: METHOD.binding, transactionId: random.bytes(classic ? 16 : 12), attributes },
    seal,
  );

interface Asked {
  readonly data: Uint8Array;
  readonly role?: Role;
  readonly from?: Endpoint;
  readonly now?: number;
  readonly transport?: 'udp' | 'tcp';
}

function ask(server: StunServer, { data, role = 'A1P1', from = CLIENT, now = 0, transport = 'udp' }: Asked) {
  const answer = respond(server, { role, from, data, now, transport });
  if (!answer) return undefined;
  const bytes = Uint8Array.from(answer.data);
  return { ...answer, data: bytes, message: decode(bytes) };
}

function answered(
  server: StunServer,
  asked: Asked,
): { message: Decoded; to: Endpoint; viaRole: Role; data: Uint8Array } {
  const answer = ask(server, asked);
  if (!answer) throw new Error('no answer');
  return answer;
}

describe('a plain Binding request', () => {
  it.each(ROLES)('is answered from %s with where it came from, who answers and the other address', (role) => {
    const data = request();
    const { message, to, viaRole } = answered(twoAddresses(), { data, role });
    expect(message.class).toBe('success');
    expect(message.transactionId).toEqual(decode(data).transactionId);
    expect(get(message, 'XOR-MAPPED-ADDRESS')).toEqual(CLIENT);
    expect(get(message, 'MAPPED-ADDRESS')).toEqual(CLIENT);
    expect(get(message, 'RESPONSE-ORIGIN')).toEqual(FOUR[role]);
    expect(get(message, 'OTHER-ADDRESS')).toEqual(FOUR[changedRole(role, true, true)]);
    expect(to).toEqual(CLIENT);
    expect(viaRole).toBe(role);
  });

  it('is answered alike by the template and by the codec', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 1, max: 65535 }), fc.constantFrom(...ROLES), (address, port, role) => {
        const server = twoAddresses();
        const from = { address, port };
        const data = request();
        const quick = answered(server, { data, role, from });
        // Over TCP the template is not used; without SOFTWARE the answer is the same.
        const full = answered(server, { data, role, from, transport: 'tcp' });
        expect(quick.data).toEqual(full.data);
      }),
    );
  });

  it('names no other address without a second one', () => {
    const { message } = answered(oneAddress(), { data: request() });
    expect(get(message, 'XOR-MAPPED-ADDRESS')).toEqual(CLIENT);
    expect(get(message, 'OTHER-ADDRESS')).toBeUndefined();
  });

  it('is never told a wildcard address', () => {
    const server = createStunServer({ endpoints: { A1P1: { address: '0.0.0.0', port: 3478 } }, random });
    expect(get(answered(server, { data: request() }).message, 'RESPONSE-ORIGIN')).toBeUndefined();
  });

  it('is not told private addresses: behind a NAT the server knows no better', () => {
    const address = '10.0.0.5';
    const one = createStunServer({ endpoints: { A1P1: { address, port: 3478 } }, random });
    expect(get(answered(one, { data: request() }).message, 'RESPONSE-ORIGIN')).toBeUndefined();
    const four = Object.fromEntries(
      ROLES.map((role, i) => [role, { address: `10.0.0.${i < 2 ? 5 : 6}`, port: 3478 + (i % 2) }]),
    );
    const two = createStunServer({ endpoints: four, random });
    const told = (from: string, attributes: readonly Attribute[] = []) => {
      const { message } = answered(two, { data: request(attributes), from: { address: from, port: 1 } });
      return [get(message, 'RESPONSE-ORIGIN'), get(message, 'OTHER-ADDRESS'), get(message, 'ERROR-CODE')?.code];
    };
    const change = [attribute('CHANGE-REQUEST', { ip: true, port: true })];
    expect(told('203.0.113.7')).toEqual([undefined, undefined, undefined]);
    expect(told('203.0.113.7', change)).toEqual([undefined, undefined, 420]);
    for (const near of ['10.0.0.9', '::ffff:10.0.0.9', '100.64.1.7'])
      expect(told(near)).toEqual([{ address, port: 3478 }, { address: '10.0.0.6', port: 3479 }, undefined]);
  });

  it('behind a 1:1 NAT is told the public addresses, and inside the private ones', () => {
    const four = (network: string) =>
      Object.fromEntries(
        ROLES.map((role, i) => [role, { address: `${network}.${i < 2 ? 5 : 6}`, port: 3478 + (i % 2) }]),
      );
    const server = createStunServer({ endpoints: four('10.0.0'), random, advertised: { outside: four('40.30.20') } });
    const told = (from: string, attributes: readonly Attribute[] = []) => {
      const { message, viaRole } = answered(server, { data: request(attributes), from: { address: from, port: 1 } });
      return [get(message, 'RESPONSE-ORIGIN')?.address, get(message, 'OTHER-ADDRESS')?.address, viaRole];
    };
    const change = [attribute('CHANGE-REQUEST', { ip: true, port: true })];
    expect(told('203.0.113.7')).toEqual(['40.30.20.5', '40.30.20.6', 'A1P1']);
    expect(told('203.0.113.7', change)).toEqual(['40.30.20.6', '40.30.20.6', 'A2P2']);
    expect(told('10.0.0.9')).toEqual(['10.0.0.5', '10.0.0.6', 'A1P1']);
    expect(told('2001:db8::7')).toEqual(['40.30.20.5', '40.30.20.6', 'A1P1']);
    advertise(server, undefined);
    expect(told('203.0.113.7')).toEqual([undefined, undefined, 'A1P1']);
  });

  it('is answered over IPv6, without the zone, and to an IPv4-mapped source as IPv4', () => {
    const server = createStunServer({ endpoints: { A1P1: { address: '2001:db8::1', port: 3478 } }, random });
    const mapped = (address: string) =>
      get(answered(server, { data: request(), from: { address, port: 5 } }).message, 'XOR-MAPPED-ADDRESS');
    expect(mapped('2001:db8::7')).toEqual({ address: '2001:db8::7', port: 5 });
    expect(mapped('fe80::7%eth0')).toEqual({ address: 'fe80::7', port: 5 });
    expect(mapped('::ffff:192.0.2.9')).toEqual({ address: '192.0.2.9', port: 5 });
  });

  it('gets a FINGERPRINT for a FINGERPRINT, and nothing for a wrong one', () => {
    const data = request([], { fingerprint: true });
    expect(checkFingerprint(answered(twoAddresses(), { data }).message)).toBe('valid');
    data[data.length - 1] = (data[data.length - 1] as number) ^ 1;
    expect(ask(twoAddresses(), { data })).toBeUndefined();
  });

  it('is not asked for credentials, and may carry them', () => {
    const data = request([attribute('USERNAME', 'someone')], { key: random.bytes(16), sha1: true, sha256: true });
    expect(answered(twoAddresses(), { data }).message.class).toBe('success');
  });
});

describe('CHANGE-REQUEST', () => {
  it.each([
    [false, false, 'A1P1'],
    [true, false, 'A2P1'],
    [false, true, 'A1P2'],
    [true, true, 'A2P2'],
  ] as const)('with ip %s and port %s is answered by %s', (ip, port, viaRole) => {
    const answer = answered(twoAddresses(), { data: request([attribute('CHANGE-REQUEST', { ip, port })]) });
    expect(answer.viaRole).toBe(viaRole);
    expect(answer.to).toEqual(CLIENT);
    expect(get(answer.message, 'RESPONSE-ORIGIN')).toEqual(FOUR[viaRole]);
    expect(get(answer.message, 'OTHER-ADDRESS')).toEqual(FOUR.A2P2);
  });

  it.each(['A1P1', 'A1P2'] as const)('of the port alone needs no second address: %s', (role) => {
    const endpoints = { A1P1: FOUR.A1P1, A1P2: FOUR.A1P2 };
    const data = request([attribute('CHANGE-REQUEST', { ip: false, port: true })]);
    const { message, viaRole } = answered(oneAddress({ endpoints }), { data, role });
    expect(viaRole).toBe(role === 'A1P1' ? 'A1P2' : 'A1P1');
    expect(get(message, 'RESPONSE-ORIGIN')).toEqual(FOUR[viaRole]);
    expect(get(message, 'OTHER-ADDRESS')).toBeUndefined();
  });

  const bothPorts = () => oneAddress({ endpoints: { A1P1: FOUR.A1P1, A1P2: FOUR.A1P2 } });
  const address = { ip: true, port: false };
  const port = { ip: false, port: true };
  const both = { ip: true, port: true };
  it.each([
    ['on one endpoint alone', oneAddress, 'udp', port],
    ['without a second address', bothPorts, 'udp', address],
    ['without a second address, the port too', bothPorts, 'udp', both],
    ['over TCP', twoAddresses, 'tcp', port],
  ] as const)('is refused with 420 %s', (_, make, transport, change) => {
    const server = make();
    const { message, viaRole } = answered(server, {
      data: request([attribute('CHANGE-REQUEST', change)]),
      transport,
    });
    expect(get(message, 'ERROR-CODE')?.code).toBe(420);
    expect(get(message, 'UNKNOWN-ATTRIBUTES')).toEqual([0x0003]);
    expect(viaRole).toBe('A1P1');
    expect(server.counters).toMatchObject({ answered: 0, refused: 1 });
  });

  it('without any flag is a plain request', () => {
    const { message } = answered(oneAddress(), {
      data: request([attribute('CHANGE-REQUEST', { ip: false, port: false })]),
    });
    expect(message.class).toBe('success');
  });
});

describe('RESPONSE-PORT', () => {
  it('sends the answer to that port of the source', () => {
    const { to, message } = answered(oneAddress(), { data: request([attribute('RESPONSE-PORT', 5000)]) });
    expect(to).toEqual({ address: CLIENT.address, port: 5000 });
    expect(get(message, 'XOR-MAPPED-ADDRESS')).toEqual(CLIENT);
  });

  it('goes with CHANGE-REQUEST', () => {
    const data = request([attribute('RESPONSE-PORT', 5000), attribute('CHANGE-REQUEST', { ip: true, port: true })]);
    expect(answered(twoAddresses(), { data })).toMatchObject({ to: { port: 5000 }, viaRole: 'A2P2' });
  });

  it.each([53, 1023])('is refused for the well-known port %i', (port) => {
    const { to, message } = answered(oneAddress(), { data: request([attribute('RESPONSE-PORT', port)]) });
    expect(get(message, 'ERROR-CODE')?.code).toBe(400);
    expect(to).toEqual(CLIENT);
  });

  it('is rationed more narrowly than plain requests', () => {
    const server = oneAddress({ limit: { perSecond: 1e6, burst: 1e6 } });
    const aimed = () => ask(server, { data: request([attribute('RESPONSE-PORT', 5000)]) }) !== undefined;
    let granted = 0;
    for (let i = 0; i < 1000; i++) if (aimed()) granted++;
    expect(granted).toBe(200);
    expect(ask(server, { data: request() })).toBeDefined();
  });
});

describe('PADDING', () => {
  it('is answered with padding, the whole no longer than the request', () => {
    for (const length of [0, 4, 60, 64, 80, 1480]) {
      const data = request([attribute('PADDING', new Uint8Array(length))]);
      const { message, data: answer } = answered(twoAddresses(), { data });
      const plain = answered(twoAddresses(), { data: request() }).data.length;
      expect(answer.length).toBeLessThanOrEqual(Math.max(data.length, plain));
      expect(get(message, 'PADDING') !== undefined).toBe(length > 48);
    }
  });

  it('excludes RESPONSE-PORT: 400', () => {
    const { message } = answered(twoAddresses(), {
      data: request([attribute('PADDING', new Uint8Array(8)), attribute('RESPONSE-PORT', 5000)]),
    });
    expect(get(message, 'ERROR-CODE')?.code).toBe(400);
  });
});

describe('unknown attributes', () => {
  it('that require comprehension are refused with 420 and named', () => {
    const unknown: Attribute[] = [0x0031, 0x7ffe].map((type) => ({ name: undefined, type, value: new Uint8Array(4) }));
    const { message } = answered(twoAddresses(), { data: request(unknown) });
    expect(get(message, 'ERROR-CODE')?.code).toBe(420);
    expect(get(message, 'UNKNOWN-ATTRIBUTES')).toEqual([0x0031, 0x7ffe]);
  });

  it('that are optional are passed over', () => {
    const { message } = answered(twoAddresses(), {
      data: request([{ name: undefined, type: 0xc001, value: new Uint8Array(4) }]),
    });
    expect(message.class).toBe('success');
  });

  it('include RESPONSE-ADDRESS, which could aim answers at anyone', () => {
    const { message, to } = answered(twoAddresses(), {
      data: request([attribute('RESPONSE-ADDRESS', { address: '198.51.100.1', port: 53 })]),
    });
    expect(get(message, 'UNKNOWN-ATTRIBUTES')).toEqual([ATTRIBUTES['RESPONSE-ADDRESS'].type]);
    expect(to).toEqual(CLIENT);
  });
});

describe('a classic client (RFC 3489)', () => {
  it('gets its own attributes and its 128-bit ID', () => {
    const data = request([attribute('CHANGE-REQUEST', { ip: false, port: false })], undefined, true);
    const { message } = answered(twoAddresses(), { data });
    expect(message.classic).toBe(true);
    expect(message.transactionId).toEqual(data.slice(4, 20));
    expect(get(message, 'MAPPED-ADDRESS')).toEqual(CLIENT);
    expect(get(message, 'SOURCE-ADDRESS')).toEqual(FOUR.A1P1);
    expect(get(message, 'CHANGED-ADDRESS')).toEqual(FOUR.A2P2);
    expect(get(message, 'XOR-MAPPED-ADDRESS')).toBeUndefined();
  });

  it('may ask for a change', () => {
    const data = request([attribute('CHANGE-REQUEST', { ip: true, port: true })], undefined, true);
    const { message, viaRole } = answered(twoAddresses(), { data });
    expect(viaRole).toBe('A2P2');
    expect(get(message, 'SOURCE-ADDRESS')).toEqual(FOUR.A2P2);
  });
});

describe('an error for a classic client', () => {
  /** Attributes as RFC 3489 has them: one right after the other, no padding. */
  const lengths = (data: Uint8Array): number[] => {
    const found: number[] = [];
    for (let at = 20; at < data.length; at += 4 + (found.at(-1) as number))
      found.push(((data[at + 2] as number) << 8) | (data[at + 3] as number));
    return found;
  };

  it.each([1, 2, 3])('is readable without padding: %i unknown attributes', (count) => {
    const unknown: Attribute[] = Array.from({ length: count }, (_, i) => ({
      name: undefined,
      type: 0x0031 + i,
      value: new Uint8Array(4),
    }));
    const server = twoAddresses({ software: 'seven b' });
    const { data, message } = answered(server, { data: request(unknown, undefined, true), transport: 'tcp' });
    expect(lengths(data).every((length) => length % 4 === 0)).toBe(true);
    expect(lengths(data).reduce((sum, length) => sum + length + 4, 20)).toBe(data.length);
    expect(get(message, 'ERROR-CODE')).toMatchObject({
      code: 420,
      reason: expect.stringMatching(/^Unknown Attribute *$/),
    });
    expect([...new Set(get(message, 'UNKNOWN-ATTRIBUTES'))]).toEqual([0x31, 0x32, 0x33].slice(0, count));
  });
});

describe('what gets no answer', () => {
  it.each(['success', 'error', 'indication'] as const)('a Binding %s', (cls) => {
    const server = twoAddresses();
    expect(
      ask(server, {
        data: encode({ class: cls, method: METHOD.binding, transactionId: random.bytes(12), attributes: [] }),
      }),
    ).toBeUndefined();
    expect(server.counters).toMatchObject({ received: 1, ignored: 1 });
  });

  it('another method', () => {
    const data = encode({ class: 'request', method: METHOD.allocate, transactionId: random.bytes(12), attributes: [] });
    expect(ask(twoAddresses(), { data })).toBeUndefined();
  });

  it('any bytes, without a throw, each counted once', () => {
    const server = twoAddresses();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (data, binding) => {
        if (binding && data.length > 1) data.set([0, 1]);
        const before = server.counters.received;
        respond(server, { role: 'A1P1', from: CLIENT, data, now: 0 });
        expect(server.counters.received).toBe(before + 1);
      }),
      { numRuns: 2000 },
    );
    const { received, ...rest } = server.counters;
    expect(Object.values(rest).reduce((sum, each) => sum + each, 0)).toBe(received);
  });
});

describe('SOFTWARE', () => {
  it('goes out over TCP, and over UDP only to requests as long as the answer', () => {
    const server = twoAddresses({ software: 'a server' });
    const software = (asked: Asked) => get(answered(server, asked).message, 'SOFTWARE');
    expect(software({ data: request(), transport: 'tcp' })).toBe('a server');
    expect(software({ data: request() })).toBeUndefined();
    expect(software({ data: request([attribute('SOFTWARE', 'x'.repeat(100))]) })).toBe('a server');
  });
});

describe('one large request', () => {
  it('with 65,504 bytes of PADDING and any SOFTWARE of ours is answered within its own length, over TCP within what a message holds', () => {
    for (const software of ['x', 'x'.repeat(45), 'ä'.repeat(127)]) {
      for (const transport of ['udp', 'tcp'] as const) {
        const server = oneAddress({ software });
        const data = request([attribute('PADDING', new Uint8Array(65_504))]);
        const answer = ask(server, { data, transport });
        expect(answer?.data.length).toBeLessThanOrEqual(transport === 'udp' ? data.length : MOST_BYTES);
        expect(server.counters).toMatchObject({ answered: 1, failed: 0 });
      }
    }
  });

  it('a SOFTWARE that no message may carry is refused before anything is served', () => {
    expect(() => oneAddress({ software: 'x'.repeat(764) })).toThrow(StunFormatError);
  });
});

describe('amplification', () => {
  it('never exceeds the plain answer unless the request did', () => {
    const server = twoAddresses({ software: 'a server with a long name' });
    const plain = answered(server, { data: request() }).data.length;
    const some = fc.subarray<Attribute>([
      attribute('CHANGE-REQUEST', { ip: true, port: false }),
      attribute('PADDING', new Uint8Array(40)),
      attribute('RESPONSE-PORT', 2000),
      attribute('RESPONSE-PORT', 20),
      attribute('SOFTWARE', 'client'),
      attribute('USERNAME', 'u'),
      { name: undefined, type: 0x7000, value: new Uint8Array(0) },
      { name: undefined, type: 0x7001, value: new Uint8Array(0) },
      { name: undefined, type: 0x7002, value: new Uint8Array(0) },
    ]);
    fc.assert(
      fc.property(some, fc.boolean(), (attributes, classic) => {
        const data = request(attributes, undefined, classic);
        const answer = respond(server, { role: 'A1P1', from: CLIENT, data, now: 0 });
        if (answer) expect(answer.data.length).toBeLessThanOrEqual(Math.max(plain, data.length));
      }),
    );
  });
});

describe('a flood', () => {
  it('from one source is cut to the rate while others are served', () => {
    const server = oneAddress({ limit: { perSecond: 10, burst: 5 } });
    const data = request();
    for (let now = 0; now < 1000; now++) respond(server, { role: 'A1P1', from: CLIENT, data, now });
    expect(server.counters.answered).toBeLessThanOrEqual(15);
    expect(server.counters.limited).toBe(1000 - server.counters.answered);
    expect(ask(server, { data, from: { address: '203.0.113.8', port: 1 }, now: 1000 })).toBeDefined();
  });

  it('from a million sources leaves no more memory behind than a quiet day', () => {
    const server = oneAddress({ limit: { perSecond: 100, burst: 400 } });
    const data = request();
    const flood = (from: number, count: number) => {
      for (let i = from; i < from + count; i++) {
        const address = `${i & 127}.${(i >> 7) & 255}.${(i >> 15) & 255}.${(i >> 23) & 255}`;
        respond(server, { role: 'A1P1', from: { address, port: 1 + (i & 0xfff) }, data, now: i / 1000 });
      }
    };
    flood(0, 100_000);
    const retained = () => {
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const before = retained();
    flood(100_000, 1_000_000);
    expect(server.counters.received).toBe(1_100_000);
    expect(retained() - before).toBeLessThan(2 * 1024 * 1024);
  });
});

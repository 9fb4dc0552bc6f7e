import { describe, expect, it } from 'vitest';
import { deriveSecret } from '../../src/connect/channel/keys.ts';
import { connect, type ConnectOptions, type ConnectResult } from '../../src/connect/connect.ts';
import { parseBroker } from '../../src/connect/signalling/broker-name.ts';
import type { TimelineEvent } from '../../src/connect/timeline.ts';
import { startBroker } from '../../src/lab/broker.ts';
import { createLab, type Lab, type LabOptions } from '../../src/lab/topology.ts';
import type { Endpoint } from '../../src/net/address.ts';
import { throughNat64, WELL_KNOWN } from '../../src/net/nat64.ts';

const FOUR: Endpoint = { address: '40.30.20.10', port: 3478 };
const SIX: Endpoint = { address: '2001:db8:40::10', port: 3478 };
const secret = deriveSecret('the code');

interface Side {
  readonly result: ConnectResult;
  readonly events: readonly TimelineEvent[];
  readonly path: string;
  readonly ms: number;
}

/** As a name with addresses of both families is looked up, IPv6 first, unless a side is told otherwise. */
async function meet(
  options: LabOptions,
  c2: Partial<ConnectOptions> = {},
  a: Partial<ConnectOptions> = {},
  prepare: (lab: Lab) => void = () => {},
): Promise<[Side, Side]> {
  const lab = createLab({
    ipv6: true,
    nat: 'port-restricted-cone',
    second: { nat: 'port-restricted-cone' },
    ...options,
  });
  prepare(lab);
  return lab.run(async (env, signal) => {
    const one = async (own: typeof env, over: Partial<ConnectOptions>): Promise<Side> => {
      const events: TimelineEvent[] = [];
      const onEvent = (event: TimelineEvent) => void events.push(event);
      const began = own.clock.now();
      const common = { server: SIX, otherwise: [FOUR], secret, waitMs: 30_000, signal, onEvent };
      const result = await connect(own, { ...common, ...over });
      const ms = own.clock.now() - began;
      const path = result.kind === 'connected' ? result.connection.path.kind : JSON.stringify(result.failure);
      return { result, events, path, ms };
    };
    const sides = await Promise.all([one(env, a), one(lab.host('C2'), c2)]);
    for (const { result } of sides) if (result.kind === 'connected') result.connection.close();
    return sides as [Side, Side];
  });
}

const NAT = 'port-restricted-cone';
const remoteOf = ({ result }: Side): string =>
  result.kind === 'connected' ? result.connection.path.remote.address : 'none';
const why = ({ result }: Side): string =>
  result.kind === 'failed' && 'reason' in result.failure ? result.failure.reason : '';
const profileOf = ({ events }: Side) => events.findLast(({ event }) => event === 'measured');

describe('hosts of both families, or one', () => {
  it('dual-stack and IPv4 alone: meet at one server and connect, as fast as two of IPv4 alone', async () => {
    const [plain] = await meet({ ipv6: 'none' });
    const sides = await meet({ second: { nat: NAT, ipv6: 'none' } });
    expect(sides.map(({ path }) => path)).toEqual(['direct', 'direct']);
    expect(sides.map(remoteOf)).toEqual(['22.23.24.25', '12.13.14.15']);
    expect(Math.max(...sides.map(({ ms }) => ms)) - plain.ms).toBeLessThanOrEqual(40);
  });

  it('measures the NAT of IPv4, whatever family is there beside it', async () => {
    const sides = await meet({ nat: 'symmetric', second: { nat: 'symmetric', ipv6: 'none' } });
    expect(sides.map(({ path }) => path)).toEqual(['predicted', 'predicted']);
    for (const side of sides) expect(profileOf(side)).toMatchObject({ mapping: 'address-and-port-dependent' });
  });

  it('IPv6 alone and IPv4 alone: says why not, or is relayed between the families', async () => {
    const apart: LabOptions = { ipv4: 'none', second: { nat: NAT, ipv6: 'none' } };
    const [six, four] = await meet(apart);
    expect(why(six)).toMatch(/^This side has IPv6 alone and the peer IPv4 alone: only a relay/);
    expect(why(four)).toMatch(/^The peer has IPv6 alone and this side IPv4 alone: only a relay/);
    expect(Math.max(six.ms, four.ms)).toBeLessThan(5_000);
    const relayed = await meet({ ...apart, relay: true });
    expect(relayed.map(({ path }) => path)).toEqual(['relay', 'relay']);
    expect(Math.max(...relayed.map(({ ms }) => ms))).toBeLessThan(1_000);
  });

  it('IPv6 alone behind a NAT64 and IPv4 alone: connect through both NATs', async () => {
    for (const nat of ['port-restricted-cone', 'symmetric']) {
      const server = { address: throughNat64(FOUR.address, WELL_KNOWN), port: 3478 };
      const sides = await meet({ nat, nat64: true, second: { nat: NAT, ipv6: 'none' } }, {}, { server, otherwise: [] });
      expect(sides.map(({ path }) => path)).toEqual(
        nat === 'symmetric' ? ['predicted', 'predicted'] : ['direct', 'direct'],
      );
      expect(sides.map(remoteOf)).toEqual(['64:ff9b::1617:1819', '12.13.14.15']);
    }
  });

  const black: readonly (readonly [string, LabOptions])[] = [
    ['IPv6 of the first, beside a dual-stack host', { ipv6: 'black-hole', second: { nat: NAT, ipv6: 'firewall' } }],
    ['IPv6 of the first, beside one of IPv4', { ipv6: 'black-hole', second: { nat: NAT, ipv6: 'none' } }],
    ['IPv6 of the second', { second: { nat: NAT, ipv6: 'black-hole' } }],
    ['IPv6 of both', { ipv6: 'black-hole' }],
    ['IPv4 of the first', { ipv4: 'black-hole' }],
    ['IPv4 of the first, beside one of IPv6', { ipv4: 'black-hole', second: { nat: NAT, ipv4: 'none' } }],
    ['IPv4 of both', { ipv4: 'black-hole', second: { nat: NAT, ipv4: 'black-hole' } }],
  ];
  it.each(black)('a black hole costs at most a second: %s', async (_, options) => {
    const [plain] = await meet({});
    const sides = await meet(options);
    expect(sides.map(({ path }) => path)).toEqual(['direct', 'direct']);
    for (const { ms } of sides) expect(ms - plain.ms).toBeLessThanOrEqual(1_000);
    const lost = options.ipv4 === 'black-hole';
    const moved = sides[0].events.find(({ event }) => event === 'server');
    if (lost) expect(moved).toMatchObject({ address: '[2001:db8:40::10]:3478', instead: '40.30.20.10:3478' });
    else expect(moved).toBeUndefined();
    expect(sides[0].result.server).toEqual(lost ? SIX : FOUR);
  });

  it('told to use one family, leaves the other out', async () => {
    const alone = (server: Endpoint) => ({ server, otherwise: [], alone: true });
    for (const [server, inside] of [
      [FOUR, /^(12|22)\./],
      [SIX, /^2001:/],
    ] as const)
      for (const side of await meet({}, alone(server), alone(server))) {
        expect(remoteOf(side)).toMatch(inside);
        const told = side.events.filter(({ event }) => event === 'candidate').map(({ address }) => String(address));
        expect(told.every((each) => each.startsWith('[') === (server === SIX))).toBe(true);
      }
  });

  it('a server that is slow, but there, is not left for its other family', async () => {
    for (const { path, result } of await meet({ rttMs: 240 })) expect([path, result.server]).toEqual(['direct', FOUR]);
  });

  it('met by IPv6, where IPv4 is slow, the NAT of IPv4 is measured all the same', async () => {
    const [a] = await meet({ nat: 'symmetric', second: { nat: NAT, ipv6: 'none' } }, {}, {}, slowIpv4);
    expect(a.result.server).toEqual(SIX);
    expect(a.events.filter(({ event, type }) => event === 'candidate' && type === 'srflx')).toMatchObject([
      { address: '[2001:db8:1::3]:42301' },
      { address: '12.13.14.15:24604' },
    ]);
    expect(profileOf(a)).toMatchObject({ mapping: 'address-and-port-dependent', complete: true });
  });
});

describe('hosts of both families, or one, by way of brokers and STUN servers', () => {
  const there = ['80.70.60.50', '2001:db8:80::50'];
  const brokers = { names: [parseBroker('mqtt://broker.example.net')] };
  const withBroker = (lab: Lab): void => {
    lab.addHost('M', there);
    const at = there.map((address) => ({ address, port: 1883 }));
    lab.serve('M', (env) => startBroker(env, at));
  };
  it.each<[string, LabOptions, string]>([
    ['two of both', {}, 'direct'],
    ['both and IPv4 alone', { second: { nat: NAT, ipv6: 'none' } }, 'direct'],
    [
      'both, with symmetric NATs, and IPv4 alone',
      { nat: 'symmetric', second: { nat: NAT, ipv6: 'none' } },
      'predicted',
    ],
    ['IPv6 that leads nowhere', { ipv6: 'black-hole', second: { nat: NAT, ipv6: 'firewall' } }, 'direct'],
    ['IPv4 that leads nowhere', { ipv4: 'black-hole' }, 'direct'],
    ['two of IPv6 alone, translated', { ipv6: 'nat66', ipv4: 'none', second: { nat: NAT, ipv4: 'none' } }, 'direct'],
  ])('%s', async (_, options, path) => {
    const troubles: string[] = [];
    const by = { brokers, stunOnly: true, trouble: ({ kind }: { kind: string }) => void troubles.push(kind) };
    const names = { 'broker.example.net': there };
    const [plain] = await meet({ names }, by, by, withBroker);
    const sides = await meet({ names, ...options }, by, by, withBroker);
    expect(sides.map((side) => side.path)).toEqual([path, path]);
    expect(troubles).toEqual([]);
    if (path === 'direct') for (const { ms } of sides) expect(ms - plain.ms).toBeLessThanOrEqual(1_000);
  });

  it('IPv6 alone and IPv4 alone are told why not', async () => {
    const by = { brokers, stunOnly: true };
    const options: LabOptions = {
      ipv4: 'none',
      second: { nat: NAT, ipv6: 'none' },
      names: { 'broker.example.net': there },
    };
    const [six] = await meet(options, by, by, withBroker);
    expect(why(six)).toMatch(/IPv6 alone and the peer IPv4 alone/);
  });
});

/** A and the server have 700 ms between them by IPv4. */
const slowIpv4 = (lab: Lab): void => {
  lab.internet.particular = ({ src, dst }) =>
    [src, dst].some(({ address }) => address === '12.13.14.15') &&
    [src, dst].some(({ address }) => address === FOUR.address)
      ? { delayMs: 350 }
      : undefined;
};

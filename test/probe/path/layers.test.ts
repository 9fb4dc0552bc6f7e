import { describe, expect, it } from 'vitest';
import { NOTHING, type PathFacts } from '../../../src/probe/path/facts.ts';
import type { RouterOffer } from '../../../src/portmap/offer.ts';
import { NO_ANSWER } from '../../../src/portmap/protocol.ts';
import { type Layers, layersOf } from '../../../src/probe/path/layers.ts';

const LOCAL = { address: '192.168.1.3', port: 42301 };
const MAPPED = { address: '12.13.14.15', port: 24604 };
const GATEWAY = { family: 4, address: '192.168.1.1', interface: 'eth0' } as const;
const offering = (external: string | undefined, secondNat = false): RouterOffer => ({
  router: { address: GATEWAY.address, local: LOCAL.address, interface: 'eth0' },
  pcp: NO_ANSWER,
  natPmp: { answer: 'yes', external, oddities: [] },
  upnp: NO_ANSWER,
  external,
  secondNat,
});

const of = (facts: Partial<PathFacts>): Layers =>
  layersOf({ ...NOTHING, local: LOCAL, mapped: MAPPED, gateway: GATEWAY, ...facts });
const at = (hop: number): PathFacts['filter'] => ({ kind: 'at', hop });
const short = ({ layers }: Layers) => layers.map(({ hop, kind, outside }) => `${hop} ${kind} ${outside}`);

describe('without a translation', () => {
  const open = { local: { ...MAPPED, port: 42301 }, mapped: { ...MAPPED, port: 42301 } };

  it('there is no NAT, whatever filters', () => {
    expect(of(open)).toEqual({ layers: [], nats: 0, cgnat: 'no', doubleNat: 'no', open: undefined });
    expect(of({ ...open, filter: at(3) })).toMatchObject({
      nats: 0,
      layers: [{ hop: 3, kind: 'filter', inside: null, outside: null, knownFrom: ['ttl-filter'] }],
    });
  });
});

describe('where the router tells its outside address', () => {
  it('and the server sees the same, there is one NAT, at hop 1', () => {
    expect(of({ offer: offering(MAPPED.address), filter: at(1) })).toEqual({
      layers: [
        {
          hop: 1,
          kind: 'nat',
          inside: GATEWAY.address,
          outside: MAPPED.address,
          knownFrom: ['gateway', 'port-mapping', 'stun'],
        },
      ],
      nats: 1,
      cgnat: 'no',
      doubleNat: 'no',
      open: undefined,
    });
  });

  it('a filter further out is a layer of its own', () => {
    expect(short(of({ offer: offering(MAPPED.address), filter: at(3) }))).toEqual([
      '1 nat 12.13.14.15',
      '3 filter null',
    ]);
  });

  it.each([
    ['100.64.1.7', 'yes'],
    ['192.168.100.2', 'unknown'],
    ['10.0.0.2', 'unknown'],
  ] as const)('and it is %s, a second NAT follows', (wan, cgnat) => {
    const told = of({ offer: offering(wan), filter: at(3) });
    expect(short(told)).toEqual([`1 nat ${wan}`, '3 nat 12.13.14.15']);
    expect(told).toMatchObject({ nats: 2, doubleNat: 'yes', cgnat });
  });

  it('the hop of a second NAT that filters nothing is unknown, unless it answers for its address', () => {
    expect(short(of({ offer: offering('100.64.1.7'), filter: at(1) }))).toEqual([
      '1 nat 100.64.1.7',
      'null nat 12.13.14.15',
    ]);
    expect(short(of({ offer: offering('100.64.1.7'), filter: at(1), owner: 2 }))).toEqual([
      '1 nat 100.64.1.7',
      '2 nat 12.13.14.15',
    ]);
  });

  it('or says only that a NAT follows, there are two', () => {
    expect(short(of({ offer: offering(undefined, true), filter: at(2) }))).toEqual(['1 nat null', '2 nat 12.13.14.15']);
    expect(of({ offer: offering(undefined, true), filter: at(2) })).toMatchObject({ nats: 2, doubleNat: 'yes' });
  });

  it('so too where it says that it has no public address, unless hop 1 answers for the mapped one', () => {
    const offer: RouterOffer = {
      ...offering(undefined),
      natPmp: { answer: 'refused', refusal: { kind: 'no-network', protocol: 'nat-pmp' }, oddities: [] },
    };
    expect(of({ offer, filter: at(1) })).toMatchObject({ nats: 2, doubleNat: 'yes', cgnat: 'unknown' });
    expect(of({ offer, filter: at(1), owner: 1 })).toMatchObject({ nats: 1, doubleNat: 'no' });
  });

  it('and it is another public one, nothing tells a second NAT from a tunnel', () => {
    expect(of({ offer: offering('50.60.70.80') })).toMatchObject({
      nats: null,
      doubleNat: 'unknown',
      cgnat: 'unknown',
      open: 'other-way',
    });
  });

  it.each(['0.0.0.0', '127.0.0.1', '224.0.0.1', '169.254.1.1'])('%s is none', (wan) => {
    expect(of({ offer: offering(wan), filter: at(1) })).toEqual(of({ filter: at(1) }));
  });
});

describe('where it does not', () => {
  it('the box that answers for the mapped address is the last NAT', () => {
    expect(of({ owner: 1, filter: at(1) })).toMatchObject({ nats: 1, doubleNat: 'no', cgnat: 'no' });
    expect(short(of({ owner: 1, filter: at(3) }))).toEqual(['1 nat 12.13.14.15', '3 filter null']);
  });

  it('boxes before that one may translate too', () => {
    expect(of({ owner: 3, filter: at(3) })).toMatchObject({
      layers: [{ hop: 3, kind: 'nat', outside: MAPPED.address }],
      nats: null,
      doubleNat: 'unknown',
      open: 'gateway-unseen',
    });
    expect(short(of({ owner: 2, filter: at(1) }))).toEqual(['1 filter null', '2 nat 12.13.14.15']);
  });

  it('the outermost filter is taken for the NAT, and the number stays open', () => {
    expect(of({ filter: at(1) })).toMatchObject({ layers: [{ hop: 1 }], nats: null, open: 'behind-unseen' });
    expect(of({ filter: at(3) })).toMatchObject({ layers: [{ hop: 3 }], nats: null, open: 'gateway-unseen' });
    expect(of({ filter: { kind: 'none' } })).toMatchObject({ layers: [{ hop: null, kind: 'nat' }], nats: null });
  });
});

describe('a host whose own address is of the shared space', () => {
  const shared = { address: '100.72.3.4', port: 42301 };

  it("stands behind a carrier's NAT", () => {
    expect(of({ local: shared, owner: 1 })).toMatchObject({ nats: 1, cgnat: 'yes' });
    expect(of({ local: shared, filter: at(2) })).toMatchObject({ nats: null, cgnat: 'yes' });
  });

  it('unless a tunnel gave it that', () => {
    expect(of({ local: shared, tunnel: true, filter: at(2) })).toMatchObject({ cgnat: 'unknown' });
  });
});

it('nothing follows from no answer', () => {
  expect(layersOf(NOTHING)).toEqual({
    layers: [],
    nats: null,
    cgnat: 'unknown',
    doubleNat: 'unknown',
    open: 'no-answer',
  });
});

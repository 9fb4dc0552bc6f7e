import { describe, expect, it } from 'vitest';
import {
  decodeDescription,
  type Description,
  encodeDescription,
  portsOf,
  wrapPort,
} from '../../../src/connect/signalling/description.ts';

const endpoint = (i: number) => ({ address: `192.168.1.${i}`, port: 1000 + i });
const EMPTY: Description = { hosts: [], reflexive: [], late: undefined, profile: undefined, aim: undefined };
const FULL: Description = {
  hosts: [endpoint(1), { address: '2001:db8::1', port: 2 }],
  reflexive: [{ address: '12.13.14.15', port: 24604 }],
  late: { address: '12.13.14.15', port: 24605 },
  profile: {
    mapping: 'address-and-port-dependent',
    filtering: 'address-dependent',
    allocation: { pattern: 'sequential', step: -2 },
    complete: true,
  },
  aim: { round: 3, address: '12.13.14.15', from: 5000, step: 2, count: 8 },
};

const json = (value: unknown): Description | undefined =>
  decodeDescription(new TextEncoder().encode(JSON.stringify(value)));
const bare = { v: 2, h: [], r: [] };

describe('a description', () => {
  it('comes through whole', () => {
    for (const each of [EMPTY, FULL]) expect(decodeDescription(encodeDescription(each))).toEqual(each);
    for (const allocation of [{ pattern: 'random' }, { pattern: 'block', range: [2000, 2511] }] as const) {
      const profile = { ...FULL.profile, allocation, complete: false } as NonNullable<Description['profile']>;
      expect(decodeDescription(encodeDescription({ ...EMPTY, profile }))?.profile).toEqual(profile);
    }
  });

  it('has an open port as one more public side, which others may use as well', () => {
    const mapped = { address: '12.13.14.15', port: 42301 };
    for (const each of [EMPTY, FULL, { ...FULL, reflexive: [mapped] }]) {
      const bytes = encodeDescription({ ...each, mapped });
      expect(decodeDescription(bytes)).toEqual({ ...each, mapped });
      const { u: _, ...older } = JSON.parse(new TextDecoder().decode(bytes));
      expect(json(older)?.reflexive).toEqual([...each.reflexive, mapped]);
    }
    for (const each of [EMPTY, FULL])
      expect(decodeDescription(encodeDescription({ ...each, mapped: 'asked' }))).toEqual({ ...each, mapped: 'asked' });
    expect(json({ ...bare, u: 1 })?.mapped).toBeUndefined();
    expect(json({ ...bare, r: ['1.2.3.4:5'], u: 'yes' })).toMatchObject({
      reflexive: [{ port: 5 }],
      mapped: undefined,
    });
  });

  it('tells ports for one instant in the place of an aim, and its clock', () => {
    const fresh = { round: 2, at: 1234.567, address: '12.13.14.15', ports: [1, 65_535] };
    const clocks = { now: 99.5, least: -3.25 };
    expect(decodeDescription(encodeDescription({ ...FULL, fresh, clocks }))).toEqual({
      ...FULL,
      aim: undefined,
      fresh,
      clocks,
    });
    const waiting = { ...EMPTY, fresh: { ...fresh, at: undefined }, clocks: { now: 1, least: undefined } };
    expect(decodeDescription(encodeDescription(waiting))).toEqual(waiting);
  });

  it('fits, however much there is to tell', () => {
    const long = (port: number) => ({
      address: `2001:db8:1234:5678:9abc:def0:1234:${1000 + port}`,
      port: 65_000 + port,
    });
    const ports = Array.from({ length: 20 }, (_, i) => 60_000 + i);
    const clocks = { now: 123456789012.123, least: -123456789012.123 };
    const most: Description = {
      ...FULL,
      hosts: Array.from({ length: 20 }, (_, i) => long(i)),
      reflexive: [long(1), long(2)],
      mapped: long(2),
      late: long(3),
      fresh: { round: 1000, at: 1234567890.123, address: long(1).address, ports },
      clocks,
    };
    expect(decodeDescription(encodeDescription(most))?.fresh?.ports).toEqual(ports.slice(0, 8));
  });

  it.each([
    [{ n: [0, null, '1.2.3.4', 1] }],
    [{ n: [1, 'now', '1.2.3.4', 1] }],
    [{ n: [1, 1e300, '1.2.3.4', 1] }],
    [{ n: [1, null, 'host', 1] }],
    [{ n: [1, null, '1.2.3.4', 0] }],
    [{ n: [1, null, '1.2.3.4', ...Array.from({ length: 9 }, () => 7)] }],
    [{ n: 7, t: 7 }],
    [{ t: [] }],
    [{ t: [1, 'x'] }],
    [{ t: [1e300] }],
  ])('leaves out an instant or a clock that cannot be right: %j', (wrong) => {
    expect(json({ ...bare, ...wrong })).toEqual(EMPTY);
  });

  it('tells eight hosts and two public sides at most, and is heard with no more', () => {
    const many = Array.from({ length: 20 }, (_, i) => endpoint(i));
    const told = decodeDescription(encodeDescription({ ...EMPTY, hosts: many, reflexive: many }));
    expect([told?.hosts, told?.reflexive]).toEqual([many.slice(0, 8), many.slice(0, 2)]);
    const lines = many.map(({ address, port }) => `${address}:${port}`);
    expect(json({ ...bare, h: lines.slice(0, 8) })?.hosts).toHaveLength(8);
    expect(json({ ...bare, h: lines.slice(0, 9) })).toBeUndefined();
    expect(json({ ...bare, r: lines.slice(0, 2) })?.reflexive).toHaveLength(2);
    expect(json({ ...bare, r: lines.slice(0, 3) })).toBeUndefined();
  });

  it.each([
    ['no JSON', new TextEncoder().encode('{')],
    ['no UTF-8', Uint8Array.of(0xff)],
    ['another version', new TextEncoder().encode('{"v":1,"h":[],"r":[]}')],
    ['a list', new TextEncoder().encode('[1]')],
    ['null', new TextEncoder().encode('null')],
  ])('is none where there is %s', (_, data) => {
    expect(decodeDescription(data)).toBeUndefined();
  });

  it.each([['1.2.3.4:0'], ['host:1'], ['1.2.3.4'], [7], [null]])('is none with %j for a host', (host) => {
    expect(json({ ...bare, h: [host] })).toBeUndefined();
  });

  it('leaves out a profile, an aim or a late socket that cannot be right', () => {
    const profile = { m: 'apd', f: 'ad', p: ['sequential', 1], c: true };
    expect(json({ ...bare, ...profile })?.profile).toBeDefined();
    for (const wrong of [
      { m: 'x' },
      { f: 'none' },
      { f: 'toString' },
      { p: ['sequential', 0] },
      { p: ['sequential', 5000] },
      { p: ['x'] },
      { p: 1 },
    ])
      expect(json({ ...bare, ...profile, ...wrong })?.profile).toBeUndefined();
    for (const range of [[0, 9], [9, 8], [1, 65_536], [1]])
      expect(json({ ...bare, ...profile, p: ['block', 0, ...range] })?.profile).toBeUndefined();
    const aim = [1, '1.2.3.4', 5000, 1, 64];
    expect(json({ ...bare, a: aim })?.aim).toMatchObject({ count: 64 });
    const wrongs: [number, unknown][] = [
      [0, 0],
      [0, 1001],
      [1, 'x'],
      [1, 1],
      [2, 0],
      [2, 65_536],
      [3, 4097],
      [4, 0],
      [4, 65],
      [4, 1.5],
    ];
    for (const [at, value] of wrongs) expect(json({ ...bare, a: aim.with(at, value as number) })?.aim).toBeUndefined();
    expect(json({ ...bare, l: '1.2.3.4:0' })?.late).toBeUndefined();
  });
});

describe('the ports of an aim', () => {
  it('go on from the first by steps, round the range of a NAT, each once', () => {
    const aim = { round: 1, address: '1.2.3.4', from: 65_534, step: 1, count: 4 };
    expect(portsOf(aim)).toEqual([65_534, 65_535, 1024, 1025]);
    expect(portsOf({ ...aim, from: 1025, step: -1 })).toEqual([1025, 1024, 65_535, 65_534]);
    expect(portsOf({ ...aim, step: 0 })).toEqual([65_534]);
    expect([wrapPort(1024), wrapPort(1023), wrapPort(65_536), wrapPort(0)]).toEqual([1024, 65_535, 1024, 64_512]);
  });
});

import { describe, expect, it } from 'vitest';
import { type Asked, parseAdvertise, plan } from '../../../src/commands/serve/addresses.ts';
import { familyOf } from '../../../src/net/address.ts';

const on = (...addresses: string[]) =>
  ['127.0.0.1', ...addresses].map((address, i) => ({
    name: 'eth0',
    address,
    family: familyOf(address),
    prefixLength: 24,
    internal: i === 0,
  }));
const of = (advertise: readonly string[], address: readonly string[] = []): Asked => ({
  address,
  advertise: advertise.map((text) => parseAdvertise(text, '--advertise')),
  alternate: undefined,
  family: undefined,
});
const roles = (first: string, second = first) => ({
  A1P1: { address: first, port: 3478 },
  A2P2: { address: second, port: 3479 },
});

describe('--advertise', () => {
  it.each([
    ['one that is named', of(['40.30.20.5'], ['10.0.0.5']), on(), ['10.0.0.5']],
    [
      'two that are named, in order',
      of(['40.30.20.5', '40.30.20.6'], ['10.0.0.5', '10.0.0.6']),
      on(),
      ['10.0.0.5', '10.0.0.6'],
    ],
    ['the private one of two', of(['40.30.20.6'], ['40.30.20.5', '10.0.0.6']), on(), ['40.30.20.5', '10.0.0.6']],
    ['a pair by itself', of(['40.30.20.6=10.0.0.6', '40.30.20.5=10.0.0.5']), on(), ['10.0.0.6', '10.0.0.5']],
    ['the only private one of the host', of(['40.30.20.5']), on('10.0.0.5', '2001:db8::1', '169.254.3.4'), undefined],
    ['one of several, by name', of(['40.30.20.5=10.0.0.5']), on('10.0.0.5', '172.17.0.1'), undefined],
    ['the wildcard address', of(['40.30.20.5'], ['0.0.0.0']), on(), ['0.0.0.0']],
  ])('stands for %s', (_, args, interfaces, addresses) => {
    const found = plan(args, interfaces);
    expect(found.addresses).toEqual(addresses && [addresses]);
    const told = found.outsides.advertised(roles(addresses?.[0] ?? '10.0.0.5', addresses?.[1]));
    expect(Object.values(told.outside ?? {}).map((each) => each?.address)).toContain(args.advertise[0]?.outside);
  });

  it('takes the addresses of each family for themselves', () => {
    const { addresses } = plan(of([], ['40.30.20.10', '2001:db8::10', '40.30.20.11', '2001:db8::11']), on());
    expect(addresses).toEqual([
      ['40.30.20.10', '40.30.20.11'],
      ['2001:db8::10', '2001:db8::11'],
    ]);
    expect(plan(of([], ['0.0.0.0', '::']), on()).addresses).toEqual([['0.0.0.0'], ['::']]);
    expect(() => plan(of([], ['40.30.20.10', '2001:db8::10', '40.30.20.11', '40.30.20.12']), on())).toThrow(
      /one or two addresses of each family/,
    );
  });

  it.each([
    [of(['40.30.20.5']), on('10.0.0.5', '172.17.0.1'), /can stand for 10\.0\.0\.5, 172\.17\.0\.1/],
    [of(['40.30.20.5']), on('40.30.20.9'), /none is private/],
    [of(['40.30.20.5=10.0.0.9'], ['10.0.0.5']), on(), /10\.0\.0\.9 is not among/],
    [of(['40.30.20.5=10.0.0.5', '40.30.20.6=10.0.0.5'], ['10.0.0.5']), on(), /10\.0\.0\.5 is given twice/],
    [of(['40.30.20.5=10.0.0.5', '40.30.20.5=10.0.0.6']), on('10.0.0.5', '10.0.0.6'), /40\.30\.20\.5 is given twice/],
    [of(['40.30.20.5=10.0.0.99']), on('10.0.0.5'), /10\.0\.0\.99 is not an address of this host/],
  ])('says what cannot be meant', (args, interfaces, message) => {
    expect(() => plan(args, interfaces)).toThrow(message);
  });

  it.each([
    '',
    'example.net',
    '40.30.20.5:3478',
    '1.2.3.4=10.0.0.5=7',
    '0.0.0.0',
    '127.0.0.1',
    'fe80::1',
    '40.30.20.5=fd00::1',
  ])('is not %s', (text) => {
    expect(() => parseAdvertise(text, '--advertise')).toThrow(/^--advertise: /);
  });

  it.each(['10.1.2.3', '192.168.1.9=10.0.0.5', '172.16.0.1', '100.64.0.1', '198.18.0.1', '240.0.0.1', 'fd00::1'])(
    'stands for no address that the internet cannot reach: %s',
    (text) => {
      expect(() => parseAdvertise(text, '--advertise')).toThrow(/^--advertise: expected a public address, .* got '/);
    },
  );

  it.each(['192.0.2.1', '198.51.100.1=10.0.0.5', '203.0.113.1', '2001:db8::1'])(
    'takes documentation addresses for public ones: %s',
    (text) => {
      expect(parseAdvertise(text, '--advertise').outside).toBe(text.split('=')[0]);
    },
  );
});

import { describe, expect, it } from 'vitest';
import { addressBytes } from '../../src/net/address.ts';
import { PeerPolicy } from '../../src/turn/peer-policy.ts';
import { FakeClient, outcome, Relays, SERVER } from './server-wire.ts';

/** One of each range of RFC 6890 and its like that leads somewhere else than to a host on the internet. */
const PRIVATE_4 = [
  '0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '100.64.0.1', '100.127.255.254', '127.0.0.1', '127.255.255.254',
  '169.254.169.254', '172.16.0.1', '172.31.255.255', '192.0.0.1', '192.0.0.170', '192.168.0.1', '192.168.255.255',
  '192.88.99.1', '168.63.129.16', '198.18.0.1', '198.19.255.255', '224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255',
]; // biome-ignore format: one table
const PUBLIC_4 = [
  '8.8.8.8',
  '50.60.70.80',
  '100.63.255.255',
  '100.128.0.1',
  '172.15.0.1',
  '172.32.0.1',
  '192.167.1.1',
  '198.17.0.1',
  '223.255.255.255',
];
const PRIVATE_6 = [
  '::',
  '::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fec0::1',
  'ff02::1',
  '100::1',
  '64:ff9b:1::808:808',
  '2001:2::1',
  '2001:1ff::1',
  '2001:20::1',
  '200::1',
  '1::1',
  '4000::1',
  '5f00::1',
  'e000::1',
];
const PUBLIC_6 = ['2001:200::1', '2001:db8::1', '2606:4700:4700::1111', '2a00:1450::1'];

const hex = (v4: string): [string, string] => {
  const [a = 0, b = 0, c = 0, d = 0] = addressBytes(v4) ?? [];
  return [((a << 8) | b).toString(16), ((c << 8) | d).toString(16)];
};
const inverted = (v4: string): string =>
  v4
    .split('.')
    .map((part) => 255 - Number(part))
    .join('.');

/** Every form of an IPv4 address in an IPv6 one. */
const FORMS: Readonly<Record<string, (v4: string) => string>> = {
  mapped: (v4) => `::ffff:${v4}`,
  compatible: (v4) => `::${v4}`,
  translated: (v4) => `::ffff:0:${v4}`,
  nat64: (v4) => `64:ff9b::${v4}`,
  'local nat64': (v4) => `64:ff9b:1::${v4}`,
  '6to4': (v4) => `2002:${hex(v4).join(':')}::1`,
  'teredo client': (v4) => `2001:0:808:808:0:0:${hex(inverted(v4)).join(':')}`,
  'teredo server': (v4) => `2001:0:${hex(v4).join(':')}:0:0:f7f7:f7f7`,
  isatap: (v4) => `2a00:1450::5efe:${v4}`,
  'global isatap': (v4) => `2a00:1450::200:5efe:${v4}`,
};

describe('peers that are denied by default', () => {
  const policy = new PeerPolicy();

  it.each([...PRIVATE_4, ...PRIVATE_6])('%s', (address) => expect(policy.allows(address)).toBe(false));
  it.each([...PUBLIC_4, ...PUBLIC_6])('not %s', (address) => expect(policy.allows(address)).toBe(true));

  describe.each(Object.entries(FORMS))('%s', (_, form) => {
    it.each(PRIVATE_4)('of %s', (v4) => expect([form(v4), policy.allows(form(v4))]).toEqual([form(v4), false]));
  });

  it('NAT64 and ISATAP of a public host are hosts like any other; tunnels and disguises are not', () => {
    const allowed = Object.entries(FORMS).filter(([, form]) => policy.allows(form('8.8.4.4')));
    expect(allowed.map(([name]) => name)).toEqual(['nat64', 'isatap', 'global isatap']);
  });

  it('what is no address is no peer', () => {
    for (const address of ['', 'localhost', '1.2.3', '::g']) expect(policy.allows(address)).toBe(false);
  });
});

describe('peers that are allowed by name', () => {
  const network = (text: string, length: number) => ({ prefix: addressBytes(text) as Uint8Array, length });

  it('opens one network and no other', () => {
    const policy = new PeerPolicy([network('192.168.7.0', 24)]);
    expect(['192.168.7.9', '192.168.8.9', '8.8.8.8'].map((each) => policy.allows(each))).toEqual([true, false, true]);
  });

  it('does not open what an IPv6 address leads to', () => {
    const policy = new PeerPolicy([network('::', 0)]);
    expect(policy.allows('::ffff:169.254.169.254')).toBe(false);
    expect(policy.allows('64:ff9b::7f00:1')).toBe(false);
    expect(policy.allows('fd00::1')).toBe(true);
  });
});

describe('the server refuses them', () => {
  const client = (options?: ConstructorParameters<typeof Relays>[0]) => {
    const of = new FakeClient(new Relays(options));
    of.allocate();
    return of;
  };

  it('in CreatePermission and in ChannelBind, and all of a list for one', () => {
    const of = client();
    for (const address of [...PRIVATE_4, SERVER.address]) {
      const own = address === SERVER.address;
      // The address of its relays may be permitted: what is sent there goes to live allocations alone.
      expect([address, outcome(of.permit({ address, port: 5000 }))]).toEqual([address, own ? 'success' : 403]);
      expect([address, outcome(of.bind(0x4000, { address, port: own ? SERVER.port : 5000 }))]).toEqual([address, 403]);
    }
    expect(outcome(of.permit({ address: '8.8.8.8', port: 1 }, { address: '10.0.0.1', port: 1 }))).toBe(403);
    of.sendTo({ address: '8.8.8.8', port: 5000 }, Uint8Array.of(1));
    expect(of.relays.sockets[0]?.posted).toHaveLength(0);
  });

  it('and what hides in IPv6 likewise, on a relay of that family', () => {
    const of = client();
    const six = new FakeClient(of.relays, { from: { address: '2001:db8:77::1', port: 9 } });
    six.ask(3, [
      { name: 'REQUESTED-TRANSPORT', value: 17 },
      { name: 'REQUESTED-ADDRESS-FAMILY', value: 6 },
    ]);
    for (const form of Object.values(FORMS))
      for (const v4 of ['127.0.0.1', '169.254.169.254', '10.0.0.1'])
        expect([form(v4), outcome(six.permit({ address: form(v4), port: 5000 }))]).toEqual([form(v4), 403]);
    expect(outcome(six.permit({ address: '2001:db8:9::9', port: 5000 }))).toBe('success');
  });

  it('other addresses of its host, its own port, and ports of services', () => {
    const of = client({ isOwn: (address) => ['40.30.20.10', '40.30.20.11'].includes(address) });
    expect(outcome(of.permit({ address: '40.30.20.11', port: 5000 }))).toBe(403);
    expect(outcome(of.bind(0x4000, { address: '8.8.8.8', port: 53 }))).toBe(403);
    of.permit({ address: '8.8.8.8', port: 0 });
    of.sendTo({ address: '8.8.8.8', port: 53 }, Uint8Array.of(1));
    of.relays.sockets[0]?.receive?.({ address: '8.8.8.8', port: 53 }, Uint8Array.of(1), 0);
    expect(of.relays.sockets[0]?.posted).toHaveLength(0);
    expect(of.relays.line.posted).toHaveLength(0);
    // A port of ours where no allocation is.
    expect(outcome(of.bind(0x4001, { address: SERVER.address, port: 50_000 }))).toBe(403);
    of.permit({ address: SERVER.address, port: 0 });
    for (const port of [SERVER.port, 50_000]) of.sendTo({ address: SERVER.address, port }, Uint8Array.of(1));
    expect(of.relays.sockets[0]?.posted).toHaveLength(0);
  });
});

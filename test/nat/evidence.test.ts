import { describe, expect, it } from 'vitest';
import { parseEndpoint } from '../../src/net/host-port.ts';
import { WELL_KNOWN } from '../../src/net/nat64.ts';
import { doubtInWords, doubtOf, pathsOf, plain, type Sighting, weigh } from '../../src/nat/evidence.ts';

const at = (text: string) => parseEndpoint(text) ?? expect.fail(text);
const LOCAL = at('192.168.1.3:42301');
const PUBLIC = '12.13.14.15:24604';

describe('a statement of the public side', () => {
  it.each([
    ['family', 'the answer 12.13.14.15 is of another address family than the question'],
    ['unspecified', 'the answer 12.13.14.15:24604 is no address and port'],
    ['not-public', 'the answer 12.13.14.15 is not a public address'],
    ['inside', 'the server is inside this network, and sees nothing of the internet'],
  ] as const)('that cannot count by reason of %s is worded', (doubt, words) => {
    expect(doubtInWords(doubt, at(PUBLIC))).toBe(words);
  });

  const doubt = (remote: string, mapped: string, ground = {}) =>
    doubtOf({ remote: at(remote), mapped: plain(at(mapped)) }, ground);

  it.each([
    ['40.30.20.10:3478', '12.13.14.15:24604'],
    ['40.30.20.10:3478', '203.0.113.7:1'],
    ['40.30.20.10:3478', '[::ffff:12.13.14.15]:24604'],
    ['[2001:db8::10]:3478', '[2001:db8:1::3]:42301'],
    ['[64:ff9b::281e:140a]:3478', '12.13.14.15:24604'],
  ])('of %s, %s, can be true', (remote, mapped) => {
    expect(doubt(remote, mapped, { nat64: [WELL_KNOWN] })).toBeUndefined();
  });

  it.each([
    ['40.30.20.10:3478', '10.0.0.7:31234', 'not-public'],
    ['40.30.20.10:3478', '100.64.9.9:31234', 'not-public'],
    ['40.30.20.10:3478', '[::ffff:10.0.0.7]:31234', 'not-public'],
    ['40.30.20.10:3478', '127.0.0.1:31234', 'not-public'],
    ['40.30.20.10:3478', '169.254.1.1:31234', 'not-public'],
    ['40.30.20.10:3478', '224.0.0.1:31234', 'not-public'],
    ['40.30.20.10:3478', '198.18.0.9:31234', 'not-public'],
    ['40.30.20.10:3478', '0.0.0.0:0', 'unspecified'],
    ['40.30.20.10:3478', '0.0.0.0:31234', 'unspecified'],
    ['40.30.20.10:3478', '12.13.14.15:0', 'unspecified'],
    ['40.30.20.10:3478', '[2001:db8::7]:31234', 'family'],
    ['[2001:db8::10]:3478', '12.13.14.15:24604', 'family'],
    ['[2001:db8::10]:3478', '[::]:1', 'unspecified'],
    ['[2001:db8::10]:3478', '[fd00::7]:31234', 'not-public'],
    ['[64:ff9b::281e:140a]:3478', '[2001:db8:1::3]:42301', 'family'],
    ['[64:ff9b::281e:140a]:3478', '10.0.0.7:31234', 'not-public'],
    ['192.168.1.1:3478', '192.168.1.3:42301', 'inside'],
    ['100.64.0.1:3478', '12.13.14.15:24604', 'inside'],
    ['127.0.0.1:3478', '127.0.0.1:42301', 'inside'],
    ['[fe80::1]:3478', '[fe80::2]:42301', 'inside'],
  ])('of %s, %s, is doubted: %s', (remote, mapped, why) => {
    expect(doubt(remote, mapped, { nat64: [WELL_KNOWN] })).toBe(why);
  });

  it('by a server inside is believed where it is asked for', () => {
    expect(doubt('192.168.1.1:3478', '192.168.1.3:42301', { local: true })).toBeUndefined();
    expect(doubt('192.168.1.1:3478', '0.0.0.0:0', { local: true })).toBe('unspecified');
  });
});

describe('sightings of one local endpoint', () => {
  const see = (server: string, remote: string, mapped: string): Sighting => ({
    server,
    local: LOCAL,
    remote: at(remote),
    mapped: at(mapped),
  });
  const four = (...mapped: [string, string, string, string]): Sighting[] =>
    ['1.0.0.1:3478', '1.0.0.2:3479', '1.0.0.2:3478', '1.0.0.1:3479'].map((remote, i) =>
      see('A', remote, mapped[i] as string),
    );
  const cone = four(PUBLIC, PUBLIC, PUBLIC, PUBLIC);
  const independent = { mapping: 'endpoint-independent', dependent: false };

  it('that agree are a verdict', () => {
    expect(weigh(cone)).toMatchObject({ verdict: independent, odd: [], disputed: false });
  });

  it.each(['99.9.9.9:31234', '12.13.14.15:9'])('of one server against four flows that agree are odd: %s', (lie) => {
    const liar = see('B', '2.0.0.1:3478', lie);
    for (const all of [
      [...cone, liar],
      [liar, ...cone],
    ])
      expect(weigh(all)).toMatchObject({ verdict: independent, odd: [liar], disputed: false });
  });

  it('of one plain server against two that agree are odd', () => {
    const [a, b, c] = [
      see('A', '1.0.0.1:3478', PUBLIC),
      see('B', '2.0.0.1:3478', PUBLIC),
      see('C', '3.0.0.1:3478', '99.9.9.9:1'),
    ];
    expect(weigh([c, a, b])).toMatchObject({ verdict: independent, believed: [a, b], odd: [c] });
  });

  it('that differ behind a NAT that maps by destination are no quarrel, a liar beside them neither', () => {
    const symmetric = four('12.13.14.15:1', '12.13.14.15:2', '12.13.14.15:3', '12.13.14.15:4');
    const apd = { mapping: 'address-and-port-dependent', dependent: true };
    expect(weigh(symmetric)).toMatchObject({ verdict: apd, odd: [] });
    const liar = see('B', '2.0.0.1:3478', '99.9.9.9:31234');
    expect(weigh([liar, ...symmetric])).toMatchObject({ verdict: apd, odd: [liar] });
    expect(weigh(four('12.13.14.15:1', '12.13.14.15:2', '12.13.14.15:2', '12.13.14.15:1')).verdict).toEqual({
      mapping: 'address-dependent',
      dependent: true,
    });
  });

  it.each([
    ['second port', ['24604', '9', '24604', '9']],
    ['fourth endpoint', ['24604', '24604', '24604', '9']],
    ['first endpoint', ['9', '24604', '24604', '24604']],
  ])(
    'of one server whose %s names another port are no NAT: where two of its addresses agree the port is independent',
    (_, ports) => {
      const all = four(...(ports.map((port) => `12.13.14.15:${port}`) as [string, string, string, string]));
      const right = all.filter(({ mapped }) => mapped.port === 24_604);
      expect(weigh(all)).toMatchObject({ verdict: independent, believed: right, disputed: false });
      expect(weigh(all).odd).toHaveLength(4 - right.length);
    },
  );

  it('of one address of a server against its other and an independent server are odd', () => {
    const second = four(PUBLIC, '12.13.14.15:9', '12.13.14.15:9', PUBLIC);
    expect(weigh(second).verdict).toEqual({ mapping: 'address-dependent', dependent: true });
    const beside = see('B', '2.0.0.1:3478', PUBLIC);
    expect(weigh([...second, beside])).toMatchObject({ verdict: independent, odd: second.slice(1, 3) });
    // A NAT that goes by the address shows an independent server a third port.
    const real = weigh([...second, see('B', '2.0.0.1:3478', '12.13.14.15:10')]);
    expect(real).toMatchObject({ verdict: { mapping: 'address-dependent' }, odd: [] });
  });

  it('of one server that sees the same at all four endpoints stand against another that sees four ports', () => {
    const liar = four('12.13.14.15:1', '12.13.14.15:2', '12.13.14.15:3', '12.13.14.15:4');
    const right = ['2.0.0.1:3478', '2.0.0.2:3479', '2.0.0.2:3478', '2.0.0.1:3479'].map((remote) =>
      see('B', remote, PUBLIC),
    );
    expect(weigh([...liar, ...right])).toMatchObject({ verdict: independent, believed: right, odd: liar });
  });

  it('of two plain servers that name two ports are a NAT that maps by destination', () => {
    const two = [see('A', '1.0.0.1:3478', PUBLIC), see('B', '2.0.0.1:3478', '12.13.14.15:9')];
    expect(weigh(two).verdict.dependent).toBe(true);
  });

  it('of two plain servers that name two addresses are disputed, unless the NAT is known to have several', () => {
    const two = [see('A', '1.0.0.1:3478', PUBLIC), see('B', '2.0.0.1:3478', '99.9.9.9:31234')];
    expect(weigh(two)).toMatchObject({ verdict: { mapping: 'unknown', dependent: false }, disputed: true });
    expect(weigh(two, new Set(['12.13.14.15', '99.9.9.9']))).toMatchObject({
      verdict: { dependent: true },
      disputed: false,
    });
  });

  it('of two symmetric views and a liar keep the liar out', () => {
    const [a, b] = [see('A', '1.0.0.1:3478', '12.13.14.15:1'), see('B', '2.0.0.1:3478', '12.13.14.15:2')];
    const liar = see('C', '3.0.0.1:3478', '99.9.9.9:31234');
    expect(weigh([liar, a, b])).toMatchObject({ verdict: { dependent: true }, believed: [a, b], odd: [liar] });
  });

  it('of one server that names two addresses prove nothing, unless the NAT is known to have both', () => {
    const lucky = four(PUBLIC, PUBLIC, PUBLIC, '12.13.14.16:24604');
    expect(weigh(lucky)).toMatchObject({ verdict: { mapping: 'unknown', dependent: false }, disputed: true });
    const pool = new Set(['12.13.14.15', '12.13.14.16']);
    expect(weigh(lucky, pool)).toMatchObject({ verdict: { dependent: true }, odd: [], disputed: false });
    // Its second address lies.
    const half = four(PUBLIC, '99.9.9.9:1', '99.9.9.9:1', PUBLIC);
    expect(weigh(half)).toMatchObject({ verdict: { mapping: 'unknown', dependent: false }, disputed: true });
  });

  it('of several addresses of a pool are the NAT, and who names yet another is odd', () => {
    const pool = new Set(['12.13.14.15', '12.13.14.16']);
    const [a, b, c] = [
      see('A', '1.0.0.1:3478', PUBLIC),
      see('B', '2.0.0.1:3478', PUBLIC),
      see('C', '3.0.0.1:3478', '12.13.14.16:24604'),
    ];
    expect(weigh([a, b, c], pool)).toMatchObject({ verdict: { dependent: true }, odd: [] });
    const liar = see('D', '4.0.0.1:3478', '99.9.9.9:1');
    expect(weigh([liar, a, b, c], pool)).toMatchObject({ verdict: { dependent: true }, odd: [liar] });
  });

  it('of our own address cannot be wrong', () => {
    const own = see('A', '1.0.0.1:3478', '192.168.1.3:42301');
    const others = [see('B', '2.0.0.1:3478', PUBLIC), see('C', '3.0.0.1:3478', PUBLIC)];
    expect(weigh([...others, own])).toMatchObject({ verdict: { mapping: 'none' }, believed: [own], odd: others });
  });

  it('of our own link-local address know no zone', () => {
    const local = { address: 'fe80::1%eth0', port: 5 };
    const own = { ...see('A', '1.0.0.1:3478', PUBLIC), local, mapped: { address: 'fe80::1', port: 5 } };
    expect(weigh([own])).toMatchObject({ verdict: { mapping: 'none' } });
    expect(weigh([own, see('B', '2.0.0.1:3478', PUBLIC)])).toMatchObject({ believed: [own] });
  });

  it('of nobody are nothing', () => {
    expect(weigh([])).toMatchObject({ verdict: { mapping: 'unknown' }, believed: [], odd: [], disputed: false });
  });
});

describe('paths', () => {
  it('are told apart by the local address, the one to most remote addresses first', () => {
    const by = (local: string, remote: string): Sighting => ({
      server: remote,
      local: at(`${local}:42301`),
      remote: at(`${remote}:3478`),
      mapped: at(PUBLIC),
    });
    const tunnel = by('10.8.0.2', '1.0.0.1');
    const usual = [by('192.168.1.3', '2.0.0.1'), by('192.168.1.3', '3.0.0.1')];
    expect(pathsOf([tunnel, ...usual])).toEqual([usual, [tunnel]]);
    expect(pathsOf([])).toEqual([]);
  });
});

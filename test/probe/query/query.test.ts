import { describe, expect, it } from 'vitest';
import type { ServerFault } from '../../../src/lab/server-faults.ts';
import { Lab, type LabOptions, type ServerSpec } from '../../../src/lab/topology.ts';
import { type ExchangeResult, query, type QueryOptions } from '../../../src/probe/query/query.ts';
import type { ChangeVerdict } from '../../../src/probe/query/vet.ts';
import { parseStunServer } from '../../../src/stun/uri.ts';

const DEFAULTS: QueryOptions = {
  transport: 'udp',
  family: undefined,
  source: undefined,
  port: undefined,
  timeoutMs: 3000,
  count: 1,
  intervalMs: 100,
  credentials: undefined,
  vet: false,
  attributes: false,
  watchful: true,
};

async function ask(server: string, lab: LabOptions = {}, options: Partial<QueryOptions> = {}) {
  const world = new Lab(lab);
  const result = await world.run((env, signal) =>
    query(env, parseStunServer(server), { ...DEFAULTS, ...options }, signal),
  );
  return { result, tookMs: world.world.now, lab: world };
}

const faulty = (...faults: ServerFault[]): LabOptions['servers'] => [
  { name: 'stun.example.net', addresses: ['40.30.20.10', '40.30.20.11'], faults },
];

describe('query', () => {
  it('tells the public side after one round trip', async () => {
    const { result, tookMs } = await ask('stun.example.net');
    expect(result).toMatchObject({
      server: 'stun.example.net',
      address: '40.30.20.10:3478',
      local: '192.168.1.3:42301',
      mapped: '12.13.14.15:24604',
      rttMs: 40,
      sent: 1,
      received: 1,
      other: '40.30.20.11:3479',
      error: null,
    });
    expect(tookMs).toBe(40);
  });

  it('measures a long round trip exactly although it repeats itself', async () => {
    const { result } = await ask('40.30.20.10', { rttMs: 380 });
    expect(result).toMatchObject({ rttMs: 380, sent: 3, received: 1 });
  });

  it('gets through heavy loss', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const { result } = await ask('40.30.20.10', { seed, loss: 0.2 });
      expect(result.mapped, `seed ${seed}`).toBe('12.13.14.15:24604');
    }
  });

  it('counts losses with single requests', async () => {
    const { result } = await ask('40.30.20.10', { loss: 0.2, seed: 5 }, { count: 200, intervalMs: 10 });
    expect(result.sent).toBe(200);
    // Each way loses a fifth: 64 % come back, ± four standard deviations.
    expect(result.received).toBeGreaterThan(100);
    expect(result.received).toBeLessThan(156);
    expect(result).toMatchObject({ error: null, rttMs: 40 });
  });

  it('works over TCP', async () => {
    const { result } = await ask('40.30.20.10', {}, { transport: 'tcp' });
    expect(result).toMatchObject({ transport: 'tcp', sent: 1, received: 1, rttMs: 40 });
    expect(result.mapped).toMatch(/^12\.13\.14\.15:/);
  });

  it.each<[ServerFault, string]>([
    ['silent', 'timeout'],
    ['error', 'error-answer'],
    ['wrong-id', 'wrong-id'],
    ['garbage', 'garbage'],
    ['no-mapped-address', 'no-mapped-address'],
    ['unknown-attribute', 'unknown-attributes'],
  ])('names the fault of a server: %s', async (fault, error) => {
    const { result } = await ask('40.30.20.10', { servers: faulty(fault) });
    expect(result).toMatchObject({ mapped: null, error });
    expect(result.detail).not.toBe('');
  });

  it('sees an answer from the wrong address where no NAT filters it', async () => {
    const { result } = await ask('40.30.20.10', { nat: 'none', servers: faulty('wrong-source') });
    expect(result).toMatchObject({
      mapped: null,
      error: 'wrong-source',
      detail: 'the answer came from 40.30.20.10:3479',
    });
  });

  it('says at once that a port is closed, a name unknown, a network away', async () => {
    const closed: ServerSpec = { name: 'closed.example.net', addresses: ['40.30.20.50'], state: 'closed' };
    const refused = await ask('closed.example.net', { nat: 'none', servers: [closed] });
    expect(refused.result).toMatchObject({ error: 'refused', address: '40.30.20.50:3478' });
    expect(refused.tookMs).toBeLessThan(100);
    expect((await ask('nowhere.example.net')).result).toMatchObject({
      error: 'not-found',
      address: 'unknown',
      sent: 0,
    });
    expect((await ask('40.30.20.10', { offline: true })).result).toMatchObject({ error: 'unreachable' });
  });

  it('is not held up by an IPv6 address that is dead', async () => {
    const servers: ServerSpec[] = [
      { name: 'four.example.net', addresses: ['40.30.20.10'] },
      { name: 'six.example.net', addresses: ['2001:db8:40::66'], state: 'dead' },
    ];
    const { result, tookMs } = await ask('both.example.net', {
      ipv6: true,
      servers,
      names: { 'both.example.net': ['2001:db8:40::66', '40.30.20.10'] },
    });
    expect(result).toMatchObject({ mapped: '12.13.14.15:24604', address: '40.30.20.10:3478' });
    expect(tookMs).toBe(290);
  });

  it.each([
    ['dead', 290],
    ['closed', 40 + 40],
  ] as const)('goes on to the next address of a name when the first is %s', async (state, ms) => {
    const servers: ServerSpec[] = [
      { name: 'good.example.net', addresses: ['40.30.20.10'] },
      { name: 'bad.example.net', addresses: ['40.30.20.66'], state },
    ];
    const names = { 'two.example.net': ['40.30.20.66', '40.30.20.10'] };
    const { result, tookMs } = await ask('two.example.net', { servers, names });
    expect(result).toMatchObject({
      mapped: expect.stringContaining('12.13.14.15:'),
      address: '40.30.20.10:3478',
      error: null,
    });
    expect(tookMs).toBe(ms);
    const train = await ask('two.example.net', { servers, names }, { count: 3 });
    expect(train.result).toMatchObject({ sent: 3, received: 3 });
  });

  it('tells what became of the first address where none answers, within its time', async () => {
    const servers: ServerSpec[] = ['40.30.20.66', '40.30.20.67'].map((address) => ({
      name: address,
      addresses: [address],
      state: 'dead',
    }));
    const { result, tookMs } = await ask('two.example.net', {
      servers,
      names: { 'two.example.net': ['40.30.20.66', '40.30.20.67'] },
    });
    expect(result).toMatchObject({ error: 'timeout', address: '40.30.20.66:3478' });
    expect(tookMs).toBe(3000);
  });

  it('prefers the first family while it answers', async () => {
    const { result } = await ask('both.example.net', {
      ipv6: true,
      names: { 'both.example.net': ['2001:db8:40::10', '40.30.20.10'] },
    });
    expect(result.address).toBe('[2001:db8:40::10]:3478');
  });

  it('leaves nothing behind when interrupted', async () => {
    const lab = new Lab({ servers: faulty('silent') });
    // The lab reports left timers and sockets as an error of another kind.
    await expect(
      lab.run((env, signal) => query(env, parseStunServer('40.30.20.10'), DEFAULTS, signal), { abortAtMs: 500 }),
    ).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('what a server says', () => {
  it.each<[ServerFault, string, string | null]>([
    ['lie-private', '10.0.0.7:31234', 'not-public'],
    ['lie-cgn', '100.64.9.9:', 'not-public'],
    ['lie-zero', '0.0.0.0:0', 'unspecified'],
    ['lie-family', '[2001:', 'family'],
    ['lie-mapped', '12.13.14.15:24604', null],
    ['lie-public', '66.77.88.99:24604', null],
  ])('is shown, and doubted where it cannot be true: %s', async (fault, mapped, doubt) => {
    const { result } = await ask('40.30.20.10', { servers: faulty(fault) });
    expect(result).toMatchObject({ doubt, error: null });
    expect(result.mapped).toContain(mapped);
  });

  it('is right of the other family behind a NAT64', async () => {
    const { result } = await ask('stun.example.net', { nat64: true });
    expect(result).toMatchObject({ doubt: null, error: null, address: '[64:ff9b::281e:140a]:3478' });
    expect(result.mapped).toMatch(/^\d+\./);
  });

  it.each<[ServerFault, readonly string[]]>([
    ['changed-address-family-0', ['CHANGED-ADDRESS']],
    ['empty-mapped-address', ['MAPPED-ADDRESS']],
    ['unpadded', ['padding']],
    ['trailing-zeros', ['length']],
  ])('is taken in spite of %s, which is named', async (fault, malformed) => {
    const { result } = await ask('40.30.20.10', { servers: faulty(fault) });
    expect(result).toMatchObject({ mapped: '12.13.14.15:24604', malformed, error: null });
  });
});

describe('a redirection', () => {
  it('shows the socket and the server that answered', async () => {
    const { result } = await ask('40.30.20.10', { servers: faulty('redirects') });
    expect(result).toMatchObject({
      server: '40.30.20.10',
      address: '40.30.20.11:3478',
      redirectedFrom: '40.30.20.10:3478',
      // The second socket, and its public side.
      local: '192.168.1.3:42302',
      mapped: '12.13.14.15:24605',
      sent: 1,
      received: 1,
      error: null,
    });
    expect((await ask('40.30.20.11', { servers: faulty('redirects') })).result.redirectedFrom).toBeNull();
    const round = (await ask('40.30.20.10', { servers: faulty('redirects-round') })).result;
    expect(round).toMatchObject({
      errorCode: 300,
      detail: expect.stringContaining('back to 40.30.20.10:3478, in a circle'),
    });
  });

  it.each([
    ['udp', 'timeout'],
    ['tcp', 'other'],
  ] as const)('to a dead server is told as the fault of that one: %s', async (transport, error) => {
    const { result } = await ask('40.30.20.10', { servers: faulty('redirects-astray') }, { transport });
    expect(result).toMatchObject({
      address: '40.30.20.99:3478',
      redirectedFrom: '40.30.20.10:3478',
      received: 0,
      mapped: null,
      error,
    });
  });

  it('to a closed port is told as the fault of that one', async () => {
    const { result } = await ask('40.30.20.10', { servers: faulty('redirects') }, { transport: 'tcp' });
    expect(result).toMatchObject({ address: '40.30.20.11:3478', redirectedFrom: '40.30.20.10:3478', error: 'refused' });
  });

  it('opens one socket for a whole series', async () => {
    const { result } = await ask('40.30.20.10', { servers: faulty('redirects') }, { count: 5 });
    expect(result).toMatchObject({ sent: 5, received: 5, local: '192.168.1.3:42302' });
  });
});

describe('a server that wants credentials', () => {
  const credentials = { kind: 'long-term', username: 'alice', password: 'secret' } as const;
  const servers = faulty('wants-login');

  it.each(['udp', 'tcp'] as const)(
    'answers those that it knows, challenge and answer being one exchange: %s',
    async (transport) => {
      expect((await ask('40.30.20.10', { servers }, { transport, credentials })).result).toMatchObject({
        sent: 1,
        received: 1,
        error: null,
        login: null,
      });
      expect((await ask('40.30.20.10', { servers }, { transport, credentials, count: 4 })).result).toMatchObject({
        sent: 4,
        received: 4,
      });
    },
  );

  it('is vetted with them, and without them is not said to be silent', async () => {
    const { result } = await ask('40.30.20.10', { servers }, { vet: true, credentials });
    expect(result.vetting).toMatchObject({ rfc5780: 'yes' });
    const without = await ask('40.30.20.10', { servers }, { vet: true });
    expect(without.result).toMatchObject({ error: 'error-answer', errorCode: 401, login: 'needed' });
    const wrong = await ask('40.30.20.10', { servers }, { credentials: { ...credentials, password: 'guess' } });
    expect(wrong.result).toMatchObject({ error: 'error-answer', errorCode: 401, login: 'refused' });
  });
});

describe('a server of RFC 3489', () => {
  const servers = faulty('change-request-only');

  it('is asked with a CHANGE-REQUEST when it does not answer without', async () => {
    const { result, tookMs } = await ask('40.30.20.10', { servers });
    expect(result).toMatchObject({ mapped: '12.13.14.15:24604', rttMs: 40, error: null });
    expect(tookMs).toBe(540);
  });

  it('loses nothing of a series, and is vetted as it wants to be asked', async () => {
    expect((await ask('40.30.20.10', { servers }, { count: 5 })).result).toMatchObject({ sent: 5, received: 5 });
    const { result } = await ask('40.30.20.10', { servers }, { vet: true });
    expect(result.vetting).toMatchObject({ rfc5780: 'yes' });
  });
});

describe('a series', () => {
  it('tells of each exchange as it ends, in numbers from 1', async () => {
    const heard: ExchangeResult[] = [];
    const onExchange = (each: ExchangeResult) => void heard.push(each);
    await ask('40.30.20.10', { jitterMs: 0 }, { count: 3, onExchange });
    expect(heard.map(({ sequence, mapped, rttMs, from }) => [sequence, mapped, rttMs, from])).toEqual(
      [1, 2, 3].map((n) => [n, '12.13.14.15:24604', 40, '40.30.20.10:3478']),
    );
    const silent: ExchangeResult[] = [];
    const { result } = await ask(
      '40.30.20.10',
      { servers: faulty('silent') },
      { count: 2, onExchange: (each) => void silent.push(each) },
    );
    expect(silent.map(({ error }) => error)).toEqual(['timeout', 'timeout']);
    expect(result).toMatchObject({ sent: 2, received: 0, error: 'timeout' });
  });

  it.each(['udp', 'tcp'] as const)('loses no less than nothing where answers come twice: %s', async (transport) => {
    const { result } = await ask('40.30.20.10', { servers: faulty('duplicate') }, { count: 3, transport });
    expect(result).toMatchObject({ sent: 3, received: 3 });
  });
});

describe('vetting', () => {
  const vetted = async (lab: LabOptions) => {
    const { result } = await ask('40.30.20.10', lab, { vet: true });
    if (!result.vetting) throw new Error('not vetted');
    return result.vetting;
  };
  const all = (verdict: ChangeVerdict) => ({ addressAndPort: verdict, port: verdict, address: verdict });

  it.each(['none', 'full-cone', 'restricted-cone', 'port-restricted-cone', 'firewall'])(
    'finds an honest server behind %s',
    async (nat) => {
      expect(await vetted({ nat })).toMatchObject({
        rfc5780: 'yes',
        other: '40.30.20.11:3479',
        change: all('honoured'),
      });
    },
  );

  it.each(['symmetric', 'symmetric,ports=random', 'symmetric,mapping=ad,filtering=ad', 'cgnat'])(
    'proves an honest server behind %s, with RESPONSE-PORT where it must',
    async (nat) => {
      expect(await vetted({ nat })).toMatchObject({ rfc5780: 'yes', change: all('honoured') });
    },
  );

  it('does not blame a server without RESPONSE-PORT for a symmetric NAT', async () => {
    expect(await vetted({ nat: 'symmetric', servers: faulty('no-response-port') })).toMatchObject({
      rfc5780: 'unknown',
      change: all('unknown'),
    });
    expect(await vetted({ nat: 'symmetric,filtering=ei', servers: faulty('no-response-port') })).toMatchObject({
      rfc5780: 'yes',
      change: all('honoured'),
    });
  });

  it.each<[ServerFault, ChangeVerdict]>([
    ['change-ignored', 'ignored'],
    ['change-420', 'rejected'],
    ['change-400', 'rejected'],
    ['change-dropped', 'unknown'],
  ])('finds %s behind a symmetric NAT too, as far as it shows', async (fault, verdict) => {
    expect((await vetted({ nat: 'symmetric', servers: faulty(fault) })).change).toEqual(all(verdict));
  });

  it.each<[ServerFault]>([['change-dropped'], ['change-port-only'], ['other-address-dead'], ['other-address-private']])(
    '%s costs less than a second',
    async (fault) => {
      const { result, tookMs } = await ask(
        '40.30.20.10',
        { nat: 'port-restricted-cone', servers: faulty(fault) },
        { vet: true },
      );
      expect(result.vetting?.rfc5780).toBe('no');
      expect(tookMs).toBeLessThanOrEqual(800);
    },
  );

  it('gives a slow path its time', async () => {
    for (const rttMs of [300, 600])
      for (const nat of ['port-restricted-cone', 'symmetric'])
        expect(await vetted({ nat, rttMs }), `${rttMs} ${nat}`).toMatchObject({
          rfc5780: 'yes',
          change: all('honoured'),
        });
  });

  it.each<[ServerFault, Partial<Record<'addressAndPort' | 'port' | 'address', ChangeVerdict>>]>([
    ['no-other-address', {}],
    ['other-address-same-ip', {}],
    ['other-address-missing', {}],
    ['other-address-dead', {}],
    ['other-address-private', {}],
    ['change-ignored', all('ignored')],
    ['change-dropped', all('dropped')],
    ['change-420', all('rejected')],
    ['change-400', all('rejected')],
    ['change-port-only', { port: 'honoured' }],
  ])('finds out a server with %s, whatever the NAT', async (fault, change) => {
    for (const nat of ['none', 'full-cone', 'port-restricted-cone']) {
      const vetting = await vetted({ nat, servers: faulty(fault) });
      expect(vetting.rfc5780, nat).toBe('no');
      expect(vetting.change, nat).toMatchObject(change);
    }
  });

  it('never says yes of a liar nor no of an honest one, behind any NAT, under loss', async () => {
    for (const nat of ['none', 'port-restricted-cone', 'symmetric', 'symmetric,filtering=ei,ports=random', 'cgnat']) {
      for (let seed = 0; seed < 10; seed++) {
        expect((await vetted({ nat, seed, loss: 0.05 })).rfc5780, `${nat} ${seed}`).not.toBe('no');
        for (const fault of ['change-ignored', 'change-dropped', 'change-port-only', 'other-address-dead'] as const) {
          expect(
            (await vetted({ nat, seed, loss: 0.05, servers: faulty(fault) })).rfc5780,
            `${nat} ${seed} ${fault}`,
          ).not.toBe('yes');
        }
      }
    }
  });
});

describe('behind a NAT64', () => {
  it('the IPv4 side of a server is right, and its other address is reached under the same prefix', async () => {
    const { result } = await ask('stun.example.net', { nat64: true, nat: 'port-restricted-cone' }, { vet: true });
    expect(result).toMatchObject({
      address: '[64:ff9b::281e:140a]:3478',
      mapped: expect.stringContaining('12.13.14.15:'),
      vetting: { rfc5780: 'yes' },
    });
  });
});

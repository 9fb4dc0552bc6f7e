import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/net/address.ts';
import { attribute } from '../../src/stun/attributes.ts';
import { checkIntegrity } from '../../src/stun/integrity.ts';
import { decode, encode, get, getAll, METHOD } from '../../src/stun/message.ts';
import { decodeChannelData, encodeChannelData } from '../../src/turn/channel-data.ts';
import { CLIENT, FakeClient, FakeLine, newId, outcome, PEER, Relays, SERVER, text } from './server-wire.ts';

const allocated = (options?: ConstructorParameters<typeof Relays>[0]) => {
  const relays = new Relays(options);
  const client = new FakeClient(relays);
  const answer = client.allocate();
  return { relays, client, answer, relay: get(answer, 'XOR-RELAYED-ADDRESS') as Endpoint };
};

describe('Allocate', () => {
  it('challenges, then gives a relayed address, and says where it sees the client', () => {
    const { relays, client, answer, relay } = allocated();
    expect(outcome(answer)).toBe('success');
    expect(relay.address).toBe(SERVER.address);
    expect(relay.port).toBeGreaterThanOrEqual(49_152);
    expect(get(answer, 'XOR-MAPPED-ADDRESS')).toEqual(CLIENT);
    expect(get(answer, 'LIFETIME')).toBe(600);
    expect(checkIntegrity(answer, client.key)).toBe('valid');
    expect(relays.server.size).toBe(1);
  });

  it('answers nobody who is not logged in with more than three times what it sent', () => {
    const relays = new Relays({ realm: 'r'.repeat(32) });
    for (const [method, attributes] of [
      [METHOD.allocate, [attribute('REQUESTED-TRANSPORT', 17)]],
      [METHOD.refresh, []],
      [METHOD.createPermission, [attribute('XOR-PEER-ADDRESS', PEER)]],
      [METHOD.channelBind, []],
    ] as const) {
      const data = encode({ class: 'request', method, transactionId: newId(), attributes });
      const [answer] = relays.send(data);
      expect(answer?.bytes.length ?? 0).toBeLessThanOrEqual(3 * data.length);
    }
  });

  it('limits the challenges to one source', () => {
    const relays = new Relays();
    const attributes = [attribute('REQUESTED-TRANSPORT', 17)];
    const data = encode({ class: 'request', method: METHOD.allocate, transactionId: newId(), attributes });
    let answers = 0;
    for (let i = 0; i < 1000; i++) answers += relays.send(data).length;
    expect(answers).toBeLessThanOrEqual(100);
    expect(relays.send(data, { address: '22.23.24.25', port: 1 })).toHaveLength(1);
    expect(relays.server.size).toBe(0);
  });

  it('gives the very same answer to the very same request, and 437 to another', () => {
    const relays = new Relays();
    const client = new FakeClient(relays);
    client.ask(METHOD.refresh, []);
    const request = client.sealed(METHOD.allocate, [attribute('REQUESTED-TRANSPORT', 17)]);
    const first = client.raw(request);
    expect(client.raw(request)?.bytes).toEqual(first?.bytes);
    expect(outcome(client.allocate())).toBe(437);
    expect(relays.sockets).toHaveLength(1);
  });

  it('once it drains goes on with what stands, and begins relays for meetings alone', () => {
    const users = (username: string) => ({
      passwords: ['secret'],
      user: username,
      meeting: username === 'member' ? { name: 'room', permits: () => true } : undefined,
    });
    const relays = new Relays({ users });
    const [one, two, member] = ['one', 'two', 'member'].map(
      (username, i) => new FakeClient(relays, { username, from: { ...CLIENT, port: 7000 + i } }),
    ) as [FakeClient, FakeClient, FakeClient];
    expect(outcome(one.allocate())).toBe('success');
    relays.server.drain();
    expect(outcome(two.allocate())).toBe(508);
    expect(outcome(member.allocate())).toBe('success');
    expect(outcome(one.ask(METHOD.refresh, []))).toBe('success');
    expect(relays.server.size).toBe(2);
  });

  it('checks in the order of RFC 8656', () => {
    const client = new FakeClient(new Relays());
    const of = (...attributes: Parameters<FakeClient['ask']>[1]) => outcome(client.ask(METHOD.allocate, attributes));
    const udp = attribute('REQUESTED-TRANSPORT', 17);
    expect(of()).toBe(400);
    expect(of(attribute('REQUESTED-TRANSPORT', 6))).toBe(442);
    expect(of(udp, attribute('DONT-FRAGMENT', true))).toBe(420);
    expect(of(udp, attribute('RESERVATION-TOKEN', new Uint8Array(8)), attribute('EVEN-PORT', false))).toBe(400);
    expect(of(udp, attribute('RESERVATION-TOKEN', new Uint8Array(8)))).toBe(508);
    expect(of(udp, attribute('EVEN-PORT', true), attribute('ADDITIONAL-ADDRESS-FAMILY', 6))).toBe(400);
    expect(of(udp, { name: undefined, type: 0x7777, value: new Uint8Array() })).toBe(420);
  });

  it('tells wrong passwords and unknown users alike', () => {
    const relays = new Relays();
    const wrong = new FakeClient(relays, { password: 'wrong' }).allocate();
    const nobody = new FakeClient(relays, { username: 'nobody' }).allocate();
    expect([outcome(wrong), outcome(nobody)]).toEqual([401, 401]);
    expect(wrong.bytes.length).toBe(nobody.bytes.length);
    expect(get(wrong, 'MESSAGE-INTEGRITY')).toBeUndefined();
  });

  it('takes no nonce of another source, nor an old one', () => {
    const relays = new Relays();
    const client = new FakeClient(relays);
    client.allocate();
    const thief = new FakeClient(relays, { from: { ...CLIENT, port: 1025 } });
    thief.nonce = client.nonce;
    expect(outcome(thief.allocate())).toBe(438);
    relays.now = 3_600_000;
    const stale = client.permit(PEER);
    expect(outcome(stale)).toBe(438);
    client.nonce = get(stale, 'NONCE') ?? '';
    expect(outcome(client.permit(PEER))).toBe('success');
  });

  it('wants the same user all along', () => {
    const { relays, client } = allocated();
    const other = new FakeClient(relays, { username: 'bob', password: 'hidden' });
    other.nonce = client.nonce;
    expect(outcome(other.permit(PEER))).toBe(441);
  });

  it('tries other ports where one is taken, and says 508 where all are', () => {
    const relays = new Relays({ ports: [50_000, 50_001] });
    relays.taken.add(50_000);
    const client = new FakeClient(relays);
    expect(get(client.allocate(), 'XOR-RELAYED-ADDRESS')?.port).toBe(50_001);
    relays.taken.add(50_001);
    const second = new FakeClient(relays, { from: PEER });
    expect(outcome(second.allocate())).toBe(508);
    expect(relays.server.size).toBe(1);
  });

  it('finds the last free ports of a range, and none beyond it', () => {
    const relays = new Relays({ ports: [50_001, 50_012], quota: { allocations: 100, bytesPerSecond: 1e9 } });
    const client = (port: number) => new FakeClient(relays, { from: { ...CLIENT, port } });
    const pairs = [1, 2, 3].map((port) => client(port).allocate(attribute('EVEN-PORT', true)));
    expect(
      pairs.map((each) => get(each, 'XOR-RELAYED-ADDRESS')?.port ?? 0).filter((port) => port % 2 === 0),
    ).toHaveLength(3);
    const singles = Array.from({ length: 10 }, (_, i) => outcome(client(100 + i).allocate()));
    expect(singles.filter((each) => each === 'success')).toHaveLength(6);
    expect(new Set(relays.sockets.map(({ local }) => local.port)).size).toBe(12);
    const odd = new Relays({ ports: [50_001, 50_001] });
    expect(outcome(new FakeClient(odd).allocate(attribute('EVEN-PORT', false)))).toBe(508);
    expect(outcome(new FakeClient(odd).allocate(attribute('EVEN-PORT', true)))).toBe(508);
    expect(outcome(new FakeClient(odd).allocate())).toBe('success');
  });

  it('reserves the port after an even one, for half a minute and the same user', () => {
    const relays = new Relays();
    const first = new FakeClient(relays).allocate(attribute('EVEN-PORT', true));
    const port = get(first, 'XOR-RELAYED-ADDRESS')?.port as number;
    const token = attribute('RESERVATION-TOKEN', get(first, 'RESERVATION-TOKEN') as Uint8Array);
    expect(port % 2).toBe(0);
    const thief = new FakeClient(relays, { from: PEER, username: 'bob', password: 'hidden' });
    expect(outcome(thief.allocate(token))).toBe(508);
    const second = new FakeClient(relays, { from: { ...CLIENT, port: 2 } }).allocate(token);
    expect(get(second, 'XOR-RELAYED-ADDRESS')?.port).toBe(port + 1);
    expect(relays.sockets).toHaveLength(2);
  });

  it('gives a reservation up when nobody comes for it', () => {
    const relays = new Relays();
    new FakeClient(relays).allocate(attribute('EVEN-PORT', true));
    expect(relays.server.wakeAt()).toBe(30_000);
    relays.now = 30_000;
    relays.wake();
    expect(relays.sockets.map(({ closed }) => closed)).toEqual([false, true]);
  });

  it('gives addresses of both families, or says why it is but one', () => {
    const relays = new Relays();
    const both = new FakeClient(relays).allocate(attribute('ADDITIONAL-ADDRESS-FAMILY', 6));
    expect(getAll(both, 'XOR-RELAYED-ADDRESS').map(({ address }) => address)).toEqual([
      SERVER.address,
      '2001:db8:40::10',
    ]);
    const only4 = new Relays({ relayAddress: (_, family) => (family === 4 ? SERVER.address : undefined) });
    const half = new FakeClient(only4).allocate(attribute('ADDITIONAL-ADDRESS-FAMILY', 6));
    expect(getAll(half, 'XOR-RELAYED-ADDRESS')).toHaveLength(1);
    expect(get(half, 'ADDRESS-ERROR-CODE')).toMatchObject({ family: 6, code: 440 });
    const six = new FakeClient(only4, { from: PEER }).allocate(attribute('REQUESTED-ADDRESS-FAMILY', 6));
    expect(outcome(six)).toBe(440);
  });

  it('counts by user, whatever the address', () => {
    const relays = new Relays({ quota: { allocations: 2, bytesPerSecond: 1000 } });
    const at = (port: number, username = 'alice', password = 'secret') =>
      new FakeClient(relays, { from: { address: `12.0.0.${port}`, port }, username, password });
    expect([1, 2, 3].map((port) => outcome(at(port).allocate()))).toEqual(['success', 'success', 486]);
    expect(outcome(at(4, 'bob', 'hidden').allocate())).toBe('success');
    const gone = at(5);
    relays.now = 700_000;
    relays.wake();
    expect(outcome(gone.allocate())).toBe('success');
  });
});

it('counts a user by a quota of its own, where its login says so', () => {
  const relays = new Relays({ users: () => ({ passwords: ['secret'], user: 'household', most: 1 }) });
  const at = (port: number) => new FakeClient(relays, { from: { ...CLIENT, port } });
  expect([1, 2].map((port) => outcome(at(port).allocate()))).toEqual(['success', 486]);
});

it('counts those together who share a bound, until they have let go of theirs', () => {
  let user = 0;
  const login = () => ({ passwords: ['secret'], user: `household ${user++}`, group: { name: 'network', most: 2 } });
  const relays = new Relays({ users: login });
  const at = (port: number) => new FakeClient(relays, { from: { ...CLIENT, port } });
  expect([1, 2, 3].map((port) => outcome(at(port).allocate()))).toEqual(['success', 'success', 486]);
  relays.now = 700_000;
  relays.wake();
  expect([4, 5, 6].map((port) => outcome(at(port).allocate()))).toEqual(['success', 'success', 486]);
});

describe('life and end', () => {
  it('lives 10 minutes at least and an hour at most', () => {
    const { client, relays } = allocated();
    expect([1, 7200, 1800].map((asked) => get(client.refresh(asked), 'LIFETIME'))).toEqual([600, 3600, 1800]);
    expect(relays.server.wakeAt()).toBe(600_000);
    relays.now = 1_799_999;
    relays.wake();
    expect(relays.server.size).toBe(1);
    relays.now = 1_800_000;
    relays.wake();
    expect(relays.server.size).toBe(0);
    expect(relays.sockets[0]?.closed).toBe(true);
    expect(relays.noted.at(-1)?.kind).toBe('released');
  });

  it('ends at once where the client says so, and everything else is 437 then', () => {
    const { client, relays } = allocated();
    expect(get(client.refresh(0), 'LIFETIME')).toBe(0);
    expect(relays.sockets[0]?.closed).toBe(true);
    expect(outcome(client.refresh(0))).toBe(437);
    expect(outcome(client.permit(PEER))).toBe(437);
    expect(outcome(client.allocate())).toBe('success');
  });

  it('drops one family of two', () => {
    const relays = new Relays();
    const client = new FakeClient(relays);
    client.allocate(attribute('ADDITIONAL-ADDRESS-FAMILY', 6));
    client.refresh(0, attribute('REQUESTED-ADDRESS-FAMILY', 6));
    expect(relays.sockets.map(({ closed }) => closed)).toEqual([false, true]);
    expect(outcome(client.permit({ address: '2001:db8:9::1', port: 1 }))).toBe(443);
    expect(outcome(client.permit(PEER))).toBe('success');
  });

  it('ends with the connection that it came by', () => {
    const relays = new Relays();
    const line = new FakeLine('tcp');
    new FakeClient(relays, { line }).allocate();
    new FakeClient(relays).allocate();
    relays.perform(relays.server.handle({ kind: 'gone', line }, 0));
    expect(relays.sockets.map(({ closed }) => closed)).toEqual([true, false]);
  });
});

describe('permissions and channels', () => {
  it('relays both ways in indications, under a permission by address', () => {
    const { relays, client } = allocated();
    const [socket] = relays.sockets;
    client.sendTo(PEER, text('too early'));
    socket?.receive?.(PEER, text('too early'), 0);
    client.permit({ ...PEER, port: 0 });
    client.sendTo(PEER, text('out'));
    socket?.receive?.({ ...PEER, port: 6000 }, text('in'), 0);
    expect(socket?.posted).toEqual([{ data: text('out'), to: PEER }]);
    const message = decode(relays.line.posted[0]?.data ?? new Uint8Array());
    expect([message.class, message.method]).toEqual(['indication', METHOD.data]);
    expect(get(message, 'XOR-PEER-ADDRESS')).toEqual({ ...PEER, port: 6000 });
    expect(get(message, 'DATA')).toEqual(text('in'));
    expect(relays.server.data.counters).toMatchObject({ relayed: 2, relayedBytes: 5, dropped: 2 });
  });

  it('a permission ends after five minutes, whatever is sent', () => {
    const { relays, client } = allocated();
    const [socket] = relays.sockets;
    client.permit(PEER);
    relays.now = 299_999;
    client.sendTo(PEER, text('a'));
    relays.now = 300_000;
    client.sendTo(PEER, text('b'));
    socket?.receive?.(PEER, text('c'), relays.now);
    expect(socket?.posted).toHaveLength(1);
    expect(relays.line.posted).toHaveLength(0);
  });

  it('a channel carries both ways with four bytes before the data', () => {
    const { relays, client } = allocated();
    const [socket] = relays.sockets;
    expect(outcome(client.bind(0x4001, PEER))).toBe('success');
    client.channelData(encodeChannelData(0x4001, text('out'), false));
    client.channelData(encodeChannelData(0x4001, new Uint8Array(), false));
    socket?.receive?.(PEER, text('in'), 0);
    socket?.receive?.({ ...PEER, port: 9999 }, text('other port'), 0);
    expect(socket?.posted.map(({ data }) => data.length)).toEqual([3, 0]);
    const [bound, other] = relays.line.posted.map(({ data }) => data) as [Uint8Array, Uint8Array];
    expect(decodeChannelData(bound)).toEqual({ number: 0x4001, data: text('in') });
    expect(get(decode(other), 'DATA')).toEqual(text('other port'));
  });

  it('pads to four bytes on a connection, with zeros', () => {
    const relays = new Relays();
    const line = new FakeLine('tcp');
    const client = new FakeClient(relays, { line });
    client.allocate();
    client.bind(0x4001, PEER);
    relays.sockets[0]?.receive?.(PEER, text('12345'), 0);
    expect([...(line.posted[0]?.data ?? [])].slice(4)).toEqual([...text('12345'), 0, 0, 0]);
  });

  it.each([
    [0x4000, 'success'],
    [0x4fff, 'success'],
    [0x7088, 'success'],
    [0x7ffe, 'success'],
    [0x3fff, 400],
    [0x7fff, 400],
    [0, 400],
  ] as const)('channel %i: %s', (number, expected) => {
    expect(outcome(allocated().client.bind(number, PEER))).toBe(expected);
  });

  it('binds a number to one peer and a peer to one number', () => {
    const { client, relays } = allocated();
    const other = { ...PEER, port: 5001 };
    expect(outcome(client.bind(0x4001, PEER))).toBe('success');
    expect(outcome(client.bind(0x4001, PEER))).toBe('success');
    expect(outcome(client.bind(0x4001, other))).toBe(400);
    expect(outcome(client.bind(0x4002, PEER))).toBe(400);
    relays.now = 590_000;
    client.refresh(3600);
    relays.now = 600_000;
    expect(outcome(client.bind(0x4002, PEER))).toBe('success');
    expect(outcome(client.bind(0x4001, other))).toBe('success');
  });

  it('drops what is cut short, on no channel, or after its time', () => {
    const { relays, client } = allocated();
    client.bind(0x4001, PEER);
    for (const bytes of [
      [0x40, 1],
      [0x40, 1, 0, 5, 1],
      [0x40, 2, 0, 0],
      [0x7f, 0xff, 0, 0],
    ])
      client.channelData(Uint8Array.from(bytes));
    // The channel stands for ten minutes, but its permission for five.
    relays.now = 300_000;
    client.channelData(encodeChannelData(0x4001, text('late'), false));
    relays.sockets[0]?.receive?.(PEER, text('late'), relays.now);
    expect(relays.sockets[0]?.posted).toHaveLength(0);
    expect(relays.line.posted).toHaveLength(0);
  });

  it('tells families apart', () => {
    const { client } = allocated();
    for (const address of ['2001:db8:9::1', '::ffff:50.60.70.80', '64:ff9b::3c46:5032'])
      expect(outcome(client.permit({ address, port: 1 }))).toBe(443);
  });

  it('holds no more than so many permissions and channels, and lets others go when they are over', () => {
    const { client, relays } = allocated({ caps: { permissions: 3, channels: 2 } });
    const at = (n: number): Endpoint => ({ address: `50.0.0.${n}`, port: 5000 });
    expect(outcome(client.permit(at(1), at(2), at(3), at(4)))).toBe(508);
    expect(outcome(client.permit(at(1)))).toBe('success');
    expect([2, 3, 4].map((n) => outcome(client.bind(0x4000 + n, at(n))))).toEqual(['success', 'success', 508]);
    expect(outcome(client.bind(0x4005, { ...at(1), port: 1 + 5000 }))).toBe(508);
    relays.now = 599_999;
    client.refresh(3600);
    relays.now = 600_000;
    expect(outcome(client.bind(0x4004, at(4)))).toBe('success');
  });

  it('a channel goes on with the permission that it gets anew, whatever became of the old one', () => {
    const { client, relays } = allocated({ caps: { permissions: 2, channels: 4 } });
    const at = (n: number): Endpoint => ({ address: `50.0.0.${n}`, port: 5000 });
    client.bind(0x4001, at(1));
    relays.now = 299_000;
    client.permit(at(2));
    relays.now = 300_000;
    // Makes room, by forgetting the one that has ended.
    expect(outcome(client.permit(at(3)))).toBe('success');
    relays.now = 599_500;
    expect(outcome(client.permit(at(1)))).toBe('success');
    client.channelData(encodeChannelData(0x4001, text('still'), false));
    expect(relays.sockets[0]?.posted).toEqual([{ to: at(1), data: text('still') }]);
  });

  it('looks at no more addresses, and no more requests of a client, than anybody needs', () => {
    const { client, relays } = allocated({ limit: { perSecond: 10, burst: 20 } });
    const many = Array.from({ length: 300 }, (_, i) => ({ address: `50.0.${i >> 8}.${i & 255}`, port: 5000 }));
    expect(outcome(client.permit(...many))).toBe(508);
    expect(
      client.raw(
        client.sealed(
          METHOD.refresh,
          Array.from({ length: 12 }, () => attribute('SOFTWARE', 'x'.repeat(763))),
        ),
      ),
    ).toBeUndefined();
    const answers = () =>
      Array.from({ length: 50 }, () => client.raw(client.sealed(METHOD.refresh, []))).filter(Boolean).length;
    expect(answers()).toBeLessThanOrEqual(20);
    const { limited } = relays.server.counters;
    expect(limited).toBeGreaterThanOrEqual(30);
    // What is not its own spends nothing of it.
    relays.now = 10_000;
    for (let i = 0; i < 200; i++) client.raw(client.sealed(METHOD.refresh, []).fill(0, 60, 61));
    expect(answers()).toBe(20);
  });

  it('drops what a user sends beyond its share, and nobody else', () => {
    const { client, relays } = allocated({ quota: { allocations: 10, bytesPerSecond: 1000 } });
    client.bind(0x4001, PEER);
    const burst = (who: FakeClient) => {
      for (let i = 0; i < 100; i++) who.channelData(encodeChannelData(0x4001, new Uint8Array(100), false));
    };
    burst(client);
    const bob = new FakeClient(relays, { from: PEER, username: 'bob', password: 'hidden' });
    bob.allocate();
    bob.bind(0x4001, PEER);
    burst(bob);
    const [first, second] = relays.sockets;
    expect(first?.posted.length).toBeLessThan(15);
    expect(second?.posted.length).toBe(first?.posted.length);
    relays.now = 10_000;
    burst(client);
    expect(first?.posted.length).toBeLessThan(30);
    expect(first?.posted.length).toBeGreaterThan(15);
  });
});

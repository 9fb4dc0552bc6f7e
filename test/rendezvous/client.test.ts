import { describe, expect, it } from 'vitest';
import { type ClientAction, type ClientOptions, RendezvousClient } from '../../src/rendezvous/client.ts';
import { decodeRegister, encodeState, type Register, type RoomState } from '../../src/rendezvous/protocol.ts';
import { seededRandom } from '../../src/lab/random.ts';
import type { Endpoint } from '../../src/net/address.ts';
import { attribute } from '../../src/stun/attributes.ts';
import { type Decoded, decode, encode, type Message, METHOD } from '../../src/stun/message.ts';
import { A, B, bytes, C, Desk, endpoints, one, spot, text, two } from './wire.ts';

const SERVER = endpoints.A1P1;
const COOKIE = bytes(8, 0xcc);

/** A client with a clock and a wire of its own. */
class Bench {
  readonly client: RendezvousClient;
  now = 1000;
  /** All that was sent, newest last. */
  readonly sent: { readonly register: Register; readonly transactionId: Uint8Array; readonly at: number }[] = [];

  constructor(options: Partial<ClientOptions> = {}) {
    this.client = new RendezvousClient({
      server: SERVER,
      room: bytes(16, 7),
      member: one,
      random: seededRandom(3, 'client'),
      ...options,
    });
  }

  /** Notes what is sent; gives back the rest. */
  take(actions: readonly ClientAction[]): Exclude<ClientAction, { kind: 'send' }>[] {
    for (const action of actions) {
      if (action.kind !== 'send') continue;
      const message = decode(action.data);
      const register = decodeRegister(message);
      if (!register) throw new Error('not a register');
      this.sent.push({ register, transactionId: message.transactionId, at: this.now });
    }
    return actions.filter((action) => action.kind !== 'send');
  }

  publish(payload = 'news') {
    return this.take(this.client.handle({ kind: 'publish', payload: text(payload) }, this.now));
  }

  /** The time of the next deadline comes. */
  wait() {
    const at = this.client.wakeAt();
    if (at === undefined) throw new Error('nothing is waited for');
    this.now = at;
    return this.take(this.client.wake(at));
  }

  hear(message: Decoded, from: Endpoint = SERVER, at = this.now) {
    return this.take(this.client.handle({ kind: 'message', message, from, at }, this.now));
  }

  answer(state: Partial<RoomState> = {}, to = this.sent.length - 1): Decoded {
    return reply({ class: 'success', transactionId: this.sent[to]?.transactionId ?? bytes(12, 0) }, state);
  }

  push = (state: Partial<RoomState> = {}): Decoded =>
    reply({ class: 'indication', transactionId: bytes(12, 9) }, state, []);
}

const reply = (
  head: Pick<Message, 'class' | 'transactionId'>,
  state: Partial<RoomState>,
  first = [attribute('XOR-MAPPED-ADDRESS', A)],
): Decoded =>
  decode(
    encode({
      ...head,
      method: METHOD.binding,
      attributes: [
        ...first,
        encodeState({ status: 'waiting', stored: 1, cookie: COOKIE, alternates: [], peer: undefined, ...state }),
      ],
    }),
  );

const peer = (sequence = 1): NonNullable<RoomState['peer']> => ({
  member: two,
  sequence,
  observed: B,
  payload: text(`of the peer ${sequence}`),
});

describe('a rendezvous client', () => {
  it('says nothing and waits for nothing before it has something to tell', () => {
    const bench = new Bench();
    expect(bench.client.wakeAt()).toBeUndefined();
    for (const kind of ['refresh', 'close'] as const) expect(bench.client.handle({ kind }, 0)).toEqual([]);
  });

  it('registers with all it knows', () => {
    const bench = new Bench();
    expect(bench.publish()).toEqual([]);
    expect(bench.sent.map(({ register }) => register)).toEqual([
      {
        room: bytes(16, 7),
        member: one,
        sequence: 1,
        heard: 0,
        cookie: bytes(8, 0),
        bye: false,
        payload: text('news'),
      },
    ]);
    bench.hear(bench.answer({ status: 'paired', peer: peer(4) }));
    expect(bench.sent[1]?.register).toMatchObject({ sequence: 1, heard: 4, cookie: COOKIE });
    bench.publish('more');
    expect(bench.sent[2]?.register).toMatchObject({ sequence: 2, heard: 4, payload: text('more') });
  });

  it('asks again after 100, 200, 400, 800 and then 1000 ms; gives an unknown server up after two and a half seconds', () => {
    const bench = new Bench();
    bench.publish();
    const told: ClientAction[] = [];
    while (bench.client.wakeAt() !== undefined) told.push(...bench.wait());
    expect(bench.sent.map(({ at }) => at - 1000)).toEqual([0, 100, 300, 700, 1500]);
    expect(bench.now - 1000).toBe(2500);
    expect(told).toEqual([{ kind: 'status', status: 'silent' }]);
    expect(bench.publish()).toEqual([]);
    expect(bench.sent).toHaveLength(5);
  });

  it('gives one that has answered before six seconds, without doubt', () => {
    for (const proven of [true, false]) {
      const bench = new Bench({ proven });
      bench.publish();
      if (!proven) bench.hear(bench.answer());
      bench.publish('more');
      const from = bench.now;
      const before = bench.sent.length - 1;
      const told: ClientAction[] = [];
      while (bench.client.wakeAt() !== undefined) told.push(...bench.wait());
      expect(bench.sent.slice(before).map(({ at }) => at - from)).toEqual([
        0, 100, 300, 700, 1500, 2500, 3500, 4500, 5500,
      ]);
      expect(bench.now - from).toBe(6500);
      expect(told).toEqual([{ kind: 'status', status: 'silent' }]);
    }
  });

  it('is never woken early', () => {
    const bench = new Bench();
    bench.publish();
    expect(bench.client.wake(1099)).toEqual([]);
    expect(bench.client.wakeAt()).toBe(1100);
  });

  it('tells where the server sees it, and how long that took', () => {
    const bench = new Bench();
    bench.publish();
    bench.now += 40;
    const alternates = [endpoints.A2P2, { address: '0.0.0.0', port: 3479 }, { address: '::', port: 3480 }];
    // A busy consumer does not make the round trip longer.
    expect(bench.hear(bench.answer({ alternates }), SERVER, bench.now - 5)).toEqual([
      {
        kind: 'observed',
        mapped: A,
        alternates: [endpoints.A2P2, endpoints.A1P2, { address: SERVER.address, port: 3480 }],
        rttMs: 35,
      },
      { kind: 'status', status: 'waiting' },
    ]);
  });

  it('shows with a second register that it hears the server, then refreshes every five seconds', () => {
    const bench = new Bench();
    bench.publish();
    bench.hear(bench.answer());
    expect(bench.sent[1]?.register.cookie).toEqual(COOKIE);
    bench.hear(bench.answer());
    expect(bench.sent).toHaveLength(2);
    expect(bench.client.wakeAt()).toBe(bench.now + 5000);
    bench.wait();
    expect(bench.sent).toHaveLength(3);
    // Unanswered, it is asked again at the usual pace.
    expect(bench.client.wakeAt()).toBe(bench.now + 100);
  });

  it('shows again and again that it hears the server until that is answered', () => {
    const bench = new Bench();
    bench.publish();
    bench.hear(bench.answer());
    expect(bench.client.wakeAt()).toBe(bench.now + 100);
    bench.wait();
    expect(bench.sent.map(({ register }) => register.cookie)).toEqual([bytes(8, 0), COOKIE, COOKIE]);
    bench.hear(bench.answer());
    expect(bench.client.wakeAt()).toBe(bench.now + 5000);
  });

  it('shows each cookie that is new, as after a move, but once for each question', () => {
    const bench = new Bench();
    bench.publish();
    bench.hear(bench.answer());
    bench.hear(bench.answer());
    bench.wait();
    for (const value of [1, 2, 3]) bench.hear(bench.answer({ cookie: bytes(8, value) }));
    expect(bench.sent.slice(2).map(({ register }) => register.cookie)).toEqual([COOKIE, bytes(8, 1)]);
    expect(bench.client.wakeAt()).toBe(bench.now + 5000);
    bench.wait();
    bench.hear(bench.answer({ cookie: bytes(8, 4) }));
    expect(bench.sent.slice(4).map(({ register }) => register.cookie)).toEqual([bytes(8, 3), bytes(8, 4)]);
  });

  it('goes on until the server holds the latest, whatever older answers come', () => {
    const bench = new Bench();
    bench.publish();
    bench.publish('more');
    bench.hear(bench.answer({ stored: 1 }));
    expect(bench.client.wakeAt()).toBe(bench.now + 100);
    bench.hear(bench.answer({ stored: 2 }));
    expect(bench.client.wakeAt()).toBe(bench.now + 5000);
    bench.hear(bench.answer({ stored: 1 }));
    expect(bench.client.wakeAt()).toBe(bench.now + 5000);
  });

  it('tells each news of the peer once, acknowledges it at once, and tells each change of its state once', () => {
    const bench = new Bench();
    bench.publish();
    bench.hear(bench.answer());
    const before = bench.sent.length;
    const push = bench.push({ status: 'paired', peer: peer() });
    expect(bench.hear(push)).toEqual([
      { kind: 'status', status: 'paired' },
      { kind: 'peer', peer: peer() },
    ]);
    expect(bench.sent.slice(before).map(({ register }) => register.heard)).toEqual([1]);
    expect(bench.hear(push)).toEqual([]);
    expect(bench.hear(bench.push({ status: 'paired', peer: peer(2) }))).toEqual([{ kind: 'peer', peer: peer(2) }]);
    // Overtaken.
    expect(bench.hear(bench.push({ status: 'paired', peer: peer(1) }))).toEqual([]);
    expect(bench.sent).toHaveLength(before + 2);
    expect(bench.hear(bench.push({ status: 'left' }))).toEqual([{ kind: 'status', status: 'peer-left' }]);
  });

  it('believes a push only from the server, with the cookie that it gave', () => {
    const bench = new Bench();
    bench.publish();
    const push = (cookie: Uint8Array): Decoded => bench.push({ status: 'paired', cookie, peer: peer() });
    // Nobody can know a cookie before there is one.
    expect(bench.hear(push(bytes(8, 0)))).toEqual([]);
    bench.hear(bench.answer());
    const before = bench.sent.length;
    expect(bench.hear(push(bytes(8, 0)))).toEqual([]);
    for (let at = 0; at < 8; at++)
      expect(bench.hear(push(COOKIE.map((byte, i) => (i === at ? byte ^ 1 : byte))))).toEqual([]);
    for (const from of [C, { ...SERVER, port: 1 }]) expect(bench.hear(push(COOKIE), from)).toEqual([]);
    expect(bench.sent).toHaveLength(before);
    expect(bench.hear(push(COOKIE))).toHaveLength(2);
  });

  it('believes an answer only from the server, to one of its latest eight questions', () => {
    const bench = new Bench({ proven: true });
    bench.publish();
    for (let i = 0; i < 8; i++) bench.wait();
    expect(bench.sent).toHaveLength(9);
    expect(bench.hear(bench.answer({}), C)).toEqual([]);
    expect(bench.hear(bench.answer({}, 99))).toEqual([]);
    expect(bench.hear(bench.answer({}, 0))).toEqual([]);
    expect(bench.hear(bench.answer({}, 1))).toMatchObject([{ kind: 'observed' }, { kind: 'status' }]);
    const { transactionId } = bench.sent[8] as (typeof bench.sent)[number];
    const request = decode(encode({ class: 'request', method: METHOD.binding, transactionId, attributes: [] }));
    expect(bench.client.owns(request, SERVER)).toBe(false);
    const indication = decode(encode({ class: 'indication', method: METHOD.binding, transactionId, attributes: [] }));
    expect(bench.client.owns(indication, SERVER)).toBe(false);
  });

  it.each([
    ['full', 'full'],
    ['busy', 'busy'],
    ['used', 'used'],
  ] as const)('ends where the room is %s', (status, told) => {
    const bench = new Bench();
    bench.publish();
    expect(bench.hear(bench.answer({ status }))).toMatchObject([
      { kind: 'observed' },
      { kind: 'status', status: told },
    ]);
    expect(bench.client.wakeAt()).toBeUndefined();
    expect(bench.sent).toHaveLength(1);
    expect(bench.hear(bench.answer())).toEqual([]);
  });

  it.each(['full', 'busy', 'used'] as const)('is not told unasked that the room is %s', (status) => {
    const bench = new Bench();
    bench.publish();
    bench.hear(bench.answer());
    const before = bench.client.wakeAt();
    expect(bench.hear(bench.push({ status }))).toEqual([]);
    expect(bench.client.wakeAt()).toBe(before);
  });

  it('does not mind that a room is closed which has served it', () => {
    const bench = new Bench();
    bench.publish();
    bench.hear(bench.answer({ status: 'paired', peer: peer() }));
    expect(bench.hear(bench.answer({ status: 'used', stored: 0 }))).toMatchObject([{ kind: 'observed' }]);
    expect(bench.client.wakeAt()).toBeDefined();
  });

  it.each([
    ['a plain STUN server', [], 'success', 'unsupported'],
    [
      'one that refuses unknown attributes',
      [attribute('ERROR-CODE', { code: 420, reason: '' })],
      'error',
      'unsupported',
    ],
    ['one that wants a login', [attribute('ERROR-CODE', { code: 401, reason: '' })], 'error', 'refused'],
    ['an error without a code', [], 'error', 'refused'],
  ] as const)('ends at %s', (_, attributes, type, status) => {
    const bench = new Bench();
    bench.publish();
    const { transactionId } = bench.sent[0] as (typeof bench.sent)[number];
    const message = decode(encode({ class: type, method: METHOD.binding, transactionId, attributes: [...attributes] }));
    expect(bench.hear(message)).toEqual([{ kind: 'status', status }]);
  });

  it('ends where the port is closed, and says so once', () => {
    const bench = new Bench();
    bench.publish();
    expect(bench.client.handle({ kind: 'unreachable' }, 0)).toEqual([{ kind: 'status', status: 'refused' }]);
    expect(bench.client.handle({ kind: 'unreachable' }, 0)).toEqual([]);
  });

  it('asks again at once when told so, unless it is asking', () => {
    const bench = new Bench();
    bench.publish();
    bench.client.handle({ kind: 'refresh' }, bench.now);
    bench.hear(bench.answer());
    bench.hear(bench.answer());
    const before = bench.sent.length;
    expect(bench.take(bench.client.handle({ kind: 'refresh' }, bench.now))).toEqual([]);
    expect(bench.sent).toHaveLength(before + 1);
    bench.take(bench.client.handle({ kind: 'refresh' }, bench.now));
    expect(bench.sent).toHaveLength(before + 1);
  });

  it('says goodbye once, without its payload, and is silent from then on', () => {
    const bench = new Bench();
    bench.publish();
    bench.hear(bench.answer());
    bench.take(bench.client.handle({ kind: 'close' }, bench.now));
    expect(bench.sent.at(-1)?.register).toMatchObject({ bye: true, sequence: 1, cookie: COOKIE, payload: bytes(0, 0) });
    expect(bench.client.wakeAt()).toBeUndefined();
    expect(bench.client.handle({ kind: 'close' }, bench.now)).toEqual([]);
    expect(bench.publish()).toEqual([]);
  });

  it('meets another one at a real server', () => {
    const desk = new Desk();
    const [a, b] = [new Bench(), new Bench({ member: two, random: seededRandom(4, 'other') })];
    const from = new Map([
      [a, A],
      [b, B],
    ]);
    const heard: string[] = [];
    /** Carries packets until none are left. */
    const carry = (side: Bench, actions: readonly ClientAction[]): void => {
      for (const action of actions) {
        if (action.kind === 'peer')
          heard.push(`${side === a ? 'a' : 'b'}: ${new TextDecoder().decode(action.peer.payload)}`);
        if (action.kind !== 'send') continue;
        const answers = desk.server.handle({ spot: spot(), from: from.get(side) ?? C, data: action.data }, 0);
        for (const { to, data } of answers) {
          const target = to.port === A.port && to.address === A.address ? a : b;
          const event = { kind: 'message', message: decode(data), from: SERVER, at: 0 } as const;
          carry(target, target.client.handle(event, 0));
        }
      }
    };
    const publish = (side: Bench, payload: string): void =>
      carry(side, side.client.handle({ kind: 'publish', payload: text(payload) }, 0));
    publish(a, 'one');
    publish(b, 'two');
    publish(b, 'three');
    publish(a, 'four');
    expect(heard.sort()).toEqual(['a: three', 'a: two', 'b: four', 'b: one']);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/lab/random.ts';
import type { Endpoint } from '../../src/net/address.ts';
import { NetError } from '../../src/net/env.ts';
import { type Attribute, attribute } from '../../src/stun/attributes.ts';
import { longTermKey } from '../../src/stun/credentials.ts';
import { checkIntegrity } from '../../src/stun/integrity.ts';
import { type Decoded, decode, encode, get, getAll, METHOD, type MessageClass } from '../../src/stun/message.ts';
import { Allocation } from '../../src/turn/allocation.ts';
import type { AllocationAction, AllocationEvent, AllocationOptions } from '../../src/turn/allocation-api.ts';
import { decodeChannelData, encodeChannelData, looksLikeChannelData } from '../../src/turn/channel-data.ts';

const REALM = 'example.net';
const KEY = longTermKey('alice', REALM, 'secret', 'MD5');
const R: Endpoint = { address: '70.60.50.40', port: 50_000 };
const B: Endpoint = { address: '50.60.70.80', port: 9 };
const data = (...bytes: number[]): Uint8Array => Uint8Array.of(...bytes);

/** The machine, and a server's answers put into its mouth. */
class Bench {
  now = 1000;
  readonly machine: Allocation;
  readonly told: AllocationAction[] = [];
  sent: Uint8Array[] = [];

  constructor(options: Partial<AllocationOptions> = {}) {
    this.machine = new Allocation({
      credentials: { kind: 'long-term', username: 'alice', password: 'secret' },
      reliable: false,
      random: seededRandom(1, 'allocation'),
      timeoutMs: 3000,
      ...options,
    });
    this.feed({ kind: 'start' });
  }

  feed(event: AllocationEvent): this {
    this.#take(this.machine.handle(event, this.now));
    return this;
  }

  pass(ms: number): this {
    for (const until = this.now + ms; ; ) {
      const at = this.machine.wakeAt();
      if (at === undefined || at > until) {
        this.now = until;
        return this;
      }
      this.now = Math.max(this.now, at);
      this.#take(this.machine.wake(this.now));
    }
  }

  /** What was sent since the last time, decoded. */
  taken(): Decoded[] {
    return this.sent.splice(0).map((bytes) => decode(bytes));
  }

  answer(
    to: Decoded | undefined,
    kind: MessageClass,
    attributes: Attribute[],
    key: Uint8Array | undefined = KEY,
  ): this {
    if (!to) throw new Error('nothing to answer');
    const { method, transactionId } = to;
    return this.feed({
      kind: 'received',
      data: encode({ class: kind, method, transactionId, attributes }, key ? { key } : {}),
    });
  }

  error(to: Decoded | undefined, code: number, ...more: Attribute[]): this {
    return this.answer(to, 'error', [attribute('ERROR-CODE', { code, reason: '' }), ...more]);
  }

  challenge(nonce = 'one', code: 401 | 438 = 401): Decoded[] {
    const [request] = this.taken();
    this.answer(
      request,
      'error',
      [attribute('ERROR-CODE', { code, reason: '' }), attribute('REALM', REALM), attribute('NONCE', nonce)],
      undefined,
    );
    return this.taken();
  }

  allocated(request: Decoded | undefined, lifetimeS = 600, ...relayed: Endpoint[]): this {
    return this.answer(request, 'success', [
      ...(relayed.length > 0 ? relayed : [R]).map((each) => attribute('XOR-RELAYED-ADDRESS', each)),
      attribute('LIFETIME', lifetimeS),
      attribute('XOR-MAPPED-ADDRESS', B),
    ]);
  }

  /** Up to an allocation that stands. */
  ready(lifetimeS = 600): this {
    const [allocate] = this.challenge();
    this.allocated(allocate, lifetimeS);
    this.taken();
    return this;
  }

  heard(kind: AllocationAction['kind']): AllocationAction | undefined {
    return this.told.findLast((action) => action.kind === kind);
  }

  #take(actions: AllocationAction[]): void {
    for (const action of actions)
      if (action.kind === 'transmit') this.sent.push(action.data);
      else this.told.push(action);
  }
}

describe('the first requests', () => {
  it('begin with a bare Allocate for UDP, and nothing else', () => {
    const [bytes] = new Bench().sent;
    // Allocate, 8 bytes of attributes, cookie, ID; REQUESTED-TRANSPORT 17.
    expect(Buffer.from(bytes as Uint8Array).toString('hex')).toMatch(/^000300082112a442[0-9a-f]{24}0019000411000000$/);
  });

  it('ask for IPv6 by its attribute alone, and for both by the additional one', () => {
    const [six] = new Bench({ family: 6 }).taken();
    expect(six && get(six, 'REQUESTED-ADDRESS-FAMILY')).toBe(6);
    const [both] = new Bench({ family: 'both' }).taken();
    expect(both && get(both, 'ADDITIONAL-ADDRESS-FAMILY')).toBe(6);
    expect(both && get(both, 'REQUESTED-ADDRESS-FAMILY')).toBeUndefined();
  });

  it('leave in one flight behind the challenge, all of them sealed', () => {
    const bench = new Bench({ peers: [B], permitted: ['1.2.3.4', '1.2.3.5'] });
    const flight = bench.challenge();
    expect(flight.map(({ method }) => method)).toEqual([METHOD.allocate, METHOD.channelBind, METHOD.createPermission]);
    for (const each of flight) expect(checkIntegrity(each, KEY)).toBe('valid');
    expect(getAll(flight[2] as Decoded, 'XOR-PEER-ADDRESS').map(({ address }) => address)).toEqual([
      '1.2.3.4',
      '1.2.3.5',
    ]);
  });

  it('are repeated as the very same datagram', () => {
    const bench = new Bench();
    bench.pass(1500);
    const [first, ...more] = bench.sent;
    expect(more.length).toBeGreaterThan(2);
    for (const each of more) expect(each).toEqual(first);
    bench.pass(3000);
    expect(bench.heard('over')).toMatchObject({ ending: { why: 'silent' } });
    expect(bench.machine.wakeAt()).toBeUndefined();
  });

  it('are repeated by nobody over a stream', () => {
    const bench = new Bench({ reliable: true }).pass(2900);
    expect(bench.sent).toHaveLength(1);
  });

  it.each([400, 437])('that overtake the Allocate (%i) are asked again once it stands', (code) => {
    const bench = new Bench({ peers: [B] });
    const [allocate, bind] = bench.challenge();
    bench.error(bind, code);
    expect(bench.taken()).toEqual([]);
    bench.allocated(allocate);
    const [again] = bench.taken();
    expect(again?.method).toBe(METHOD.channelBind);
    expect(again && get(again, 'CHANNEL-NUMBER')).toBe(0x4000);
    // Its refusal arrives behind the success: the same.
    const late = new Bench({ peers: [B] });
    const [first, second] = late.challenge();
    late.allocated(first).error(second, code);
    expect(late.taken().at(-1)?.method).toBe(METHOD.channelBind);
    expect(late.heard('over')).toBeUndefined();
  });

  it('ask for what is wished meanwhile at once, or with the login', () => {
    const bench = new Bench().feed({ kind: 'bind', to: B });
    expect(bench.sent).toHaveLength(1);
    expect(bench.challenge().map(({ method }) => method)).toEqual([METHOD.allocate, METHOD.channelBind]);
    bench.feed({ kind: 'permit', addresses: ['1.2.3.4'] });
    expect(bench.taken().map(({ method }) => method)).toEqual([METHOD.createPermission]);
  });
});

describe('an answer', () => {
  const success = [attribute('XOR-RELAYED-ADDRESS', R), attribute('LIFETIME', 600)];

  it('counts only with the seal of the login', () => {
    for (const key of [undefined, new Uint8Array(16)]) {
      const bench = new Bench();
      const [allocate] = bench.challenge();
      bench.answer(allocate, 'success', success, key === undefined ? new Uint8Array(0) : key);
      expect(bench.heard('ready')).toBeUndefined();
      bench.allocated(allocate);
      expect(bench.heard('ready')).toBeDefined();
    }
  });

  it.each<[string, Endpoint[]]>([
    ['no relayed address', []],
    ['one with port 0', [{ ...R, port: 0 }]],
    ['the wildcard', [{ address: '0.0.0.0', port: 1 }]],
    ['the wrong family', [{ address: '2001:db8::1', port: 1 }]],
  ])('with %s is given back', (_, relayed) => {
    const bench = new Bench();
    const [allocate] = bench.challenge();
    bench.answer(allocate, 'success', [
      ...relayed.map((each) => attribute('XOR-RELAYED-ADDRESS', each)),
      attribute('LIFETIME', 600),
    ]);
    const [release, ...more] = bench.taken();
    expect(release && get(release, 'LIFETIME')).toBe(0);
    expect(more).toEqual([]);
    // A lost datagram must not leave it behind.
    bench.pass(600);
    expect(bench.taken().length).toBeGreaterThan(0);
    bench.answer(release, 'success', [attribute('LIFETIME', 0)]);
    expect(bench.heard('over')).toMatchObject({ ending: { why: 'useless', given: relayed[0] } });
  });

  it('may give two addresses where both families were asked for', () => {
    const bench = new Bench({ family: 'both' });
    const [allocate] = bench.challenge();
    const six = { address: '2001:db8:70::1', port: 50_001 };
    bench.allocated(allocate, 600, R, six);
    expect(bench.heard('ready')).toMatchObject({ relayed: [R, six] });
    expect(bench.machine.refusal({ address: '2001:db8::5', port: 1 }, bench.now)).toBeUndefined();
    expect(new Bench().ready().machine.refusal({ address: '2001:db8::5', port: 1 }, 0)).toBe(443);
  });

  it('438 renews the nonce of every kind of request, even without a realm, but not for ever', () => {
    const stale = [attribute('NONCE', 'two')];
    for (const event of [
      { kind: 'refresh', timeoutMs: 1000 },
      { kind: 'bind', to: B },
      { kind: 'permit', addresses: ['1.2.3.4'] },
      { kind: 'release' },
    ] as const) {
      const bench = new Bench().ready().feed(event);
      const [request] = bench.taken();
      bench.error(request, 438, ...stale);
      const [again] = bench.taken();
      expect(again?.method).toBe(request?.method);
      expect(again?.transactionId).not.toEqual(request?.transactionId);
      expect(again && get(again, 'NONCE')).toBe('two');
      expect(again && checkIntegrity(again, KEY)).toBe('valid');
    }
    const bench = new Bench().ready().feed({ kind: 'permit', addresses: ['1.2.3.4'] });
    let asked = 0;
    for (let [request] = bench.taken(); request; [request] = bench.taken()) {
      bench.error(request, 438, ...stale);
      asked++;
    }
    expect(asked).toBe(4);
  });
});

describe('the clocks', () => {
  it('refresh before the end of whatever lifetime was granted', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 3600 }), (lifetimeS) => {
        const bench = new Bench({ keepaliveMs: 1e9 }).ready(lifetimeS);
        const grantedAt = bench.now;
        bench.pass(lifetimeS * 1000 * 0.84);
        const [refresh] = bench.taken();
        expect(refresh?.method).toBe(METHOD.refresh);
        expect(bench.now).toBeLessThan(grantedAt + lifetimeS * 1000);
        bench.answer(refresh, 'success', [attribute('LIFETIME', lifetimeS)]).pass(lifetimeS * 500);
        expect(bench.heard('over')).toBeUndefined();
      }),
      { numRuns: 30 },
    );
  });

  it('end an allocation that nobody refreshes', () => {
    const bench = new Bench().ready(600).pass(599_000);
    expect(bench.heard('over')).toBeUndefined();
    bench.pass(2000);
    expect(bench.heard('over')).toMatchObject({ ending: { why: 'lost' } });
  });

  it('renew a channel that is used, and its permission, within 240 s, and let an idle one go', () => {
    const bench = new Bench({ keepaliveMs: 1e9 }).ready(3600).feed({ kind: 'send', data: data(1), to: B });
    const [bind] = bench.taken();
    bench.answer(bind, 'success', []);
    expect(looksLikeChannelData(bench.sent.splice(0)[0] as Uint8Array)).toBe(true);
    bench.pass(200_000).feed({ kind: 'send', data: data(2), to: B });
    bench.sent = [];
    bench.pass(40_000);
    const [rebind] = bench.taken();
    expect(rebind && get(rebind, 'CHANNEL-NUMBER')).toBe(0x4000);
    bench.answer(rebind, 'success', []).pass(700_000);
    // One renewal more while the last use was less than 300 s ago, then none.
    expect(bench.taken().filter(({ method }) => method === METHOD.channelBind).length).toBeLessThanOrEqual(12);
    bench.feed({ kind: 'send', data: data(3), to: B });
    const last = bench.taken().at(-1);
    expect(last && get(last, 'CHANNEL-NUMBER')).toBe(0x4000);
  });

  it('say something to the server every 15 s', () => {
    const bench = new Bench().ready().pass(100_000);
    const kept = bench.taken();
    expect(kept).toHaveLength(6);
    for (const each of kept) expect([each.class, each.method]).toEqual(['indication', METHOD.binding]);
  });
});

describe('data', () => {
  it('waits for its permission, goes as indications at first and by a channel when there is more', () => {
    const bench = new Bench().ready();
    bench.feed({ kind: 'send', data: data(1), to: B });
    const [bind] = bench.taken();
    expect(bind?.method).toBe(METHOD.channelBind);
    bench.answer(bind, 'success', []);
    expect(decodeChannelData(bench.sent.splice(0)[0] as Uint8Array)).toEqual({ number: 0x4000, data: data(1) });
    // Another port of the same address has the permission already.
    const other = { ...B, port: 10 };
    for (let i = 0; i < 4; i++) bench.feed({ kind: 'send', data: data(i), to: other });
    expect(bench.taken().map(({ method }) => method)).toEqual([
      METHOD.send,
      METHOD.send,
      METHOD.send,
      METHOD.send,
      METHOD.channelBind,
    ]);
  });

  it('is taken from peers with a permission only, on channels that are ours only', () => {
    const bench = new Bench().ready().feed({ kind: 'bind', to: B });
    const indication = (from: Endpoint): AllocationEvent => ({
      kind: 'received',
      data: encode({
        class: 'indication',
        method: METHOD.data,
        transactionId: new Uint8Array(12),
        attributes: [attribute('XOR-PEER-ADDRESS', from), attribute('DATA', data(7))],
      }),
    });
    bench.feed(indication({ address: '9.9.9.9', port: 9 }));
    bench.feed({ kind: 'received', data: encodeChannelData(0x4001, data(7), false) });
    expect(bench.heard('data')).toBeUndefined();
    bench.feed(indication({ ...B, port: 77 }));
    expect(bench.heard('data')).toMatchObject({ from: { ...B, port: 77 } });
    // From the moment that the bind was sent.
    bench.feed({ kind: 'received', data: encodeChannelData(0x4000, data(8), false) });
    expect(bench.heard('data')).toMatchObject({ from: B, data: data(8) });
  });

  it('is padded over a stream', () => {
    const bench = new Bench({ reliable: true, peers: [B] });
    const [allocate, bind] = bench.challenge();
    bench
      .allocated(allocate)
      .answer(bind, 'success', [])
      .feed({ kind: 'send', data: data(1), to: B });
    expect([...(bench.sent.at(-1) ?? [])]).toEqual([0x40, 0, 0, 1, 1, 0, 0, 0]);
  });

  it('never finds a channel number with another peer, however many there are', () => {
    const bench = new Bench().ready(3600);
    const seen = new Map<number, string>();
    for (let i = 0; i < 5000; i++) {
      const to = { address: `60.${i >> 8}.${i & 255}.1`, port: 9 };
      bench.feed({ kind: 'send', data: data(1), to });
      for (const each of bench.taken()) {
        const number = get(each, 'CHANNEL-NUMBER');
        if (number === undefined) expect(each.method).toBe(METHOD.createPermission);
        else {
          expect(seen.has(number)).toBe(false);
          expect(number).toBeLessThanOrEqual(0x4fff);
          seen.set(number, to.address);
        }
      }
    }
    expect(seen.size).toBe(4096);
  });

  it('to a peer that was refused goes nowhere, until the refusal is old', () => {
    const bench = new Bench().ready().feed({ kind: 'send', data: data(1), to: B });
    const [bind] = bench.taken();
    bench.error(bind, 403);
    expect(bench.machine.refusal(B, bench.now)).toBe(403);
    bench.feed({ kind: 'send', data: data(1), to: B });
    expect(bench.taken()).toEqual([]);
    bench.pass(61_000);
    bench.taken();
    expect(bench.machine.refusal(B, bench.now)).toBeUndefined();
    bench.feed({ kind: 'send', data: data(1), to: B });
    expect(bench.taken()).toHaveLength(1);
  });

  it('one denied address among many costs the others nothing', () => {
    const bench = new Bench().ready().feed({ kind: 'permit', addresses: ['1.1.1.1', '10.0.0.1', '2.2.2.2'] });
    const [together] = bench.taken();
    bench.error(together, 403);
    const single = bench.taken();
    expect(single.map((each) => getAll(each, 'XOR-PEER-ADDRESS').map(({ address }) => address))).toEqual([
      ['1.1.1.1'],
      ['10.0.0.1'],
      ['2.2.2.2'],
    ]);
  });
});

describe('the end', () => {
  it('gives back what there may be, repeats it for a second, and is over', () => {
    const bench = new Bench().ready().feed({ kind: 'release' });
    const [first] = bench.sent;
    expect(get(decode(first as Uint8Array), 'LIFETIME')).toBe(0);
    bench.pass(2000);
    for (const each of bench.sent) expect(each).toEqual(first);
    expect(bench.heard('over')).toEqual({ kind: 'over', ending: { why: 'released' } });
  });

  it('gives nothing back where no login was shown', () => {
    const bench = new Bench().feed({ kind: 'release' });
    expect(bench.sent).toHaveLength(1);
    expect(bench.heard('over')).toBeDefined();
  });

  it('comes with 437 in a running allocation, and with a broken stream', () => {
    const lost = new Bench().ready().feed({ kind: 'refresh', timeoutMs: 1000 });
    lost.error(lost.taken()[0], 437);
    expect(lost.heard('over')).toMatchObject({ ending: { why: 'lost', code: 437 } });
    const broken = new Bench().ready().feed({ kind: 'broken', error: new NetError('closed', 'x') });
    expect(broken.heard('over')).toMatchObject({ ending: { why: 'broken' } });
    expect(broken.feed({ kind: 'send', data: data(1), to: B }).sent).toEqual([]);
  });
});

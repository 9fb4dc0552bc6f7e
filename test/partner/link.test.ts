import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/lab/random.ts';
import type { Endpoint } from '../../src/net/address.ts';
import { SourceLimiter } from '../../src/net/rate-limit.ts';
import { type LinkAction, PartnerLink } from '../../src/partner/link.ts';
import { decodePartner, encodePartner, keyOf } from '../../src/partner/messages.ts';
import { encodeBinding } from '../../src/stun/binding.ts';

const key = keyOf('a secret of the two');
const AT = { X: { address: '40.30.20.60', port: 3478 }, Y: { address: '60.50.40.31', port: 3478 } };
const CLIENT: Endpoint = { address: '12.13.14.15', port: 4000 };
const ANSWER = encodeBinding('success', new Uint8Array(12));
type Name = 'X' | 'Y';

/** Two links and the wire between them, one way in `delayMs`. */
class Pair {
  now = 0;
  readonly links: Record<Name, PartnerLink>;
  readonly sent: { readonly from: Name; readonly to: Endpoint; readonly data: Uint8Array; readonly at: number }[] = [];
  readonly delivered: Endpoint[] = [];
  readonly states: string[] = [];
  readonly #wire: { readonly at: number; readonly to: Name; readonly from: Endpoint; readonly data: Uint8Array }[] = [];
  readonly #drop: (nth: number) => boolean;

  constructor(drop: (nth: number) => boolean = () => false, limit = { perSecond: 1000, burst: 1000 }) {
    this.#drop = drop;
    this.links = { X: link('X', limit), Y: link('Y', limit) };
    this.#do('X', this.links.X.handle({ kind: 'resolved', to: AT.Y }, 0));
    this.#do('Y', this.links.Y.handle({ kind: 'resolved', to: AT.X }, 0));
  }

  restart(name: Name, seed = 'again'): void {
    this.links[name] = link(name, { perSecond: 1000, burst: 1000 }, seed);
    this.#do(name, this.links[name].handle({ kind: 'resolved', to: AT[name === 'X' ? 'Y' : 'X'] }, this.now));
  }

  carry(times = 1): void {
    for (let i = 0; i < times; i++)
      this.#do(
        'X',
        this.links.X.handle({ kind: 'carry', answer: { data: ANSWER, to: CLIENT, viaRole: 'A2P2' } }, this.now),
      );
  }

  hear(name: Name, data: Uint8Array, from: Endpoint = CLIENT): LinkAction[] {
    const actions = this.links[name].handle({ kind: 'heard', from, data }, this.now);
    this.#do(name, actions);
    return actions;
  }

  until(end: number): void {
    for (;;) {
      const next = Math.min(
        ...this.#wire.map(({ at }) => at),
        ...Object.values(this.links).map((each) => each.wakeAt() ?? Number.POSITIVE_INFINITY),
      );
      if (next > end) break;
      this.now = Math.max(this.now, next);
      for (const name of ['X', 'Y'] as const)
        if ((this.links[name].wakeAt() ?? Number.POSITIVE_INFINITY) <= this.now)
          this.#do(name, this.links[name].wake(this.now));
      for (const each of this.#wire.filter(({ at }) => at <= this.now)) {
        this.#wire.splice(this.#wire.indexOf(each), 1);
        this.hear(each.to, each.data, each.from);
      }
    }
    this.now = end;
  }

  recorded(type: string, from: Name): Uint8Array[] {
    return this.sent
      .filter((each) => each.from === from && decodePartner(each.data, key)?.type === type)
      .map(({ data }) => data);
  }

  #do(name: Name, actions: readonly LinkAction[]): void {
    for (const action of actions) {
      if (action.kind === 'changed') this.states.push(`${name} ${action.state}`);
      else if (action.kind === 'deliver') this.delivered.push(action.answer.to);
      else {
        this.sent.push({ from: name, to: action.to, data: action.data, at: this.now });
        const to = action.to.address === AT.X.address ? 'X' : action.to.address === AT.Y.address ? 'Y' : undefined;
        if (to && !this.#drop(this.sent.length))
          this.#wire.push({ at: this.now + 10, to, from: AT[name], data: action.data });
      }
    }
  }
}

const link = (name: Name, limit: { perSecond: number; burst: number }, seed = 'first') => {
  const random = seededRandom(1, `${name} ${seed}`);
  const ends = { A1P1: AT[name], A1P2: { address: AT[name].address, port: 3479 } };
  return new PartnerLink({
    key,
    random,
    limiter: new SourceLimiter(limit, random),
    own: () => ({ outside: ends, inside: ends }),
  });
};

describe('the link between partners', () => {
  it('comes up in a round trip, and sends on each answer once, acknowledged', () => {
    const pair = new Pair();
    pair.until(21);
    expect(pair.states.sort()).toEqual(['X up', 'Y up']);
    pair.carry(3);
    pair.until(1000);
    expect(pair.delivered).toEqual([CLIENT, CLIENT, CLIENT]);
    expect(pair.recorded('answer', 'X')).toHaveLength(3);
    expect(pair.links.X.counters).toMatchObject({ carried: 3, resent: 0, lost: 0 });
  });

  it('repeats what is lost within a few round trips, and no longer', () => {
    let lossy = false;
    const pair = new Pair((nth) => lossy && nth % 2 === 0);
    pair.until(100);
    lossy = true;
    pair.carry(20);
    pair.until(400);
    expect(pair.delivered).toHaveLength(20);
    const times = pair.sent.filter(({ data }) => decodePartner(data, key)?.type === 'answer').map(({ at }) => at);
    expect(Math.max(...times)).toBeLessThanOrEqual(100 + 5 * 40);
  });

  it('is away 3 s after the last word, and drops what it would carry', () => {
    let dead = false;
    const pair = new Pair(() => dead);
    pair.until(5000);
    dead = true;
    pair.until(9000);
    expect(pair.states).toContain('X away');
    pair.carry();
    expect(pair.links.X.counters.lost).toBe(1);
    expect(pair.links.X.state).toBe('away');
    dead = false;
    pair.until(12_000);
    expect(pair.links.X.state).toBe('up');
  });

  it('hears no answer twice, and none from before a restart of either', () => {
    const pair = new Pair();
    pair.until(100);
    pair.carry(2);
    pair.until(200);
    const old = pair.recorded('answer', 'X');
    for (const data of old) expect(pair.hear('Y', data).map(({ kind }) => kind)).toEqual(['send']);
    pair.restart('X');
    pair.until(300);
    pair.carry();
    pair.until(400);
    expect(pair.delivered).toHaveLength(3);
    // The sender of then is another now.
    for (const data of old) expect(pair.hear('Y', data)).toEqual([]);
    pair.restart('Y');
    pair.until(2000);
    for (const data of pair.recorded('answer', 'X')) expect(pair.hear('Y', data)).toEqual([]);
    pair.carry();
    pair.until(3000);
    expect(pair.delivered).toHaveLength(4);
  });

  it('lets nobody without the secret in, and is not deceived by its own words or old greetings', () => {
    const pair = new Pair();
    pair.until(100);
    const before = pair.sent.length;
    for (let at = 0; at < 60; at++) {
      const data = Uint8Array.from(pair.recorded('hello', 'X')[0] ?? []);
      data[at % data.length] = (data[at % data.length] as number) ^ 1;
      expect(pair.hear('Y', data)).toEqual([]);
    }
    for (const type of ['hello', 'welcome'])
      for (const data of pair.recorded(type, 'X')) expect(pair.hear('X', data)).toEqual([]);
    for (const data of pair.recorded('welcome', 'Y')) expect(pair.hear('X', data)).toEqual([]);
    expect(pair.sent.length).toBe(before);
    pair.carry();
    pair.until(200);
    expect(pair.delivered).toHaveLength(1);
  });

  it('answers recorded greetings with no more than came, and not without end', () => {
    const pair = new Pair();
    pair.until(100);
    const [known] = pair.recorded('hello', 'X');
    for (let i = 0; i < 100; i++) expect(pair.hear('Y', known as Uint8Array)).toEqual([]);
    let answers = 0;
    for (let i = 0; i < 1000; i++) {
      const nonce = i.toString(16).padStart(16, '0');
      const hello = encodePartner({ type: 'hello', sender: 'f'.repeat(16), nonce }, key);
      for (const action of pair.hear('Y', hello)) {
        answers++;
        expect(action.kind === 'send' && action.data.length).toBe(hello.length);
      }
    }
    expect(answers).toBe(40);
    // Those of the partner go on.
    pair.until(10_000);
    expect(pair.links.X.state).toBe('up');
  });

  it('stays up while somebody floods it with what the partner once said, from its address', () => {
    const pair = new Pair();
    pair.until(30_000);
    const old = pair.recorded('hello', 'X');
    expect(old.length).toBeGreaterThan(20);
    for (let i = 0; i < 30_000; i++) {
      pair.hear('Y', old[i % old.length] as Uint8Array, AT.X);
      pair.until(pair.now + 1);
    }
    expect(pair.states.sort()).toEqual(['X up', 'Y up']);
  });

  it('sends on Binding answers alone, to each client at a limited rate', () => {
    const pair = new Pair(undefined, { perSecond: 1, burst: 5 });
    pair.until(100);
    pair.carry(10);
    pair.until(200);
    expect(pair.delivered).toHaveLength(5);
    expect(pair.links.Y.counters).toMatchObject({ delivered: 5, limited: 5 });
    // An honest challenge, and something else in it.
    const answer = decodePartner(pair.recorded('answer', 'X')[0] as Uint8Array, key);
    if (answer?.type !== 'answer') throw new Error('no answer');
    for (const data of [new Uint8Array(), Uint8Array.of(1, 1, 0, 0), encodeBinding('request', new Uint8Array(12))]) {
      const counter = answer.counter + 1000 + data.length;
      const to = { address: '192.0.2.77', port: 53 };
      expect(pair.hear('Y', encodePartner({ ...answer, counter, to, data }, key)).map(({ kind }) => kind)).toEqual([
        'send',
      ]);
    }
    expect(pair.delivered).toHaveLength(5);
  });

  it('holds a bounded number of answers under way', () => {
    const pair = new Pair((nth) => nth > 8);
    pair.until(21);
    pair.carry(5000);
    expect(pair.links.X.counters).toMatchObject({ carried: 2048, lost: 2952 });
    pair.until(1000);
    expect(pair.links.X.counters.lost).toBe(5000);
  });
});

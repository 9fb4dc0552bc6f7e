import { describe, expect, it } from 'vitest';
import { Channel, type ChannelOptions } from '../../../src/connect/channel/channel.ts';
import { Opener, Sealer } from '../../../src/connect/channel/envelope.ts';
import { createLab } from '../../../src/lab/topology.ts';
import type { Clock } from '../../../src/net/env.ts';
import { sleep } from '../../../src/net/wait.ts';

const [KEY_A, KEY_B] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
const DELAY_MS = 20;
const text = (of: string): Uint8Array => new TextEncoder().encode(of);
const TYPES = ['data', 'hello', 'ping', 'pong', 'bye', 'end'] as const;

interface Sent {
  readonly at: number;
  readonly side: 'a' | 'b';
  readonly type: (typeof TYPES)[number] | undefined;
  readonly body: readonly number[];
}

/** Two ends of a path that takes 20 ms, and all that went over it. */
class Pair {
  readonly log: Sent[] = [];
  readonly events: string[] = [];
  readonly a: Channel;
  readonly b: Channel;
  /** Packets of this side are lost while it says so. */
  deaf: (of: Sent) => boolean = () => false;
  words = { a: 0, b: 0 };
  readonly #clock: Clock;

  constructor(clock: Clock, over: Partial<ChannelOptions> = {}) {
    this.#clock = clock;
    this.a = new Channel({ ...this.#options('a', KEY_A, KEY_B, () => this.b), ...over });
    this.b = new Channel(this.#options('b', KEY_B, KEY_A, () => this.a));
  }

  #options(side: 'a' | 'b', sendKey: Uint8Array, receiveKey: Uint8Array, peer: () => Channel): ChannelOptions {
    const reader = new Opener(sendKey);
    const clock = this.#clock;
    return {
      sendKey,
      receiveKey,
      clock,
      transmit: (packet) => {
        const opened = reader.open(packet);
        const sent: Sent = { at: clock.now(), side, type: TYPES[opened?.type ?? 99], body: [...(opened?.body ?? [])] };
        this.log.push(sent);
        if (!this.deaf(sent)) clock.after(DELAY_MS, () => peer().receive(packet, clock.now()));
        return true;
      },
      word: () => this.words[side],
      told: (word) => this.events.push(`${side} told ${word}`),
      heard: () => this.events.push(`${side} heard`),
      bye: () => this.events.push(`${side} bye`),
    };
  }

  sent(side: 'a' | 'b', type: Sent['type'], from = 0): number[] {
    return this.log.filter((each) => each.side === side && each.type === type).map(({ at }) => at - from);
  }
}

const withPair = <T>(
  work: (pair: Pair, wait: (ms: number) => Promise<void>, clock: Clock) => Promise<T>,
  over = {},
): Promise<T> =>
  createLab().run(async ({ clock }) => {
    const pair = new Pair(clock, over);
    try {
      return await work(pair, (ms) => sleep(clock, ms), clock);
    } finally {
      pair.a.stop();
      pair.b.stop();
      await sleep(clock, 1000);
    }
  });

describe('a channel', () => {
  it('says hello until it knows that it is heard: after 50, 100, 200 and then each 400 ms', async () => {
    await withPair(async (pair, wait, clock) => {
      const start = clock.now();
      pair.a.start();
      pair.deaf = () => true;
      await wait(1600);
      expect(pair.sent('a', 'hello', start)).toEqual([0, 50, 150, 350, 750, 1150, 1550]);
    });
  });

  it('begins anew with a better path, and stops once it is heard', async () => {
    await withPair(async (pair, wait, clock) => {
      pair.deaf = () => true;
      pair.a.start();
      await wait(500);
      const again = clock.now();
      pair.a.start();
      await wait(100);
      expect(pair.sent('a', 'hello', again).filter((at) => at >= 0)).toEqual([0, 50]);
      pair.deaf = () => false;
      pair.b.start();
      await wait(500);
      const count = pair.sent('a', 'hello').length;
      pair.a.start();
      await wait(1000);
      expect(pair.sent('a', 'hello')).toHaveLength(count);
    });
  });

  it('is proven on both sides after one and a half round trips, and tells once that it heard the peer', async () => {
    await withPair(async (pair, wait) => {
      pair.words = { a: 3, b: 5 };
      pair.a.start();
      expect([pair.a.proven, pair.a.heardPeer, pair.b.heardPeer]).toEqual([false, false, false]);
      await wait(DELAY_MS);
      expect([pair.b.heardPeer, pair.b.proven]).toEqual([true, false]);
      await wait(DELAY_MS);
      expect([pair.a.heardPeer, pair.a.proven, pair.b.proven]).toEqual([true, true, false]);
      await wait(DELAY_MS);
      expect(pair.b.proven).toBe(true);
      // Each told the other that it hears, with its word.
      expect(pair.log.map(({ side, type, body }) => [side, type, ...body])).toEqual([
        ['a', 'hello', 0, 3, 1, 0],
        ['b', 'hello', 1, 5, 1, 0],
        ['a', 'hello', 1, 3, 1, 0],
      ]);
      expect(pair.events).toEqual(['b told 3', 'b heard', 'a told 5', 'a heard', 'b told 3']);
      await wait(1000);
      expect(pair.log).toHaveLength(3);
    });
  });

  it('tells a changed word three times, 50 and 150 ms apart, but only to a peer that hears it', async () => {
    await withPair(async (pair, wait, clock) => {
      pair.a.retell();
      expect(pair.log).toEqual([]);
      pair.a.start();
      await wait(100);
      const before = pair.log.length;
      const start = clock.now();
      pair.words.a = 9;
      pair.a.retell();
      await wait(1000);
      expect(pair.log.slice(before).map(({ at, type, body }) => [at - start, type, ...body])).toEqual([
        [0, 'hello', 1, 9, 1, 0],
        [50, 'hello', 1, 9, 1, 0],
        [200, 'hello', 1, 9, 1, 0],
      ]);
    });
  });

  it('knows its pings by number for ever, and counts one as lost after three seconds, not before', async () => {
    await withPair(async (pair, wait) => {
      for (const each of [pair.a, pair.b]) each.start();
      await wait(2_000 * 300);
      expect(pair.a.stats).toMatchObject({ rttMs: 2 * DELAY_MS, lost: 0 });
      expect(pair.a.stats.pings).toBeGreaterThan(290);
      pair.deaf = ({ type }) => type === 'pong';
      await wait(3_000);
      expect(pair.a.stats.lost).toBe(0);
      await wait(20_000);
      expect(pair.a.stats.lost).toBe(10);
    });
  });

  it('pings every two seconds, measures the round trip, and counts what is not answered within three', async () => {
    await withPair(async (pair, wait, clock) => {
      const start = clock.now();
      pair.a.start();
      await wait(8_000);
      const [first = 0] = pair.sent('a', 'ping', start);
      expect(first).toBeGreaterThanOrEqual(2000);
      expect(first).toBeLessThan(2100);
      expect(pair.sent('a', 'ping', start).map((at) => at - first)).toEqual([0, 2000, 4000]);
      expect(pair.a.stats).toMatchObject({ rttMs: 2 * DELAY_MS, pings: 3, lost: 0 });
      pair.deaf = ({ type }) => type === 'pong';
      await wait(4_000);
      expect(pair.a.stats).toMatchObject({ rttMs: 2 * DELAY_MS, pings: 5, lost: 0 });
      expect(pair.log.filter(({ side, type }) => side === 'a' && type === 'ping').map(({ body }) => body)).toEqual(
        [0, 1, 2, 3, 4].map((i) => [0, 0, 0, i]),
      );
    });
  });

  it('carries data, and keeps some until somebody listens', async () => {
    await withPair(async (pair, wait) => {
      pair.a.start();
      for (let i = 0; i < 70; i++) expect(pair.a.send(Uint8Array.of(i))).toBe(true);
      await wait(100);
      const got: number[] = [];
      pair.b.onData((data) => got.push(data[0] ?? -1));
      expect(got).toEqual(Array.from({ length: 64 }, (_, i) => i));
      const times: number[] = [];
      pair.b.onData((data, at) => times.push(data[0] ?? -1, at));
      pair.a.send(Uint8Array.of(77));
      await wait(100);
      expect(times[0]).toBe(77);
      expect([pair.a.stats.sent, pair.b.stats.received]).toEqual([71, 71]);
    });
  });

  it("seals what it sends with its own key, and opens only what is sealed with the peer's", async () => {
    const packets: Uint8Array[] = [];
    await withPair(
      async (pair) => {
        pair.a.send(text('x'));
        expect(new Opener(KEY_A).open(packets[0] as Uint8Array)?.body).toEqual(text('x'));
        expect(new Opener(KEY_B).open(packets[0] as Uint8Array)).toBeUndefined();
        // Its own packets, sent back to it.
        pair.a.receive(packets[0] as Uint8Array, 0);
        expect(pair.a.stats.received).toBe(0);
        pair.a.receive(new Sealer(KEY_B).seal(0, text('y')), 0);
        expect(pair.a.stats.received).toBe(1);
        pair.a.receive(new Sealer(new Uint8Array(32)).seal(4, text('y')), 0);
        expect(pair.events).toEqual([]);
      },
      { transmit: (packet: Uint8Array) => packets.push(packet) > 0 },
    );
  });

  it('tells the end of its data until it closes; the peer hears it once, however late it listens', async () => {
    await withPair(async (pair, wait, clock) => {
      const start = clock.now();
      pair.a.finish();
      await wait(1000);
      expect(pair.sent('a', 'end', start)).toEqual([0, 300, 600, 900]);
      let ends = 0;
      pair.b.onEnd(() => ends++);
      expect(ends).toBe(1);
      pair.a.onEnd(() => ends++);
      await wait(1000);
      expect(ends).toBe(1);
      pair.b.finish();
      await wait(1000);
      expect(ends).toBe(2);
    });
  });

  it('says goodbye twice, and nothing after that', async () => {
    await withPair(async (pair, wait) => {
      pair.a.start();
      pair.a.finish();
      pair.a.close();
      pair.a.close();
      expect(pair.sent('a', 'bye')).toHaveLength(2);
      const before = pair.log.filter(({ side }) => side === 'a').length;
      expect(pair.a.send(text('x'))).toBe(false);
      pair.a.start();
      pair.a.finish();
      pair.a.retell();
      await wait(20_000);
      expect(pair.log.filter(({ side }) => side === 'a')).toHaveLength(before);
      expect(pair.events.filter((each) => each === 'b bye')).toHaveLength(2);
      // And nothing is heard.
      pair.b.send(text('y'));
      await wait(100);
      expect(pair.a.stats).toMatchObject({ received: 0, sent: 0 });
    });
  });

  it('stops without a word', async () => {
    await withPair(async (pair, wait) => {
      pair.a.start();
      await wait(100);
      const before = pair.log.filter(({ side }) => side === 'a').length;
      pair.a.stop();
      await wait(20_000);
      expect(pair.log.filter(({ side }) => side === 'a')).toHaveLength(before);
    });
  });

  it('ignores types that it does not know, and pongs that answer nothing', async () => {
    await withPair(async (pair) => {
      const sealer = new Sealer(KEY_B);
      for (const type of [3, 6, 255]) pair.a.receive(sealer.seal(type, Uint8Array.of(0, 0, 0, 9)), 5);
      pair.a.receive(sealer.seal(3, new Uint8Array()), 5);
      expect(pair.log).toEqual([]);
      expect([pair.events, pair.a.stats.rttMs]).toEqual([[], undefined]);
    });
  });

  it('tells where there is no path', async () => {
    await withPair(
      async (pair) => {
        expect(pair.a.send(text('x'))).toBe(false);
        expect(pair.a.stats.sent).toBe(1);
      },
      { transmit: () => false },
    );
  });

  it('tells with its hello where it is, and that it wants to keep the pairing', async () => {
    await createLab().run(async ({ clock }) => {
      const local = { address: 'fe80::1%eth0', port: 42_301 };
      const pair = new Pair(clock, { keeps: true, local: () => local });
      pair.a.start();
      pair.b.start();
      await sleep(clock, 500);
      expect([pair.b.peerLocal, pair.b.peerKeeps]).toEqual([local, true]);
      expect([pair.a.peerLocal, pair.a.peerKeeps]).toEqual([undefined, false]);
      for (const side of [pair.a, pair.b]) side.close();
      await sleep(clock, DELAY_MS);
    });
  });
});

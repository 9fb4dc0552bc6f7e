import { describe, expect, it } from 'vitest';
import type { AssociationAction, AssociationOptions } from '../../src/sctp/association-api.ts';
import { type End, pair, pattern, Transfer } from './link.ts';
import { OURS, scenario } from './scenario.ts';

const HANDSHAKE: Partial<AssociationOptions> = { start: 'handshake', zeroChecksum: false };
const kinds = ({ actions }: End): string[] => actions.map(({ kind }) => kind);
const messages = ({ actions }: End): AssociationAction[] => actions.filter(({ kind }) => kind === 'message');
const text = (value: string): Uint8Array => Buffer.from(value);
const say = (end: End, value: string, more: object = {}): void =>
  end.feed({ kind: 'send', message: { stream: 0, ppid: 51, data: text(value), ...more } });
const heard = (end: End): string[] =>
  messages(end).map((each) => (each.kind === 'message' ? `${each.stream}:${Buffer.from(each.data).toString()}` : ''));

const PIECE = 500;

describe('every byte, in order, without a stall', () => {
  // 10,000 and more: NAT_TOOL_SCTP_SEEDS=10000.
  const seeds = Number(process.env['NAT_TOOL_SCTP_SEEDS'] ?? 80);
  const from = Number(process.env['NAT_TOOL_SCTP_FROM'] ?? 0);

  // In pieces: a test that runs for ten minutes counts as hanging.
  const pieces = Array.from({ length: Math.ceil(seeds / PIECE) }, (_, nth) => from + nth * PIECE);

  it.each(pieces)('over paths %d and on', (first) => {
    for (let seed = first; seed < Math.min(first + PIECE, from + seeds); seed++) {
      const { complete, wrong, gapMs } = scenario(seed);
      expect({ seed, complete, wrong }).toEqual({ seed, complete: true, wrong: 0 });
      // The path itself is gone for ten seconds at most; twenty in a hundred may be lost, several times in a row.
      expect(gapMs, `seed ${seed}`).toBeLessThan(30_000);
    }
  });
});

describe('goodput', () => {
  const share = (way: object, total: number): { readonly share: number; readonly sent: number } => {
    const { world, a, b, ways } = pair('goodput', { ab: way, ba: way }, OURS);
    const transfer = new Transfer(world, a, b, total);
    for (const end of [a, b]) end.feed({ kind: 'open' });
    expect(world.run(() => transfer.received >= total, 600_000)).toBe(true);
    expect(transfer.wrong).toBe(0);
    return { share: total / world.now / ways.ab.rate, sent: a.sent };
  };

  it.each([
    ['8 Mbit/s, 20 ms, a short queue', { rate: 1_000, delayMs: 10, queue: 50_000 }, 4e6, 0.92],
    ['8 Mbit/s next door', { rate: 1_000, delayMs: 0.1, queue: 50_000 }, 4e6, 0.92],
    ['10 Mbit/s, 40 ms, a queue of four packets', { rate: 1_250, delayMs: 20, queue: 5_000 }, 4e6, 0.85],
    ['10 Mbit/s, 40 ms, 2 % lost', { rate: 1_250, delayMs: 20, loss: 0.02 }, 4e6, 0.85],
    ['10 Mbit/s, 40 ms, 5 % lost', { rate: 1_250, delayMs: 20, loss: 0.05 }, 4e6, 0.8],
    ['10 Mbit/s, reordered by 40 ms', { rate: 1_250, delayMs: 20, reorder: 0.1, reorderMs: 40 }, 4e6, 0.85],
    ['64 kbit/s, 600 ms', { rate: 8, delayMs: 300, queue: 20_000 }, 4e5, 0.85],
  ])('%s', (_, way, total, least) => {
    expect(share(way, total).share).toBeGreaterThan(least);
  });

  it('does not repeat what was not lost', () => {
    const { sent } = share({ rate: 1_250, delayMs: 20, queue: 1 << 20 }, 4e6);
    expect(sent).toBeLessThan((4e6 / 1400) * 1.03);
  });

  it('fills no queue to its end: the round trip stays within three of the shortest', () => {
    const { world, a, b } = pair('bloat', { ab: { rate: 1_000, delayMs: 20, queue: 1 << 22 } }, OURS);
    const transfer = new Transfer(world, a, b, 6e6);
    for (const end of [a, b]) end.feed({ kind: 'open' });
    world.run(() => transfer.received >= 6e6, 600_000);
    expect(a.association.measured.rttMs).toBeLessThan(3 * 31);
  });
});

describe('the handshake', () => {
  it.each([0, 0.3])('of one that begins, where %d of all is lost', (loss) => {
    const { world, a, b } = pair('one', { ab: { loss }, ba: { loss } }, HANDSHAKE);
    a.feed({ kind: 'open' });
    say(a, 'hello');
    expect(world.run(() => messages(b).length === 1, 60_000)).toBe(true);
    expect([kinds(a)[0], kinds(b)[0]]).toEqual(['connected', 'connected']);
  });

  it('of both at once', () => {
    for (let seed = 0; seed < 40; seed++) {
      const loss = seed % 2 === 0 ? 0 : 0.25;
      const { world, a, b } = pair(seed, { ab: { loss, delayMs: 1 + (seed % 7) }, ba: { loss } }, HANDSHAKE);
      for (const end of [a, b]) {
        end.feed({ kind: 'open' });
        say(end, 'hello');
      }
      expect(
        world.run(() => messages(a).length === 1 && messages(b).length === 1, 120_000),
        `seed ${seed}`,
      ).toBe(true);
      expect(kinds(a).filter((kind) => kind === 'connected')).toHaveLength(1);
    }
  });

  it('without checksums where both agree, but for INIT and COOKIE ECHO', () => {
    const sums = (zeroChecksum: boolean): Map<number, Set<boolean>> => {
      const made = pair('zero', { ab: { loss: 0.2 }, ba: { loss: 0.2 } }, { ...HANDSHAKE, zeroChecksum });
      const seen = new Map<number, Set<boolean>>();
      made.a.watch = (packet) => {
        const type = packet[12] as number;
        const has = new DataView(packet.buffer, packet.byteOffset).getUint32(8) !== 0;
        seen.set(type, (seen.get(type) ?? new Set()).add(has));
      };
      made.a.feed({ kind: 'open' });
      for (let i = 0; i < 10; i++) say(made.a, 'hello');
      expect(made.world.run(() => made.a.association.idle && messages(made.b).length === 10, 120_000)).toBe(true);
      return seen;
    };
    const agreed = sums(true);
    expect([agreed.get(1), agreed.get(10), agreed.get(0)]).toEqual([
      new Set([true]),
      new Set([true]),
      new Set([false]),
    ]);
    expect(sums(false).get(0)).toEqual(new Set([true]));
  });

  it('gives up where nobody answers', () => {
    const { world, a, ways } = pair('nobody', {}, { ...HANDSHAKE, patience: 3 });
    ways.ab.down = true;
    a.feed({ kind: 'open' });
    expect(world.run(() => kinds(a).includes('closed'), 600_000)).toBe(true);
    expect(a.actions.at(-1)).toEqual({ kind: 'closed', why: 'lost' });
  });
});

describe('messages', () => {
  const up = (ways: Parameters<typeof pair>[1] = {}, options: Partial<AssociationOptions> = {}) => {
    const made = pair('messages', ways, options);
    for (const end of [made.a, made.b]) end.feed({ kind: 'open' });
    return made;
  };

  it('larger than a packet come whole, those of other streams beside them in their order', () => {
    const { world, a, b } = up({ ab: { loss: 0.1 }, ba: { loss: 0.1 } });
    const large = pattern(0, 100_000);
    a.feed({ kind: 'send', message: { stream: 1, ppid: 53, data: large } });
    for (let i = 0; i < 20; i++) say(a, `${i}`, { stream: 2 });
    expect(world.run(() => messages(b).length === 21, 60_000)).toBe(true);
    const [whole] = messages(b).filter((each) => each.kind === 'message' && each.stream === 1);
    expect(whole?.kind === 'message' && Buffer.compare(whole.data, large)).toBe(0);
    expect(heard(b).filter((each) => each.startsWith('2:'))).toEqual(Array.from({ length: 20 }, (_, i) => `2:${i}`));
  });

  it('a stream waits for no other one', () => {
    const { world, a, b, ways } = up();
    ways.ab.down = true;
    say(a, 'lost', { stream: 1 });
    ways.ab.down = false;
    say(a, 'other', { stream: 2 });
    world.run(() => messages(b).length === 2, 60_000);
    expect(heard(b)).toEqual(['2:other', '1:lost']);
  });

  it('unordered ones overtake', () => {
    const { world, a, b, ways } = up();
    ways.ab.down = true;
    say(a, 'first', { unordered: true });
    ways.ab.down = false;
    say(a, 'second', { unordered: true });
    world.run(() => messages(b).length === 2, 60_000);
    expect(heard(b)).toEqual(['0:second', '0:first']);
  });

  it('are given up after their retransmissions, and what follows comes all the same', () => {
    const { world, a, b, ways } = up();
    world.run(() => false, 100);
    ways.ab.down = true;
    say(a, 'stale', { retransmits: 0 });
    world.at(world.now + 50, () => {
      ways.ab.down = false;
      for (let i = 0; i < 8; i++) say(a, `fresh ${i}`);
    });
    expect(world.run(() => messages(b).length === 8 && a.association.idle, 60_000)).toBe(true);
    expect(heard(b)[0]).toBe('0:fresh 0');
  });

  it('what is held for want of others stays within the window', () => {
    const { world, a, b } = pair('window', { ab: { loss: 0.3 } }, { window: 20_000 });
    const transfer = new Transfer(world, a, b, 200_000);
    let least = 20_000;
    b.watch = (packet) => {
      if (packet[12] === 3) least = Math.min(least, new DataView(packet.buffer, packet.byteOffset).getUint32(20));
    };
    for (const end of [a, b]) end.feed({ kind: 'open' });
    expect(world.run(() => transfer.received === 200_000, 600_000)).toBe(true);
    expect(least).toBeLessThan(20_000);
    expect(transfer.wrong).toBe(0);
  });
});

describe('the end', () => {
  it('of streams: their numbers begin anew on both sides', () => {
    const { world, a, b } = pair('reset', { ab: { loss: 0.2 }, ba: { loss: 0.2 } });
    for (const end of [a, b]) end.feed({ kind: 'open' });
    for (let i = 0; i < 5; i++) say(a, `old ${i}`, { stream: 3 });
    a.feed({ kind: 'reset', streams: [3] });
    const isReset = (end: End, side: string): boolean =>
      end.actions.some((each) => each.kind === 'reset' && each.side === side && each.streams[0] === 3);
    expect(world.run(() => isReset(a, 'ours') && isReset(b, 'theirs'), 60_000)).toBe(true);
    expect(heard(b)).toEqual(Array.from({ length: 5 }, (_, i) => `3:old ${i}`));
    say(a, 'new', { stream: 3 });
    expect(world.run(() => heard(b).includes('3:new'), 60_000)).toBe(true);
  });

  it('of all, after everything was acknowledged', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { world, a, b } = pair(seed, { ab: { loss: 0.2 }, ba: { loss: 0.2 } });
      for (const end of [a, b]) end.feed({ kind: 'open' });
      for (let i = 0; i < 30; i++) say(a, `${i}`);
      say(b, 'mine');
      a.feed({ kind: 'shutdown' });
      if (seed % 2 === 0) b.feed({ kind: 'shutdown' });
      const over = ({ actions }: End): boolean => actions.at(-1)?.kind === 'closed';
      expect(
        world.run(() => over(a) && over(b), 300_000),
        `seed ${seed}`,
      ).toBe(true);
      expect([messages(b).length, messages(a).length]).toEqual([30, 1]);
    }
  });

  it('by abort, at once', () => {
    const { world, a, b } = pair('abort');
    for (const end of [a, b]) end.feed({ kind: 'open' });
    a.feed({ kind: 'abort' });
    expect(world.run(() => kinds(b).includes('closed'), 1_000)).toBe(true);
    expect([a.actions.at(-1), b.actions.at(-1)]).toEqual([
      { kind: 'closed', why: 'aborted' },
      { kind: 'closed', why: 'aborted' },
    ]);
    expect(a.association.wakeAt()).toBeUndefined();
  });

  it('by patience, where it is bounded', () => {
    const { world, a, b, ways } = pair('lost', {}, { patience: 4 });
    for (const end of [a, b]) end.feed({ kind: 'open' });
    ways.ab.down = true;
    say(a, 'into the void');
    expect(world.run(() => kinds(a).includes('closed'), 600_000)).toBe(true);
    expect(a.actions.at(-1)).toEqual({ kind: 'closed', why: 'lost' });
  });
});

describe('larger packets', () => {
  it.each([
    [1500, 1440],
    [1350, 1280],
    [1228, 1172],
  ])('a path of %d bytes carries packets of %d', (mtu, packet) => {
    const { world, a, b } = pair('mtu', { ab: { mtu } }, OURS);
    for (const end of [a, b]) end.feed({ kind: 'open' });
    world.run(() => false, 1_000);
    expect(a.association.packet).toBe(packet);
  });

  it('a path that swallows them is found out', () => {
    const { world, a, b, ways } = pair('hole', {}, OURS);
    const transfer = new Transfer(world, a, b, 3e6);
    for (const end of [a, b]) end.feed({ kind: 'open' });
    world.at(1_000, () => (ways.ab.mtu = 1228));
    expect(world.run(() => transfer.received >= 3e6, 120_000)).toBe(true);
    expect([a.association.packet, transfer.wrong]).toEqual([1172, 0]);
  });
});

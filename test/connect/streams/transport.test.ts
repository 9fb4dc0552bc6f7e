import { describe, expect, it } from 'vitest';
import type { Stream } from '../../../src/connect/streams/stream.ts';
import { Transport } from '../../../src/connect/streams/transport.ts';
import { createLab } from '../../../src/lab/topology.ts';
import { type Env, NetError } from '../../../src/net/env.ts';
import { sleep } from '../../../src/net/wait.ts';
import { pattern } from '../../sctp/link.ts';
import { wire, type WireOptions } from './wire.ts';

interface Two {
  readonly env: Env;
  readonly a: Transport;
  readonly b: Transport;
  readonly ends: ReturnType<typeof wire>;
  readonly accepted: Stream[];
  /** What b does with a stream that a opens. */
  onAccept(serve: (stream: Stream) => void): void;
}

const withTwo = async (work: (two: Two) => Promise<void>, options: WireOptions = {}): Promise<void> => {
  await createLab().run(async (env) => {
    const ends = wire(env.clock, options);
    const accepted: Stream[] = [];
    let serve = (_: Stream): void => {};
    const a = new Transport(env, ends.a);
    const b = new Transport(env, ends.b, (stream) => {
      accepted.push(stream);
      serve(stream);
    });
    try {
      await work({ env, a, b, ends, accepted, onAccept: (how) => (serve = how) });
    } finally {
      a.close();
      b.close();
      // What is still on the wire arrives.
      await sleep(env.clock, 50);
    }
  });
};

async function all(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function write(stream: Stream, bytes: Uint8Array): Promise<boolean> {
  for (let at = 0; at < bytes.length; at += 65_536) await stream.write(bytes.subarray(at, at + 65_536));
  stream.end();
  return stream.confirmed;
}

describe('the stream that both have', () => {
  it.each([0, 0.1])('carries every byte both ways, and confirms it, at a loss of %d', async (loss) => {
    await withTwo(
      async ({ a, b }) => {
        const [there, back] = [pattern(0, 700_000), pattern(7, 300_000)];
        const [gotThere, gotBack, ...confirmed] = await Promise.all([
          all(b.main()),
          all(a.main()),
          write(a.main(), there),
          write(b.main(), back),
        ]);
        expect(Buffer.compare(gotThere, there)).toBe(0);
        expect(Buffer.compare(gotBack, back)).toBe(0);
        expect(confirmed).toEqual([true, true]);
      },
      { loss },
    );
  });

  it('an end is no end of the other direction', async () => {
    await withTwo(async ({ env, a, b }) => {
      const [one, two] = [a.main(), b.main()];
      one.end();
      expect(await all(two)).toHaveLength(0);
      expect(await one.confirmed).toBe(true);
      await two.write(pattern(0, 10));
      await sleep(env.clock, 100);
      two.end();
      expect(await all(one)).toHaveLength(10);
      expect(await two.confirmed).toBe(true);
    });
  });

  it.each([
    [3, 3],
    [1024, 1024],
    [1025, 0],
  ])('of %d bytes that were read, with nothing after them, the writer knows of %d at once', async (bytes, known) => {
    await withTwo(async ({ env, a, b }) => {
      const reading = all(b.main());
      await a.main().write(pattern(0, bytes));
      await sleep(env.clock, 500);
      expect(a.main().stats).toMatchObject({ written: bytes, taken: known });
      a.main().end();
      expect(await reading).toHaveLength(bytes);
      expect(await a.main().confirmed).toBe(true);
      expect(a.main().stats.taken).toBe(bytes);
    });
  });

  it('nothing of what waits to be read is called taken', async () => {
    await withTwo(async ({ env, a, b }) => {
      const reader = b.main()[Symbol.asyncIterator]();
      await a.main().write(pattern(0, 10));
      await reader.next();
      await sleep(env.clock, 500);
      expect(a.main().stats.taken).toBe(0);
      const more = reader.next();
      await sleep(env.clock, 500);
      expect(a.main().stats.taken).toBe(10);
      a.main().end();
      expect((await more).done).toBe(true);
    });
  });

  it('waits for a reader that does not read, and says so to the writer', async () => {
    await withTwo(async ({ env, a, b }) => {
      const [writer, reader] = [a.main(), b.main()];
      const data = pattern(0, 2_000_000);
      const done = write(writer, data);
      await sleep(env.clock, 20_000);
      const { written, received } = { ...writer.stats, received: reader.stats.received };
      expect(received).toBe(1 << 18);
      expect(written).toBeLessThan(600_000);
      expect(Buffer.compare(await all(reader), data)).toBe(0);
      expect(await done).toBe(true);
    });
  });

  it('goes on where the path was gone, and over a new one', async () => {
    await withTwo(async ({ env, a, b, ends }) => {
      const data = pattern(0, 3_000_000);
      const got = all(b.main());
      const done = write(a.main(), data);
      await sleep(env.clock, 100);
      for (const end of [ends.a, ends.b]) end.down = true;
      await sleep(env.clock, 60_000);
      const { received } = b.main().stats;
      for (const end of [ends.a, ends.b]) {
        end.down = false;
        end.repaired();
      }
      await sleep(env.clock, 200);
      expect(b.main().stats.received).toBeGreaterThan(received);
      expect(Buffer.compare(await got, data)).toBe(0);
      expect(await done).toBe(true);
    });
  });

  it('breaks with the connection: what was confirmed stays known', async () => {
    await withTwo(async ({ env, a, b }) => {
      const writer = a.main();
      void all(b.main()).catch(() => {});
      const done = write(writer, pattern(0, 6_000_000)).catch((error: unknown) => error);
      await sleep(env.clock, 130);
      a.close();
      const how = await done;
      expect(how === false || how instanceof NetError).toBe(true);
      const { written, taken } = writer.stats;
      expect(taken).toBeGreaterThan(0);
      expect(taken).toBeLessThanOrEqual(written);
      await expect(writer.write(pattern(0, 1))).rejects.toMatchObject({ kind: 'closed' });
      await a.idle();
    });
  });
});

describe('streams that are opened', () => {
  const echo = async (stream: Stream): Promise<void> => {
    for await (const piece of stream) await stream.write(piece);
    stream.end();
  };

  it('stand side by side, each with its port, each whole', async () => {
    await withTwo(
      async ({ a, accepted, onAccept }) => {
        onAccept((stream) => void echo(stream));
        const differences = await Promise.all(
          Array.from({ length: 100 }, async (_, i) => {
            const stream = a.open(8000 + (i % 7)) as Stream;
            const data = pattern(i, 1000 + i * 97);
            const [got] = await Promise.all([all(stream), write(stream, data)]);
            return Buffer.compare(got, data);
          }),
        );
        expect(new Set(differences)).toEqual(new Set([0]));
        expect(new Set(accepted.map(({ port }) => port))).toEqual(new Set([8000, 8001, 8002, 8003, 8004, 8005, 8006]));
      },
      { loss: 0.05 },
    );
  });

  it('one that is not read holds up no other', async () => {
    await withTwo(async ({ env, a, onAccept }) => {
      onAccept((stream) => void (stream.port === 2 && echo(stream)));
      const stuck = a.open(1) as Stream;
      stuck.write(pattern(0, 5_000_000)).catch(() => {});
      const free = a.open(2) as Stream;
      const data = pattern(0, 400_000);
      const [got] = await Promise.all([all(free), write(free, data)]);
      expect(Buffer.compare(got, data)).toBe(0);
      await sleep(env.clock, 1000);
      expect(stuck.stats.taken).toBe(0);
    });
  });

  it('a reset breaks both directions, on both sides', async () => {
    await withTwo(async ({ env, a, onAccept }) => {
      let far: Stream | undefined;
      onAccept((stream) => (far = stream));
      const near = a.open(1) as Stream;
      await near.write(pattern(0, 100));
      await sleep(env.clock, 100);
      far?.reset();
      await expect(all(near)).rejects.toMatchObject({ kind: 'closed' });
      expect(await near.confirmed).toBe(false);
      await expect(far?.write(pattern(0, 1))).rejects.toMatchObject({ kind: 'closed' });
    });
  });

  it('are refused by who expects none', async () => {
    await withTwo(async ({ b }) => {
      const stream = b.open(22) as Stream;
      await expect(all(stream)).rejects.toMatchObject({ kind: 'closed' });
    });
  });

  it('come and go by the thousand: numbers are used again', async () => {
    await withTwo(async ({ a, onAccept }) => {
      onAccept((stream) => void echo(stream));
      for (let round = 0; round < 200; round++) {
        const streams = Array.from({ length: 10 }, () => a.open(1) as Stream);
        const got = await Promise.all(
          streams.map(async (stream) => {
            const [answer] = await Promise.all([all(stream), write(stream, pattern(round, 20))]);
            return answer.length;
          }),
        );
        expect(new Set(got)).toEqual(new Set([20]));
      }
    });
  });
});

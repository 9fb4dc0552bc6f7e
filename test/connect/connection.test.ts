import { describe, expect, it } from 'vitest';
import type { Bearer, ConnectionEnd, Path } from '../../src/connect/bearer.ts';
import { Connection, type Repair } from '../../src/connect/connection.ts';
import type { DataListener, EndListener } from '../../src/connect/lanes.ts';
import { createLab } from '../../src/lab/topology.ts';
import type { Env } from '../../src/net/env.ts';
import { deferred } from '../../src/net/wait.ts';

const path = (rttMs: number): Path => ({
  kind: 'direct',
  socket: { mux: { socket: { close: () => {} } } } as unknown as Path['socket'],
  remote: { address: '1.2.3.4', port: 5 },
  public: { address: '5.6.7.8', port: 9 },
  rttMs,
});

class Fake implements Bearer {
  readonly first = true;
  readonly end = deferred<ConnectionEnd>();
  readonly ended = this.end.promise;
  readonly calls: string[] = [];
  listener: DataListener | undefined;
  onEnd: EndListener | undefined;
  proven = false;
  chosen = true;
  readonly #name: number;
  constructor(name: number) {
    this.#name = name;
  }
  readonly channel = {
    stats: { sent: 0, received: 0 },
    peerUse: 'datagrams' as const,
    peerKeeps: false,
    peerTypes: false,
    peerLocal: undefined,
    isProven: () => this.proven,
    get proven() {
      return this.isProven();
    },
    send: (data: Uint8Array) => this.calls.push(`send ${data[0]}`) > 0,
    onData: (listener: DataListener) => (this.listener = listener),
    finish: () => this.calls.push('finish'),
    onEnd: (listener: EndListener) => (this.onEnd = listener),
  };
  path = () => path(this.#name);
  agreed = () => this.chosen;
  pairs = () => [];
  close = () => void this.calls.push('close');
  release = () => {
    this.calls.push('release');
    return this.path().socket;
  };
}

const run = <T>(work: (env: Env) => Promise<T>): Promise<T> => createLab().run(work);
/** A search with that end. */
const by = (found: Promise<Bearer | undefined>): Repair => {
  found.catch(() => {});
  const search = { found, ended: false, cancel: () => true, hurry: () => {}, stop: () => {} };
  return { interfaces: () => [], search: () => search };
};
const never = new AbortController().signal;

describe('a connection', () => {
  it('ends with its path where it cannot find another one', async () => {
    await run(async ({ clock }) => {
      for (const how of ['lost', 'bye', 'closed'] as const) {
        const bearer = new Fake(1);
        const connection = new Connection(clock, bearer);
        bearer.end.resolve(how);
        expect(await connection.ended).toBe(how);
        expect(bearer.calls).toEqual(['close']);
        expect(connection.send(Uint8Array.of(1))).toBe(false);
        connection.close();
        expect(bearer.calls).toEqual(['close']);
      }
    });
  });

  it('goes on over a new path when one is lost, with the same listeners and the same end', async () => {
    await run(async ({ clock }) => {
      const [first, second] = [new Fake(1), new Fake(2)];
      const asked = deferred<Bearer | undefined>();
      const connection = new Connection(clock, first, by(asked.promise));
      const got: number[] = [];
      let ends = 0;
      connection.onData((data) => got.push(...data));
      connection.onEnd(() => ends++);
      connection.finish();
      first.end.resolve('lost');
      await first.ended;
      expect([connection.path.rttMs, connection.repairs]).toEqual([1, 0]);
      asked.resolve(second);
      await asked.promise;
      await Promise.resolve();
      expect([connection.path.rttMs, connection.repairs]).toEqual([2, 1]);
      second.listener?.(Uint8Array.of(7), 0);
      second.onEnd?.(undefined);
      expect([got, ends, second.calls]).toEqual([[7], 1, ['finish']]);
      connection.send(Uint8Array.of(3));
      expect(second.calls).toEqual(['finish', 'send 3']);
      second.end.resolve('bye');
      expect(await connection.ended).toBe('bye');
    });
  });

  it('does not look for another path when the peer said goodbye', async () => {
    await run(async ({ clock }) => {
      const bearer = new Fake(1);
      const connection = new Connection(clock, bearer, by(Promise.reject(new Error('asked'))));
      bearer.end.resolve('bye');
      expect(await connection.ended).toBe('bye');
    });
  });

  it('is lost where there is no other path, and fails where the search breaks', async () => {
    await run(async ({ clock }) => {
      const [one, two] = [new Fake(1), new Fake(2)];
      const lost = new Connection(clock, one, by(Promise.resolve(undefined)));
      one.end.resolve('lost');
      expect(await lost.ended).toBe('lost');
      const broken = new Connection(clock, two, by(Promise.reject(new Error('bug'))));
      two.end.resolve('lost');
      await expect(broken.ended).rejects.toThrow('bug');
    });
  });

  it('closes a path that is found after it was closed itself', async () => {
    await run(async ({ clock }) => {
      const [first, second] = [new Fake(1), new Fake(2)];
      const asked = deferred<Bearer | undefined>();
      const connection = new Connection(clock, first, by(asked.promise));
      first.end.resolve('lost');
      await first.ended;
      connection.close();
      asked.resolve(second);
      expect(await connection.ended).toBe('closed');
      await Promise.resolve();
      expect(second.calls).toEqual(['close']);
      expect(connection.repairs).toBe(0);
    });
  });

  it('is settled as soon as both directions are proven, or not after three seconds', async () => {
    await run(async ({ clock }) => {
      const bearer = new Fake(1);
      const connection = new Connection(clock, bearer);
      const start = clock.now();
      expect(await connection.settled(never)).toBe(false);
      expect(clock.now() - start).toBe(3000);
      clock.after(500, () => (bearer.proven = true));
      expect(await connection.settled(never)).toBe(true);
      expect(clock.now() - start).toBe(3500);
      connection.close();
      expect(await connection.settled(never)).toBe(true);
    });
  });

  it('is not settled as long as the two may still hold different paths', async () => {
    await run(async ({ clock }) => {
      const bearer = Object.assign(new Fake(1), { proven: true, chosen: false });
      const connection = new Connection(clock, bearer);
      const start = clock.now();
      clock.after(200, () => (bearer.chosen = true));
      expect([await connection.settled(never), clock.now() - start]).toEqual([true, 200]);
      connection.close();
    });
  });

  it('gives its socket away without a word', async () => {
    await run(async ({ clock }) => {
      const bearer = new Fake(1);
      const connection = new Connection(clock, bearer);
      connection.release();
      connection.close();
      expect(await connection.ended).toBe('closed');
      expect(bearer.calls).toEqual(['release']);
    });
  });
});

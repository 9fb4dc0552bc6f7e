import { describe, expect, it } from 'vitest';
import { deriveSecret } from '../../src/connect/channel/keys.ts';
import { connect, type ConnectOptions, type ConnectResult } from '../../src/connect/connect.ts';
import type { TimelineEvent } from '../../src/connect/timeline.ts';
import { createLab, type LabOptions } from '../../src/lab/topology.ts';
import type { Endpoint } from '../../src/net/address.ts';

const ALIVE: Endpoint = { address: '40.30.20.10', port: 3478 };
const DEAD: Endpoint = { address: '40.30.20.99', port: 3478 };
const secret = deriveSecret('the code');

interface Side {
  readonly result: ConnectResult;
  readonly events: readonly TimelineEvent[];
}

const both = (over: Partial<ConnectOptions>, options: LabOptions = {}): Promise<[Side, Side]> => {
  const lab = createLab({ second: { nat: 'full-cone' }, ...options });
  return lab.run(async (env, signal) => {
    const one = async (own: typeof env): Promise<Side> => {
      const events: TimelineEvent[] = [];
      const onEvent = (event: TimelineEvent) => void events.push(event);
      const result = await connect(own, { server: ALIVE, secret, waitMs: 10_000, signal, onEvent, ...over });
      return { result, events };
    };
    const sides = await Promise.all([one(env), one(lab.host('C2'))]);
    for (const { result } of sides) if (result.kind === 'connected') result.connection.close();
    return sides;
  });
};
const elapsed = ({ events }: Side): number | undefined => events.find(({ event }) => event === 'connected')?.atMs;

describe('connect', () => {
  it('costs nothing more where the first address of the server answers', async () => {
    const [plain] = await both({});
    const [a] = await both({ otherwise: [DEAD] });
    expect([elapsed(a), a.result.server]).toEqual([elapsed(plain), ALIVE]);
    expect(a.events.some(({ event }) => event === 'server')).toBe(false);
  });

  it('goes on with the address that answers, in one timeline, at most a second later', async () => {
    const [plain] = await both({});
    for (const side of await both({ server: DEAD, otherwise: [{ address: '40.30.20.98', port: 3478 }, ALIVE] })) {
      expect([side.result.kind, side.result.server]).toEqual(['connected', ALIVE]);
      expect((elapsed(side) as number) - (elapsed(plain) as number)).toBeLessThanOrEqual(1_000);
      expect(side.events.find(({ event }) => event === 'server')).toMatchObject({
        address: '40.30.20.10:3478',
        instead: '40.30.20.99:3478',
      });
      expect(side.events.map(({ atMs }) => atMs)).toEqual(
        [...side.events.map(({ atMs }) => atMs)].sort((x, y) => x - y),
      );
    }
  });

  it('asks the others at once where there is no way to the first', async () => {
    const [a] = await both({ server: { address: '2001:db8:40::99', port: 3478 }, otherwise: [ALIVE] });
    expect([a.result.kind, a.result.server]).toEqual(['connected', ALIVE]);
  });

  it('tells of the first address where none answers', async () => {
    const [a] = await both({ server: DEAD, otherwise: [{ address: '40.30.20.98', port: 3478 }] });
    expect(a.result).toMatchObject({ kind: 'failed', failure: { kind: 'signal', status: 'silent' }, server: DEAD });
    const gone = await both({}, { servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10'], state: 'dead' }] });
    expect(gone[0].result).toMatchObject({ kind: 'failed', failure: { kind: 'signal', status: 'silent' } });
  });

  it('does not take another address for one that is slow but there', async () => {
    const [a] = await both({ otherwise: [DEAD] }, { rttMs: 700 });
    expect([a.result.kind, a.result.server]).toEqual(['connected', ALIVE]);
  });

  it('ends with its signal at any instant, and leaves nothing open', async () => {
    for (const atMs of [0, 100, 250, 260, 300, 340, 500]) {
      const lab = createLab();
      const outcome = await lab.run(async (env) => {
        const stop = new AbortController();
        env.clock.after(atMs, () => stop.abort(new Error('stop')));
        const { signal } = stop;
        return connect(env, { server: DEAD, otherwise: [ALIVE], secret, waitMs: 10_000, signal }).catch(
          (error: Error) => error.message,
        );
      });
      expect(outcome).toBe('stop');
    }
  });
});

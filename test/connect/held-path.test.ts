import { describe, expect, it } from 'vitest';
import { HeldPath } from '../../src/connect/held-path.ts';
import type { Peer } from '../../src/connect/peer.ts';
import { PathInUse } from '../../src/connect/traversal/path-in-use.ts';
import type { Socket } from '../../src/connect/traversal/sockets.ts';
import type { Judgement } from '../../src/connect/traversal/strategy.ts';
import type { PairView } from '../../src/ice/agent.ts';
import type { PathKind } from '../../src/nat/path.ts';

const LOCAL = { address: '192.168.1.3', port: 1 };
const REMOTE = { address: '22.23.24.25', port: 7 };
const socket = { id: 3, local: LOCAL } as Socket;
const pair = (id = 3): PairView =>
  ({
    socket: id,
    local: { endpoint: { address: '12.13.14.15', port: 2 } },
    remote: { endpoint: REMOTE },
  }) as unknown as PairView;

function held(judgement: Judgement['kind'] = 'direct', kind: PathKind = 'direct') {
  const log: unknown[] = [];
  const path = new PathInUse(() => kind);
  const peer = {
    agent: { feed: (event: unknown) => log.push(event) },
    ice: { selected: undefined as unknown, pairs: () => [pair()] },
    channel: {
      start: () => log.push('start'),
      retell: () => log.push('retell'),
      stats: { rttMs: undefined as number | undefined },
    },
  };
  const of = new HeldPath({
    path,
    sockets: {
      get: (id) => (id === 3 ? socket : undefined),
      send: (id, data, to) => log.push(['send', id, data.length, to.port]),
      closeOthers: (...kept) => {
        log.push(['keep', ...kept.map((each) => each?.id)]);
        return [4, 5];
      },
    },
    deadlines: { set: (name: string) => void log.push(['set', name]) },
    hard: { end: () => log.push('hard ways end'), judgement: { kind: judgement } as Judgement },
    profiler: { touch: ({ id }) => log.push(['touch', id]) },
    always: [{ id: 1 } as Socket],
    tidying: ({ id }) => void log.push(['tidying', id]),
    note: (event, details) => log.push([event, details]),
  });
  return { of, log, peer, path, as: peer as unknown as Peer };
}

describe('the path in use', () => {
  it('carries nothing before it is there, and then by its socket to its remote end', () => {
    const { of, log, as } = held();
    expect(of.transmit(new Uint8Array(5))).toBe(false);
    // A socket that was closed meanwhile makes no path.
    of.take(pair(9), 3, as);
    expect([of.transmit(new Uint8Array(5)), log]).toEqual([false, []]);
    of.take(pair(), 3, as);
    expect(log).toEqual([
      ['path', { path: 'direct', local: '192.168.1.3:1', remote: '22.23.24.25:7', rttMs: 3 }],
      'hard ways end',
      'start',
      'retell',
    ]);
    expect([of.transmit(new Uint8Array(5)), log.at(-1)]).toEqual([true, ['send', 3, 5, 7]]);
    log.length = 0;
    of.take(pair(), undefined, as);
    expect(log).not.toContain('retell');
  });

  it.each([
    ['direct', false],
    ['crossed', true],
  ] as const)('closes what it does not need; %s: keeps the mapping towards the server, %s', (judgement, keeps) => {
    const { of, log, as } = held(judgement);
    of.due('tidy', as);
    expect(log).toEqual([]);
    of.take(pair(), 3, as);
    log.length = 0;
    of.due('tidy', as);
    const closed = [4, 5].map((id) => ({ kind: 'socket-closed', socket: id }));
    const kept = [
      ['touch', 3],
      ['set', 'keep-mapping'],
    ];
    expect(log).toEqual([['tidying', 3], ['keep', 3], ...closed, ...(keeps ? kept : [])]);
    log.length = 0;
    of.due('keep-mapping', as);
    expect(log).toEqual(kept);
  });

  it('is lost where nothing was selected in time, and ends once', async () => {
    const { of, log, peer, as } = held();
    of.take(pair(), 3, as);
    peer.ice.selected = { rttMs: 9 };
    log.length = 0;
    of.due('selected', as);
    expect(log).toEqual([]);
    peer.ice.selected = undefined;
    of.due('selected', as);
    of.end('closed');
    expect(log).toEqual([['lost', { remote: '22.23.24.25:7' }]]);
    expect(await of.bearer(as, { close: () => {}, free: () => {} }).ended).toBe('lost');
  });

  it('tells the latest round trip that is known, and leaves its socket to a new owner', () => {
    const { of, peer, as } = held();
    of.take(pair(), 3, as);
    const freed: unknown[] = [];
    const bearer = of.bearer(as, { close: () => freed.push('closed'), free: (kept) => freed.push(kept.id) });
    expect(bearer.path().rttMs).toBe(3);
    peer.ice.selected = { rttMs: 5 };
    expect(bearer.path().rttMs).toBe(5);
    peer.channel.stats = { rttMs: 7 };
    expect(bearer.path().rttMs).toBe(7);
    expect(bearer.pairs().length).toBe(1);
    expect([bearer.release(), freed]).toEqual([socket, [3]]);
    bearer.close();
    expect(freed).toEqual([3, 'closed']);
  });
});

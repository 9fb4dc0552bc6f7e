import { describe, expect, it } from 'vitest';
import { judge, mappingOf, SOCKETS_TO_BELIEVE } from '../../../src/probe/detect/judgement.ts';
import { A, at, B, C, LOCAL, MAPPING, PUBLIC, saw, SECOND, Story } from './story.ts';

const OTHER_PUBLIC = at('12.13.14.16', 40_000);
const sighting = (server: string, local = LOCAL) => ({ server, local, remote: A, mapped: PUBLIC });

/** A cone NAT seen from so many further sockets of a NAT with two public addresses, whose flows all keep theirs. */
function pooled(sockets: number): Story {
  const story = new Story();
  for (const to of [A, B]) story.ask(MAPPING, to, [saw(PUBLIC)], { server: A });
  for (let i = 0; i < sockets; i++) {
    const mapped = at(i % 2 ? PUBLIC.address : OTHER_PUBLIC.address, 50_000 + i);
    story.sample(41_000 + i, [A, mapped], [B, mapped]);
  }
  return story;
}

describe('the judgement of a mapping', () => {
  it('is that of the mapping socket alone', () => {
    const story = new Story();
    for (const to of [A, B]) story.ask(MAPPING, to, [saw(PUBLIC)]);
    story.sample(41_000, [A, at(PUBLIC.address, 9)], [B, at(PUBLIC.address, 10)]);
    expect(mappingOf(story.facts)).toEqual({ mapping: 'endpoint-independent', dependent: false });
    story.facts.x = undefined;
    expect(mappingOf(story.facts)).toEqual({ mapping: 'unknown', dependent: false });
    expect(judge(story.facts)).toMatchObject({ paths: [], disputed: false });
  });

  it('of a NAT with several public addresses needs many sockets to be independent', () => {
    // The mapping socket is one of them.
    const enough = pooled(SOCKETS_TO_BELIEVE - 1);
    expect(judge(enough.facts).pool).toEqual(new Set([PUBLIC.address, OTHER_PUBLIC.address]));
    expect(mappingOf(enough.facts).mapping).toBe('endpoint-independent');
    expect(mappingOf(pooled(SOCKETS_TO_BELIEVE - 2).facts)).toEqual({ mapping: 'unknown', dependent: false });
  });

  it('of such a NAT counts only sockets that were compared', () => {
    const story = pooled(SOCKETS_TO_BELIEVE - 2);
    story.sample(42_000, [A, at(PUBLIC.address, 50_100)]);
    expect(mappingOf(story.facts).mapping).toBe('unknown');
  });

  it('of such a NAT is dependent as soon as one socket shows it', () => {
    const story = pooled(SOCKETS_TO_BELIEVE);
    story.sample(42_000, [A, at(PUBLIC.address, 50_100)], [B, at(PUBLIC.address, 50_101)]);
    expect(mappingOf(story.facts).dependent).toBe(true);
  });

  it('that nothing is translated needs no further sockets', () => {
    const story = new Story([A], { ground: { local: true } });
    story.ask(MAPPING, A, [saw(LOCAL)]);
    story.sample(41_000, [A, at(OTHER_PUBLIC.address, 1)]);
    expect(mappingOf(story.facts).mapping).toBe('none');
  });

  it('without a pool does not ask other sockets', () => {
    const story = new Story();
    for (const to of [A, B]) story.ask(MAPPING, to, [saw(PUBLIC)]);
    story.sample(42_000, [A, at(PUBLIC.address, 50_100)], [B, at(PUBLIC.address, 50_101)]);
    expect(mappingOf(story.facts).mapping).toBe('endpoint-independent');
  });
});

describe('a pool of public addresses', () => {
  it('is what one server saw: two that differ may be wrong', () => {
    const story = new Story();
    story.ask(MAPPING, A, [saw(PUBLIC)]);
    story.ask(MAPPING, B, [saw(OTHER_PUBLIC)]);
    expect(judge(story.facts).pool.size).toBe(1);
  });

  it('is not what listens on the next port of a server says beside it', () => {
    const story = new Story();
    story.ask(MAPPING, A, [saw(PUBLIC)]);
    story.ask(SECOND, { ...A, port: A.port + 1 }, [saw(at('66.77.88.99', 1))]);
    expect(judge(story.facts).pool.size).toBe(1);
  });

  it('is what the server that saw most of them saw', () => {
    const story = new Story();
    story.ask(MAPPING, A, [saw(PUBLIC)]);
    story.sample(40_500, [A, at(PUBLIC.address, 50_200)], [B, at(PUBLIC.address, 50_200)]);
    for (let i = 0; i < 3; i++) story.sample(41_000 + i, [B, at(`12.13.14.${20 + i}`, 1)]);
    expect([...judge(story.facts).pool]).toEqual([PUBLIC.address, '12.13.14.20', '12.13.14.21', '12.13.14.22']);
  });

  it('is empty where nothing was seen', () => {
    expect(judge(new Story().facts).pool.size).toBe(0);
  });
});

describe('whom a judgement trusts', () => {
  it('is every server that is not the odd one out, on the path of the verdict', () => {
    const story = new Story([A, B, C]);
    story.ask(MAPPING, A, [saw(PUBLIC)]);
    story.ask(MAPPING, B, [saw(PUBLIC)]);
    story.ask(MAPPING, C, [saw(at('66.0.0.1', 6))]);
    const { trusts, odd, disputed } = judge(story.facts);
    expect(odd.map(({ server }) => server)).toEqual(['51.0.0.3:3478']);
    expect(disputed).toBe(false);
    expect(trusts(sighting('51.0.0.1:3478'))).toBe(true);
    expect(trusts(sighting('51.0.0.3:3478'))).toBe(false);
    expect(trusts(sighting('51.0.0.1:3478', at('10.0.0.1', 40_000)))).toBe(false);
  });

  it('is nobody where they contradict each other', () => {
    const story = new Story([A, B]);
    story.ask(MAPPING, A, [saw(PUBLIC)]);
    story.ask(MAPPING, B, [saw(at('66.0.0.1', 6))]);
    const { trusts, disputed } = judge(story.facts);
    expect(disputed).toBe(true);
    expect(trusts(sighting('51.0.0.1:3478'))).toBe(false);
  });
});

describe('routes that differ', () => {
  const diverging = async () => {
    const story = new Story([A, B, C], { routes: { [C.address]: '10.8.0.2' } });
    await story.probes.route(story.facts.servers, new AbortController().signal);
    const socket = story.socket(at('0.0.0.0', 40_000));
    story.facts.x = socket;
    for (const to of [C, A, B]) story.ask(MAPPING, to, [saw(to === C ? at('66.0.0.1', 6) : PUBLIC)], { socket });
    story.ask(SECOND, at(A.address, 3479), [saw(PUBLIC)], { socket, server: A });
    return { story, socket };
  };

  it('are told with their servers, the usual one first, and the verdict is about that', async () => {
    const { story } = await diverging();
    const { paths, verdict, onPath } = judge(story.facts);
    expect(paths).toEqual([
      {
        local: '192.168.1.3',
        servers: ['51.0.0.1:3478', '51.0.0.2:3478'],
        remotes: ['51.0.0.1:3478', '51.0.0.2:3478'],
      },
      { local: '10.8.0.2', servers: ['51.0.0.3:3478'], remotes: ['51.0.0.3:3478'] },
    ]);
    expect(verdict.mapping).toBe('endpoint-independent');
    expect([A, B, C].map(onPath)).toEqual([true, true, false]);
  });

  it('make no pool of two paths’ public addresses', async () => {
    const { story, socket } = await diverging();
    story.ask(MAPPING, at(C.address, 3479), [saw(at('66.0.0.1', 6))], { socket, server: A });
    expect([...judge(story.facts).pool]).toEqual([PUBLIC.address]);
  });
});

import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../../src/net/address.ts';
import { NetError } from '../../../src/net/env.ts';
import { conclude } from '../../../src/probe/detect/conclude.ts';
import type { HairpinOutcome } from '../../../src/probe/detect/hairpin.ts';
import type { TcpControl } from '../../../src/probe/detect/tcp-control.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { A, ALLOCATION, at, B, C, failed, LOCAL, MAPPING, PUBLIC, saw, SECOND, Story } from './story.ts';

const ELSEWHERE = at('66.0.0.1', 6);
const named = (name: string, other?: Endpoint) => [
  attribute('SOFTWARE', name),
  ...(other ? [attribute('OTHER-ADDRESS', other)] : []),
];
const tcp = (server: Endpoint, outcome: TcpControl['outcome'] = 'answered', evidence: unknown = {}) =>
  ({ server, outcome, evidence }) as TcpControl;
const refused = new NetError('refused', '');

function cone(): Story {
  const story = new Story([A, B]);
  story.ask(MAPPING, A, [saw(PUBLIC, ...named('a', at('51.0.0.9', 3479)))]);
  story.ask(MAPPING, B, [saw(PUBLIC, ...named('b'))]);
  return story;
}
const data = (story: Story) => conclude(story.facts).data;

describe('the server that a report is about', () => {
  it('is the first that answered, with its other address and its name', () => {
    const story = cone();
    expect(data(story)).toMatchObject({
      server: { name: null, address: '51.0.0.1:3478', alternate: '51.0.0.9:3479', software: 'a' },
      local: '192.168.1.3:40000',
      public: '12.13.14.15:40000',
    });
    const second = new Story([A, B]);
    second.ask(MAPPING, A);
    second.ask(MAPPING, B, [saw(PUBLIC)]);
    expect(data(second).server).toEqual({
      name: null,
      address: '51.0.0.2:3478',
      alternate: null,
      software: null,
    });
  });

  it('is the one whose tests told most', () => {
    const story = cone();
    story.test({ server: A, otherAddress: 'inconclusive' });
    story.test({ server: B, otherAddress: 'passed' });
    expect(data(story).server.address).toBe('51.0.0.2:3478');
    expect(data(story).filtering).toBe('endpoint-independent');
  });

  it('is, where none told anything, the last that was tried', () => {
    const story = cone();
    story.test({ server: A });
    story.test({ server: B });
    expect(data(story).server.address).toBe('51.0.0.2:3478');
  });

  it('is not the odd one out, whatever its tests told', () => {
    const story = new Story([A, B, C]);
    story.ask(MAPPING, A, [saw(ELSEWHERE)]);
    for (const to of [B, C]) story.ask(MAPPING, to, [saw(PUBLIC)]);
    expect(data(story)).toMatchObject({ server: { address: '51.0.0.2:3478' }, public: '12.13.14.15:40000' });
    story.test({ server: A, otherAddress: 'passed' });
    expect(data(story).server.address).toBe('51.0.0.2:3478');
  });

  it('is one whose statement can be true; the tests of another count for nothing', () => {
    const story = new Story([A, B]);
    story.ask(MAPPING, A, [saw(at('10.0.0.1', 1))]);
    story.ask(MAPPING, B, [saw(PUBLIC)]);
    story.test({ server: A, otherAddress: 'passed' });
    expect(data(story)).toMatchObject({ server: { address: '51.0.0.2:3478' }, filtering: 'unknown' });
  });

  it('is the first that was asked where no statement can be true', () => {
    const story = new Story([A, B]);
    story.ask(MAPPING, A);
    story.ask(MAPPING, B, [saw(at('10.0.0.1', 1), ...named('b'))]);
    expect(data(story)).toMatchObject({ server: { address: '51.0.0.1:3478', software: null }, public: null });
  });

  it('is one on the path of the verdict, and so are the tests that count', async () => {
    const story = new Story([A, B, C], { routes: { [A.address]: '10.8.0.2' } });
    await story.probes.route([A, B, C], new AbortController().signal);
    const socket = story.socket(at('0.0.0.0', 40_000));
    story.facts.x = socket;
    story.ask(MAPPING, A, [saw(ELSEWHERE)], { socket });
    for (const to of [B, C]) story.ask(MAPPING, to, [saw(PUBLIC)], { socket });
    story.test({ server: A, otherAddress: 'passed' });
    expect(data(story)).toMatchObject({ server: { address: '51.0.0.2:3478' }, filtering: 'unknown' });
    expect(data(story).table).toHaveLength(2);
    story.test({ server: C, otherAddress: 'passed' });
    expect(data(story)).toMatchObject({ server: { address: '51.0.0.3:3478' }, filtering: 'endpoint-independent' });
  });

  it('is the first that was asked where none answered, and nobody where none was asked', () => {
    const story = new Story([B]);
    expect(data(story)).toMatchObject({ server: { address: '51.0.0.2:3478' }, local: '192.168.1.3:40000' });
    const nobody = new Story([]);
    nobody.facts.x = undefined;
    expect(data(nobody)).toMatchObject({ server: { address: '' }, local: null, public: null });
  });

  it('shows no public side where the servers contradict each other', () => {
    const story = new Story([A, B]);
    story.ask(MAPPING, A, [saw(PUBLIC)]);
    story.ask(MAPPING, B, [saw(ELSEWHERE)]);
    expect(data(story)).toMatchObject({ local: '192.168.1.3:40000', public: null, table: [] });
  });
});

describe('how far a measurement reaches', () => {
  it('is complete with any answer, failed without, and partial when stopped', () => {
    expect(conclude(cone().facts).outcome).toBe('complete');
    const story = new Story([A]);
    story.ask(SECOND, A, [saw(PUBLIC)]);
    story.ask(ALLOCATION, A, [saw(PUBLIC)]);
    story.ask(MAPPING, A);
    expect(conclude(story.facts).outcome).toBe('failed');
    story.facts.stopped = 'out-of-time';
    expect(conclude(story.facts).outcome).toBe('partial');
  });
});

describe('blocked UDP', () => {
  const silent = (...controls: readonly TcpControl[]): Story => {
    const story = new Story([A, B]);
    for (const to of [A, B]) story.ask(MAPPING, to);
    story.facts.tcp.push(...controls);
    return story;
  };
  const refuse = (story: Story, ...which: readonly number[]): Story => {
    for (const i of which) (story.probes.series[i] as { failure: NetError }).failure = refused;
    return story;
  };

  it('needs two servers that answer over TCP and are silent: a dead one is no witness', () => {
    const blocked = conclude(silent(tcp(A), tcp(B)).facts);
    expect(blocked).toMatchObject({ outcome: 'complete', data: { type: 'udp-blocked' } });
    expect(data(silent(tcp(A), tcp(B, 'silent'))).type).toBe('unknown');
    expect(data(silent(tcp(A))).type).toBe('unknown');
    expect(data(silent(tcp(A, 'silent'), tcp(B, 'refused'))).type).toBe('unknown');
    expect(data(silent(tcp(C))).type).toBe('unknown');
    const alone = new Story([A]);
    for (const to of [A, at(A.address, 3479)]) alone.ask(MAPPING, to);
    alone.facts.tcp.push(tcp(A));
    expect(conclude(alone.facts)).toMatchObject({ outcome: 'failed', data: { type: 'unknown' } });
  });

  it('needs two that answer over TCP where they refuse', () => {
    expect(data(refuse(silent(tcp(A), tcp(B)), 0, 1)).type).toBe('udp-blocked');
    expect(data(refuse(silent(tcp(A)), 0, 1)).type).toBe('unknown');
    expect(data(refuse(silent(tcp(A)), 0)).type).toBe('unknown');
    expect(data(refuse(silent(tcp(A), tcp(B)), 1)).type).toBe('unknown');
    // Two ports of one address are one server.
    const alone = new Story([A]);
    for (const to of [A, at(A.address, 3479)]) {
      alone.ask(MAPPING, to).failure = refused;
      alone.facts.tcp.push(tcp(to));
    }
    expect(data(alone).type).toBe('unknown');
  });

  it('is not what anything came in through, or what was stopped', () => {
    const controls = [tcp(A), tcp(B)];
    const stray = silent(...controls);
    stray.probes.strays.push({ from: C, wasStun: false });
    expect(data(stray).type).toBe('unknown');
    const useless = silent(...controls);
    useless.ask(ALLOCATION, A, [failed(500)]);
    expect(data(useless).type).toBe('unknown');
    const stopped = silent(...controls);
    stopped.facts.stopped = 'interrupted';
    expect(data(stopped).type).toBe('unknown');
  });
});

describe('the hairpin verdict', () => {
  const turned = (outcome: HairpinOutcome, story = cone()): Story => {
    story.facts.hairpin = { outcome, evidence: {} as never };
    return story;
  };

  it('rests on public sides that a trusted server named', () => {
    expect(data(turned('heard')).hairpin).toBe('yes');
    const story = new Story([A, B, C]);
    for (const to of [A, B]) story.ask(MAPPING, to, [saw(PUBLIC)]);
    story.ask(MAPPING, C, [saw(ELSEWHERE)]);
    story.sample(41_000, [C, ELSEWHERE]);
    expect(data(turned('heard', story)).hairpin).toBe('unknown');
  });

  it('is unknown where the NAT refuses new flows to addresses that answer', () => {
    const silence = (sent: number, to: Endpoint): string => {
      const story = turned('silent');
      story.ask(ALLOCATION, to, [], { sent });
      return data(story).hairpin;
    };
    expect(silence(4, A)).toBe('unknown');
    expect(silence(3, A)).toBe('no');
    expect(silence(4, C)).toBe('no');
    const answered = turned('silent');
    answered.ask(ALLOCATION, A, [failed(500)], { sent: 4 });
    answered.ask({ kind: 'filtering', change: { ip: true, port: true } }, A, [], { sent: 7 });
    expect(data(answered).hairpin).toBe('no');
  });
});

describe('the table', () => {
  const change = { ip: true, port: true };
  const row = (remote: string, local = '192.168.1.3:40000', mapped = '12.13.14.15:40000') => ({
    private: local,
    public: mapped,
    remote,
  });

  it('has each flow that was seen, and each answer that came in from elsewhere', () => {
    const story = cone();
    const socket = story.socket(at(LOCAL.address, 41_000));
    const mapped = at(PUBLIC.address, 41_000);
    const from = at('51.0.0.9', 3479);
    story.ask({ kind: 'filtering', change }, A, [{ ...saw(mapped), from }], { socket });
    story.ask({ kind: 'baseline', change }, B, [{ ...saw(mapped), from: at('51.0.0.9', 9) }], { socket });
    expect(data(story).table).toEqual([
      row('51.0.0.1:3478'),
      row('51.0.0.2:3478'),
      row('51.0.0.9:3479', '192.168.1.3:41000', '12.13.14.15:41000'),
    ]);
  });

  it('has none that say nothing, cannot be true, or come from whom nobody trusts', () => {
    const story = new Story([A, B, C]);
    for (const to of [A, B]) story.ask(MAPPING, to, [saw(PUBLIC)]);
    story.ask(MAPPING, C, [saw(ELSEWHERE)]);
    const from = at('51.0.0.9', 3479);
    for (const answer of [failed(420), saw(at('10.0.0.1', 1))])
      story.ask({ kind: 'filtering', change }, A, [{ ...answer, from }]);
    story.ask({ kind: 'filtering', change }, C, [{ ...saw(ELSEWHERE), from }]);
    expect(data(story).table).toEqual([row('51.0.0.1:3478'), row('51.0.0.2:3478')]);
  });
});

describe('port allocation', () => {
  it('is judged by what trusted servers saw', () => {
    const story = new Story([A, B, C]);
    for (const to of [A, B]) story.ask(MAPPING, to, [saw(PUBLIC)]);
    story.ask(MAPPING, C, [saw(ELSEWHERE)]);
    for (let i = 0; i < 4; i++) story.sample(41_000 + 7 * i, [C, at(ELSEWHERE.address, 50_000 + i)]);
    expect(data(story).portAllocation).toEqual({ pattern: 'unknown' });
    for (let i = 0; i < 4; i++) story.sample(43_000 + 7 * i, [B, at('12.13.14.15', 40_001 + i)]);
    expect(data(story).portAllocation).toEqual({ pattern: 'sequential', step: 1 });
  });
});

describe('the evidence', () => {
  it('has every series that was sent, the hairpin test, and what TCP said', () => {
    const story = cone();
    story.ask(SECOND, C, [], { sent: 0 });
    story.facts.hairpin = { outcome: 'silent', evidence: { test: 'hairpin' } as never };
    story.facts.tcp.push(tcp(A, 'silent', { test: 'tcp-control' }));
    const { evidence } = data(story);
    expect(evidence.map(({ test }) => test)).toEqual(['mapping-1', 'mapping-1', 'hairpin', 'tcp-control']);
    expect(evidence[0]).toMatchObject({ rttMs: 20, verdict: 'answered' });
  });
});

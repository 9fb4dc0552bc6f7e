import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../../src/net/address.ts';
import { NetError } from '../../../src/net/env.ts';
import { conclude } from '../../../src/probe/detect/conclude.ts';
import type { ServerTest } from '../../../src/probe/detect/facts.ts';
import type { TcpControl } from '../../../src/probe/detect/tcp-control.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import type { Decoded } from '../../../src/stun/message.ts';
import { type Answer, A, ALLOCATION, at, B, C, failed, LOCAL, MAPPING, PUBLIC, saw, SECOND, Story } from './story.ts';

const told = (story: Story) => conclude(story.facts).findings;
const kinds = (story: Story) => told(story).map(({ kind }) => kind);
/** Without its text. */
const bare = (story: Story) => told(story).map(({ text, ...rest }) => rest);
/** Of the first server alone. */
const ofA = (story: Story) => bare(story).filter(({ server }) => server === '51.0.0.1:3478');
const tcp = (server: Endpoint, outcome: TcpControl['outcome'] = 'answered') =>
  ({ server, outcome, evidence: {} }) as unknown as TcpControl;
const stray = (from: Endpoint) => ({ from, wasStun: false });
const other = (to: Endpoint) => attribute('OTHER-ADDRESS', to);
const sameAddressAgain = at(A.address, 3479);

/** A cone NAT, which two servers saw; what the first of them answered may be told. */
function cone(answer: Answer = saw(PUBLIC)): Story {
  const story = new Story([A, B]);
  story.ask(MAPPING, A, [answer]);
  story.ask(MAPPING, B, [saw(PUBLIC)]);
  return story;
}
/** As {@link cone}, and its filtering is known. */
function known(answer?: Answer): Story {
  const story = cone(answer);
  story.test({ otherAddress: 'passed' });
  return story;
}

describe('nothing is said', () => {
  it('of a measurement that is whole', () => {
    expect(told(known())).toEqual([]);
  });
});

describe('what a server did wrong', () => {
  it('is that an answer came from elsewhere', () => {
    const story = known();
    story.probes.series[0]?.replies.push({
      ...(story.probes.series[0].replies[0] as NonNullable<(typeof story.probes.series)[0]['replies'][0]>),
      from: sameAddressAgain,
    });
    expect(bare(story)).toEqual([{ kind: 'server-wrong-source', server: '51.0.0.1:3478', from: '51.0.0.1:3479' }]);
  });

  it('is that its answer breaks the format', () => {
    const story = known();
    const reply = story.probes.series[0]?.replies[0] as { message: Decoded };
    reply.message = { ...reply.message, malformed: ['padding'] };
    expect(bare(story)).toEqual([{ kind: 'answer-malformed', server: '51.0.0.1:3478', what: ['padding'] }]);
  });

  it('is not a payload that something rewrites on the way', () => {
    expect(bare(known(saw(PUBLIC, attribute('MAPPED-ADDRESS', at('9.9.9.9', 9)))))).toEqual([
      { kind: 'payload-rewritten', mapped: '9.9.9.9:9', xorMapped: '12.13.14.15:40000' },
    ]);
    expect(told(known(saw(PUBLIC, attribute('MAPPED-ADDRESS', PUBLIC))))).toEqual([]);
    expect(told(known({ kind: 'success', attributes: [attribute('MAPPED-ADDRESS', PUBLIC)] }))).toEqual([]);
  });

  it('is a useless answer, an error, a refusal, or that nothing could be sent to it', () => {
    const demanding = saw(PUBLIC, { name: undefined, type: 0x7f01, value: new Uint8Array(0) });
    const none = { kind: 'success', attributes: [] } as const;
    const useless = { kind: 'server-useless', server: '51.0.0.1:3478' };
    expect(ofA(known(demanding))).toEqual([{ ...useless, unknownAttributes: [0x7f01] }]);
    expect(ofA(known(none))).toEqual([{ ...useless, unknownAttributes: [] }]);
    expect(ofA(known(failed(500)))).toEqual([
      { kind: 'server-error', server: '51.0.0.1:3478', code: 500, reason: 'no' },
    ]);
    const failing = (error: NetError) => {
      const story = new Story([A, B]);
      story.ask(MAPPING, A).failure = error;
      return bare(story);
    };
    expect(failing(new NetError('refused', ''))).toEqual([{ kind: 'server-refused', server: '51.0.0.1:3478' }]);
    expect(failing(new NetError('unreachable', '', 'EHOSTUNREACH'))).toEqual([
      { kind: 'network-unreachable', server: '51.0.0.1:3478', code: 'EHOSTUNREACH' },
    ]);
    expect(failing(new NetError('unreachable', ''))).toMatchObject([{ code: 'unreachable' }]);
    expect(failing(new NetError('denied', 'send EACCES'))).toEqual([
      {
        kind: 'cannot-send',
        server: '51.0.0.1:3478',
        error: 'a firewall of this host, or a lack of rights, does not permit it',
      },
    ]);
  });

  it('matters at one of its addresses only where no other one answered', () => {
    const story = (answer: Answer) => {
      const both = new Story([A]);
      both.ask(MAPPING, A, [failed(500)]);
      both.ask(MAPPING, C, [answer], { server: A });
      both.ask(MAPPING, B, [saw(PUBLIC)]);
      both.test({ otherAddress: 'passed' });
      return bare(both).filter(({ kind }) => kind === 'server-error');
    };
    expect(story(saw(PUBLIC))).toEqual([]);
    expect(story(failed(400))).toMatchObject([
      { server: '51.0.0.1:3478', code: 500 },
      { server: '51.0.0.3:3478', code: 400 },
    ]);
  });

  it('is said once', () => {
    const story = new Story([A]);
    for (let i = 0; i < 2; i++) story.ask(MAPPING, A, [failed(500)]);
    expect(kinds(story)).toEqual(['server-error']);
  });

  it('is not that a further series of the mapping socket failed, nor one that was never sent', () => {
    const story = known();
    story.ask(SECOND, sameAddressAgain, [failed(500)], { server: A });
    story.ask(ALLOCATION, C, [failed(500)]);
    story.ask(MAPPING, C, [failed(500)], { sent: 0 });
    expect(told(story)).toEqual([]);
  });
});

describe('silence', () => {
  const silent = (...servers: readonly Endpoint[]): Story => {
    const story = new Story(servers);
    for (const to of servers) story.ask(MAPPING, to);
    return story;
  };

  it('names the silent servers, each once', () => {
    expect(bare(silent(A, B, A))).toEqual([{ kind: 'no-answer', servers: ['51.0.0.1:3478', '51.0.0.2:3478'] }]);
  });

  it('is not said of whoever said something, however useless', () => {
    const story = silent(A, B);
    story.probes.strays.push(stray(at(A.address, 9)));
    story.ask(MAPPING, C, [failed(500)]);
    const elsewhere = at('51.0.0.4');
    story.ask(MAPPING, elsewhere, [{ ...saw(PUBLIC), from: at('51.0.0.4', 9) }]);
    expect(told(story).find(({ kind }) => kind === 'no-answer')).toMatchObject({ servers: ['51.0.0.2:3478'] });
    const failing = silent(A);
    (failing.probes.series[0] as { failure: NetError }).failure = new NetError('refused', '');
    expect(kinds(failing)).toEqual(['server-refused']);
  });

  it('is not said where the measurement was stopped, nothing could be sent, or anybody answered', () => {
    const stopped = silent(A);
    stopped.facts.stopped = 'interrupted';
    expect(bare(stopped)).toEqual([{ kind: 'interrupted' }]);
    const late = silent(A);
    late.facts.stopped = 'out-of-time';
    expect(kinds(late)).toEqual(['out-of-time', 'no-answer']);
    const failing = silent(A);
    failing.facts.failure = { server: A, error: new NetError('unreachable', '') };
    expect(kinds(failing)).toEqual(['network-unreachable']);
    const answered = known();
    answered.ask(MAPPING, C);
    expect(told(answered)).toEqual([]);
  });

  it('of the one server that answers over TCP is said so', () => {
    const story = silent(A, A);
    story.facts.tcp.push(tcp(A));
    expect(bare(story)).toEqual([{ kind: 'server-tcp-only', server: '51.0.0.1:3478' }]);
    story.facts.tcp = [tcp(A, 'silent'), tcp(B)];
    expect(kinds(story)).toEqual(['no-answer']);
  });

  it('of several servers that answer over TCP is a block, and said of those', () => {
    const story = silent(A, B, C);
    story.facts.tcp.push(tcp(A), tcp(B), tcp(C, 'silent'));
    expect(bare(story)).toEqual([
      { kind: 'udp-blocked', server: '51.0.0.1:3478' },
      { kind: 'udp-blocked', server: '51.0.0.2:3478' },
    ]);
    story.facts.tcp = [tcp(A), tcp(B, 'silent')];
    expect(kinds(story)).toEqual(['server-tcp-only', 'no-answer']);
  });

  it('is said to be refused where ICMP told so', () => {
    const story = silent(A, B);
    for (const each of story.probes.series) each.trouble(new NetError('unreachable', '', 'EHOSTUNREACH'));
    story.facts.tcp.push(tcp(A), tcp(B));
    const blocks = told(story).filter(({ kind }) => kind === 'udp-blocked');
    expect(blocks).toHaveLength(2);
    for (const { text } of blocks) expect(text).toContain('something on the way refuses UDP');
  });

  it('is no silence where the network refused, if only once', () => {
    const story = silent(A, B);
    story.probes.series[0]?.trouble(new NetError('unreachable', '', 'EHOSTUNREACH'));
    const [first, ...rest] = told(story);
    expect(first).toMatchObject({ kind: 'network-unreachable', text: expect.stringContaining('refused') });
    expect(rest).toMatchObject([{ kind: 'no-answer', servers: ['51.0.0.2:3478'] }]);
  });
});

describe('datagrams of strangers', () => {
  it('are counted by their source', () => {
    const story = known();
    story.probes.strays.push(stray(A), stray(B), stray(A));
    expect(bare(story)).toEqual([
      { kind: 'stray-datagrams', count: 2, from: '51.0.0.1:3478' },
      { kind: 'stray-datagrams', count: 1, from: '51.0.0.2:3478' },
    ]);
  });
});

describe('loss', () => {
  const lossy = (sent: number, received: number): string[] => {
    const story = known();
    story.ask(
      ALLOCATION,
      C,
      Array.from({ length: received - 2 }, () => saw(PUBLIC)),
      { sent: sent - 2 },
    );
    return kinds(story);
  };

  it('is told from a tenth of what was sent, and three', () => {
    expect(lossy(30, 27)).toEqual([]);
    expect(lossy(30, 26)).toEqual(['heavy-loss']);
    expect(lossy(5, 3)).toEqual([]);
    expect(lossy(6, 3)).toEqual(['heavy-loss']);
  });

  it('is told in numbers', () => {
    const story = known();
    story.ask(ALLOCATION, C, [saw(PUBLIC)], { sent: 8 });
    expect(bare(story)).toEqual([{ kind: 'heavy-loss', sent: 10, received: 3 }]);
  });
});

describe('an other address', () => {
  const naming = (to: Endpoint): Story => cone(saw(PUBLIC, other(to)));

  it('that is missing is named where filtering stays unknown', () => {
    expect(bare(cone())).toEqual([
      { kind: 'server-lacks-rfc5780', server: '51.0.0.1:3478' },
      { kind: 'server-lacks-rfc5780', server: '51.0.0.2:3478' },
    ]);
  });

  it('that cannot be one, or has the same IP, is named', () => {
    expect(ofA(naming(at('0.0.0.0', 3479)))).toEqual([
      { kind: 'other-address-unusable', server: '51.0.0.1:3478', other: '0.0.0.0:3479' },
    ]);
    expect(ofA(naming(sameAddressAgain))).toEqual([
      { kind: 'other-address-same-ip', server: '51.0.0.1:3478', other: '51.0.0.1:3479' },
    ]);
  });

  it('is called dead where it was asked from the mapping socket and never answered', () => {
    const story = naming(C);
    expect(ofA(story)).toEqual([]);
    story.ask(SECOND, C, [], { socket: story.socket(at(LOCAL.address, 41_000)) });
    expect(ofA(story)).toEqual([]);
    const tried = story.ask(SECOND, C);
    expect(ofA(story)).toEqual([{ kind: 'other-address-dead', server: '51.0.0.1:3478', other: '51.0.0.3:3478' }]);
    story.ask(SECOND, at(C.address, 3479), [saw(PUBLIC)]);
    expect(tried.answer).toBeUndefined();
    expect(ofA(story)).toEqual([]);
  });

  it('is not gone into where the measurement was stopped', () => {
    const story = naming(sameAddressAgain);
    story.facts.stopped = 'interrupted';
    expect(kinds(story)).toEqual(['interrupted']);
  });
});

describe('the reason for an unknown mapping', () => {
  const one = (): Story => {
    const story = new Story([A]);
    story.ask(MAPPING, A, [saw(PUBLIC)]);
    story.test({ otherAddress: 'passed' });
    return story;
  };

  it('is that one address alone was asked, on one port or two', () => {
    const story = one();
    expect(bare(story)).toEqual([{ kind: 'mapping-needs-second-address', server: '51.0.0.1:3478' }]);
    story.ask(SECOND, sameAddressAgain, [saw(PUBLIC)], { server: A });
    expect(bare(story)).toEqual([{ kind: 'mapping-same-on-ports', server: '51.0.0.1:3478' }]);
  });

  it('is that no server has two ports, where the mapping differs', () => {
    const story = one();
    story.ask(MAPPING, B, [saw(at(PUBLIC.address, 40_001))]);
    expect(bare(story)).toEqual([{ kind: 'mapping-dependence-unknown' }]);
  });

  it('is the servers’ where they contradict each other', () => {
    const story = one();
    story.ask(MAPPING, B, [saw(at('66.0.0.1', 6))]);
    expect(kinds(story)).toEqual(['servers-disagree']);
  });

  it('is the routes’ where they differ', async () => {
    const story = new Story([A, B], { routes: { [B.address]: '10.8.0.2' } });
    await story.probes.route([A, B], new AbortController().signal);
    const socket = story.socket(at('0.0.0.0', 40_000));
    story.facts.x = socket;
    for (const to of [A, B]) story.ask(MAPPING, to, [saw(PUBLIC)], { socket });
    story.test({ otherAddress: 'passed' });
    expect(bare(story)).toEqual([
      {
        kind: 'paths-differ',
        paths: ['192.168.1.3 to 51.0.0.1:3478', '10.8.0.2 to 51.0.0.2:3478'],
        known: false,
      },
    ]);
    story.ask(SECOND, at(A.address, 3479), [saw(at(PUBLIC.address, 9))], { socket, server: A });
    expect(told(story)).toMatchObject([{ kind: 'paths-differ', known: true }]);
  });

  it('is none where the first of the paths is known all the same', async () => {
    const servers = [A, C, at('51.0.0.4'), B];
    const routes = { [B.address]: '10.8.0.2', '51.0.0.4': '10.8.0.2' };
    const story = new Story(servers, { routes });
    await story.probes.route(servers, new AbortController().signal);
    const socket = story.socket(at('0.0.0.0', 40_000));
    story.facts.x = socket;
    for (const to of servers) story.ask(MAPPING, to, [saw(PUBLIC)], { socket });
    story.test({ otherAddress: 'passed' });
    expect(bare(story)).toEqual([
      {
        kind: 'paths-differ',
        paths: ['192.168.1.3 to 51.0.0.1:3478 and 51.0.0.3:3478', '10.8.0.2 to 51.0.0.4:3478 and 51.0.0.2:3478'],
        known: true,
      },
    ]);
  });
});

describe('the reason for an unknown filtering', () => {
  /** Of a cone, or of a NAT that maps by destination, whose server has another address; the second server is of no help. */
  const tested = (part: Partial<ServerTest>, dependent = false): Story => {
    const story = new Story([A]);
    story.ask(MAPPING, A, [saw(PUBLIC, other(C))]);
    story.ask(SECOND, C, [saw(dependent ? at(PUBLIC.address, 9) : PUBLIC)], { server: A });
    story.ask(SECOND, at(C.address, 3479), [saw(dependent ? at(PUBLIC.address, 10) : PUBLIC)], { server: A });
    story.test(part);
    return story;
  };
  const lossy = (story: Story): Story => {
    story.ask(ALLOCATION, A, [saw(PUBLIC)], { sent: 9 });
    return story;
  };
  const server = '51.0.0.1:3478';

  it('is that the server rejects the change, with its code', () => {
    const story = tested({ otherAddress: 'silent', otherPort: 'rejected' });
    expect(bare(story)).toEqual([{ kind: 'change-request-rejected', server, code: 0 }]);
    const change = { ip: false, port: true };
    story.ask({ kind: 'filtering', change }, B, [failed(400)]);
    story.ask({ kind: 'control', change }, A, [failed(401)]);
    story.ask({ kind: 'filtering', change }, A);
    story.ask({ kind: 'filtering', change }, A, [failed(420)]);
    expect(bare(story)).toEqual([{ kind: 'change-request-rejected', server, code: 420 }]);
  });

  it('is that the server ignores it, or was not seen to honour it', () => {
    expect(bare(tested({ otherAddress: 'ignored' }))).toEqual([{ kind: 'change-request-ignored', server }]);
    expect(bare(tested({ otherAddress: 'silent' }))).toEqual([{ kind: 'change-request-ignored', server }]);
    expect(bare(tested({ otherPort: 'silent' }, true))).toEqual([{ kind: 'change-request-unproven', server }]);
  });

  it('is loss, where that may have swallowed the control', () => {
    const inconclusive = { kind: 'filtering-inconclusive', server };
    expect(bare(lossy(tested({ otherAddress: 'silent' })))).toMatchObject([inconclusive, { kind: 'heavy-loss' }]);
    expect(kinds(lossy(tested({ otherAddress: 'silent' }, true)))).toEqual(['change-request-unproven', 'heavy-loss']);
    expect(bare(tested({ otherAddress: 'inconclusive' }))).toEqual([inconclusive]);
  });

  it('is not said twice of a server', () => {
    const naming = (...more: Parameters<typeof saw>[1][]): Story => {
      const story = new Story([A]);
      story.ask(MAPPING, A, [saw(PUBLIC, ...more)]);
      story.ask(MAPPING, B, [saw(PUBLIC, other(at('51.0.0.9')))]);
      story.test({ otherAddress: 'silent' });
      return story;
    };
    expect(kinds(naming(other(sameAddressAgain)))).toEqual(['other-address-same-ip']);
    const lacking = naming();
    lacking.facts.tests.length = 0;
    lacking.test({});
    expect(kinds(lacking)).toEqual(['server-lacks-rfc5780']);
    lacking.test({ server: B });
    expect(kinds(lacking)).toEqual(['server-lacks-rfc5780', 'filtering-inconclusive']);
    // What is said of one server excuses no other.
    const two = naming(other(sameAddressAgain));
    two.facts.tests.length = 0;
    two.test({ server: B, otherAddress: 'silent' });
    expect(kinds(two)).toEqual(['other-address-same-ip', 'change-request-ignored']);
    lacking.test({ server: C, otherAddress: 'ignored' });
    expect(bare(lacking)[2]).toEqual({ kind: 'change-request-ignored', server: '51.0.0.3:3478' });
  });

  it('is of no interest where filtering is known', () => {
    const story = tested({ otherAddress: 'passed' });
    story.test({ server: B, otherAddress: 'ignored' });
    expect(told(story)).toEqual([]);
  });
});

describe('what addresses tell', () => {
  const from = (address: string, mapped = PUBLIC, local = false): Story => {
    const story = new Story([A, B], { ground: { local } });
    const socket = story.socket(at(address, 40_000));
    story.facts.x = socket;
    for (const to of [A, B]) story.ask(MAPPING, to, [saw(mapped)], { socket });
    story.test({ otherAddress: 'passed' });
    return story;
  };

  it('is 464XLAT, and the space of carriers', () => {
    expect(bare(from('192.0.0.4'))).toEqual([{ kind: 'xlat464', local: '192.0.0.4' }]);
    expect(told(from('192.0.0.8'))).toEqual([]);
    expect(bare(from('100.64.0.9'))).toEqual([{ kind: 'shared-address-space', local: '100.64.0.9' }]);
    const closed = from('192.0.0.4');
    closed.facts.x = undefined;
    expect(kinds(closed)).not.toContain('xlat464');
  });

  it('is a server on this side, or inside a further NAT', () => {
    expect(bare(from('192.168.1.3', LOCAL, true))).toEqual([{ kind: 'server-on-this-side', address: '192.168.1.3' }]);
    expect(told(from(PUBLIC.address, PUBLIC))).toEqual([]);
    for (const inner of ['10.0.0.1', '100.64.0.1'])
      expect(bare(from('192.168.1.3', at(inner, 9), true))).toEqual([{ kind: 'private-public-side', public: inner }]);
    // Neither public nor an inner side: a link of its own.
    expect(told(from('192.168.1.3', at('169.254.1.1', 9), true))).toEqual([]);
  });

  it('is no further NAT where only a fresh socket was answered', () => {
    const story = new Story([A], { ground: { local: true } });
    story.ask(MAPPING, A);
    story.sample(41_000, [A, at('10.0.0.1', 9)]);
    expect(kinds(story)).not.toContain('private-public-side');
  });

  it('is that the NAT has several', () => {
    const story = known();
    story.sample(41_000, [A, at('12.13.14.16', 7)]);
    expect(bare(story)).toContainEqual({ kind: 'address-pooling', addresses: ['12.13.14.15', '12.13.14.16'] });
  });

  it('cannot be true where a public server names a private one', () => {
    const story = known();
    story.ask(MAPPING, C, [saw(at('10.0.0.1', 9))]);
    expect(bare(story)).toMatchObject([{ kind: 'answer-doubted', server: '51.0.0.3:3478', doubt: 'not-public' }]);
  });
});

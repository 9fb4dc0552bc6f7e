import { describe, expect, it } from 'vitest';
import type { Outgoing } from '../../src/sctp/association-api.ts';
import { type ChannelErrorKind, ChannelError, type DataChannel } from '../../src/webrtc/channel.ts';
import { Channels } from '../../src/webrtc/channels.ts';
import { encodeOpen, PPID } from '../../src/webrtc/dcep.ts';

/** Two sides, and what lies between: it carries messages when it is told to. */
class Side {
  readonly accepted: DataChannel[] = [];
  readonly noted: string[] = [];
  readonly sent: Outgoing[] = [];
  readonly resets: number[] = [];
  readonly channels: Channels;

  constructor() {
    this.channels = new Channels({
      feed: (event) => {
        if (event.kind === 'send') this.sent.push(event.message);
        else this.resets.push(...event.streams);
      },
      buffered: () => ({ bytes: 0, wanted: 100 }),
      accept: (channel) => this.accepted.push(channel),
      noted: (what, { label }) => this.noted.push(`${what} ${label}`),
    });
  }

  hears({ stream, ppid, data, unordered = false }: Outgoing): void {
    this.channels.take({ kind: 'message', stream, ppid, data, unordered });
  }
}

function exchange(a: Side, b: Side): void {
  while (a.sent.length + b.sent.length + a.resets.length + b.resets.length > 0) {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      for (const message of from.sent.splice(0)) to.hears(message);
      for (const stream of from.resets.splice(0)) {
        from.channels.take({ kind: 'reset', side: 'ours', streams: [stream] });
        to.channels.take({ kind: 'reset', side: 'theirs', streams: [stream] });
      }
    }
  }
}

function connected(): { readonly a: Side; readonly b: Side } {
  const [a, b] = [new Side(), new Side()];
  a.channels.begin('client');
  b.channels.begin('server');
  return { a, b };
}

const kind = (act: () => unknown): ChannelErrorKind | undefined => {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof ChannelError) return error.kind;
    throw error;
  }
};

describe('channels', () => {
  it('of the client have even streams, of the server odd ones, and are there on both sides', () => {
    const { a, b } = connected();
    const ours = [a.channels.open('one'), a.channels.open('two'), b.channels.open('three', { protocol: 'p' })];
    exchange(a, b);
    expect(ours.map(({ id, state }) => [id, state])).toEqual([
      [0, 'open'],
      [2, 'open'],
      [1, 'open'],
    ]);
    expect(b.accepted.map(({ id, label, state }) => [id, label, state])).toEqual([
      [0, 'one', 'open'],
      [2, 'two', 'open'],
    ]);
    expect(a.accepted[0]).toMatchObject({ id: 1, label: 'three', protocol: 'p' });
  });

  it('carry text and bytes, empty ones too', () => {
    const { a, b } = connected();
    const channel = a.channels.open('x');
    const heard: unknown[] = [];
    exchange(a, b);
    (b.accepted[0] as DataChannel).onMessage = (data) => heard.push(typeof data === 'string' ? data : [...data]);
    for (const each of ['text', '', 'Grüße', Uint8Array.of(1, 2), new Uint8Array()]) channel.send(each);
    expect(a.sent.map(({ ppid, data }) => [ppid, data.length])).toEqual([
      [51, 4],
      [56, 1],
      [51, 7],
      [53, 2],
      [57, 1],
    ]);
    exchange(a, b);
    expect(heard).toEqual(['text', '', 'Grüße', [1, 2], []]);
  });

  it('may be opened and written to before there is a connection', () => {
    const [a, b] = [new Side(), new Side()];
    const channel = a.channels.open('early');
    channel.send('before');
    expect([channel.id, a.sent.length]).toEqual([undefined, 0]);
    a.channels.begin('server');
    expect(channel.id).toBe(1);
    b.channels.begin('client');
    expect(a.sent.map(({ ppid }) => ppid)).toEqual([PPID.dcep, PPID.text]);
  });

  it('keep order until the peer has acknowledged them, whatever they are (RFC 8832 §6)', () => {
    const { a, b } = connected();
    const channel = a.channels.open('u', { ordered: false, maxRetransmits: 0 });
    channel.send('first');
    expect(a.sent.map(({ unordered = false }) => unordered)).toEqual([false, false]);
    exchange(a, b);
    channel.send('second');
    expect(a.sent).toMatchObject([{ unordered: true, retransmits: 0 }]);
    expect(b.accepted[0]).toMatchObject({ ordered: false, maxRetransmits: 0, maxLifetimeMs: undefined });
    b.accepted[0]?.send('back');
    expect(b.sent).toMatchObject([{ unordered: true, retransmits: 0 }]);
  });

  it('close on both sides, and their streams are given anew', () => {
    for (const who of ['opener', 'other'] as const) {
      const { a, b } = connected();
      const channel = a.channels.open('x');
      let closed = 0;
      exchange(a, b);
      channel.onClose = () => closed++;
      (who === 'opener' ? channel : (b.accepted[0] as DataChannel)).close();
      exchange(a, b);
      expect([channel.state, b.accepted[0]?.state, closed]).toEqual(['closed', 'closed', 1]);
      expect(kind(() => channel.send('x'))).toBe('closed');
      expect(a.channels.open('y').id).toBe(0);
      expect(a.noted).toEqual(['open x', 'closed x']);
    }
  });

  it('that are closed before they could open are simply gone', () => {
    const a = new Side();
    const channel = a.channels.open('x');
    channel.close();
    expect([channel.state, a.noted]).toEqual(['closed', ['closed x']]);
    a.channels.begin('client');
    expect(a.sent).toEqual([]);
  });

  it('end with the connection', () => {
    const { a, b } = connected();
    const channels = [a.channels.open('x'), a.channels.open('y')];
    exchange(a, b);
    a.channels.end();
    expect(channels.map(({ state }) => state)).toEqual(['closed', 'closed']);
    expect(kind(() => a.channels.open('z'))).toBe('closed');
  });

  it('refuse what cannot be', () => {
    const { a } = connected();
    expect(kind(() => a.channels.open('x', { maxRetransmits: 1, maxLifetimeMs: 1 }))).toBe('options');
    for (const bad of [-1, 0.5, 2 ** 32, Number.NaN])
      expect(kind(() => a.channels.open('x', { maxLifetimeMs: bad }))).toBe('options');
    expect(kind(() => a.channels.open('x'.repeat(65_536)))).toBe('options');
    a.channels.maxMessage = 10;
    const channel = a.channels.open('x');
    expect([kind(() => channel.send('0123456789')), kind(() => channel.send('0123456789a'))]).toEqual([
      undefined,
      'too-large',
    ]);
  });
});

describe('a peer that does not keep to the rules', () => {
  const open = encodeOpen({ ordered: true, label: 'bad', protocol: '' });
  const dcep = (stream: number, data = open): Outgoing => ({ stream, ppid: PPID.dcep, data });

  it('cannot open streams of ours, or what is no announcement: those are closed', () => {
    const { a } = connected();
    a.hears(dcep(2));
    a.hears(dcep(65_535));
    a.hears(dcep(1, Uint8Array.of(3, 0)));
    expect([a.accepted.length, a.resets]).toEqual([0, [2, 65_535, 1]]);
  });

  it('changes nothing of a channel that is open', () => {
    const { a } = connected();
    a.hears(dcep(1));
    a.hears(dcep(1, encodeOpen({ ordered: false, label: 'again', protocol: '' })));
    expect([a.accepted.map(({ label }) => label), a.resets]).toEqual([['bad'], []]);
  });

  it('is not heard on streams that nobody opened', () => {
    const { a } = connected();
    a.hears({ stream: 7, ppid: PPID.text, data: Buffer.from('x') });
    a.hears({ stream: 7, ppid: PPID.dcep, data: Uint8Array.of(2) });
    a.channels.take({ kind: 'reset', side: 'theirs', streams: [9] });
    expect([a.accepted, a.sent, a.resets]).toEqual([[], [], []]);
  });

  it('has no more than 1,024 channels', () => {
    const { a } = connected();
    for (let nth = 0; nth < 2_000; nth++) a.hears(dcep(2 * nth + 1));
    expect([a.accepted.length, a.resets.length]).toEqual([1_024, 976]);
  });

  it('says nothing by payloads of kinds that are not known', () => {
    const { a } = connected();
    a.hears(dcep(1));
    const heard: unknown[] = [];
    (a.accepted[0] as DataChannel).onMessage = (data) => heard.push(data);
    for (const ppid of [0, 52, 54, 99]) a.hears({ stream: 1, ppid, data: Buffer.from('x') });
    expect(heard).toEqual([]);
  });
});

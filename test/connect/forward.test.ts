import { describe, expect, it } from 'vitest';
import { forward } from '../../src/connect/forward.ts';
import type { Endpoint } from '../../src/net/address.ts';
import { NetError, type Udp, type UdpListener } from '../../src/net/env.ts';

const LOCAL: Endpoint = { address: '127.0.0.1', port: 51820 };
const never = new AbortController().signal;
const bytes = (...of: number[]): Uint8Array => Uint8Array.from(of);

/** A host on which a program holds the port, or none does. */
function host(held: boolean, error: NetError = new NetError('in-use', 'taken')) {
  const toProgram: { readonly to: Endpoint | undefined; readonly data: Uint8Array }[] = [];
  const opened: number[] = [];
  let listener: UdpListener | undefined;
  let closed = false;
  const udp: Udp = {
    open: async ({ port = 0, address = '' }) => {
      opened.push(port);
      if (port === LOCAL.port && held) throw error;
      return {
        local: { address, port: port || 40_000 },
        send: async (data, to) => void toProgram.push({ to, data }),
        listen: (next) => (listener = next),
        close: () => (closed = true),
      };
    },
  };
  return {
    udp,
    toProgram,
    opened,
    isClosed: () => closed,
    from: (endpoint: Endpoint, data: Uint8Array) => listener?.datagram({ data, from: endpoint, at: 0 }),
  };
}

/** The tunnel: what went in, and a way to let something out. */
function tunnel() {
  const sent: number[][] = [];
  let out: (data: Uint8Array) => void = () => {};
  return {
    sent,
    arrive: (data: Uint8Array) => out(data),
    carrier: {
      send: (data: Uint8Array) => sent.push([...data]) > 0,
      onData: (listener: (data: Uint8Array, at: number) => void) => (out = (data) => listener(data, 0)),
    },
  };
}

describe('forwarding to a program that holds the port', () => {
  it('brings it what the peer sends, from a port of our own, and the peer what it answers', async () => {
    const [on, through] = [host(true), tunnel()];
    const forwarding = await forward(on, LOCAL, through.carrier, never);
    expect(forwarding).toMatchObject({ mode: 'program', local: '127.0.0.1:40000' });
    expect(on.opened).toEqual([51820, 0]);
    through.arrive(bytes(1));
    expect(on.toProgram).toEqual([{ to: LOCAL, data: bytes(1) }]);
    on.from(LOCAL, bytes(2));
    expect(through.sent).toEqual([[2]]);
    expect(forwarding.counts).toEqual({ outbound: 1, inbound: 1 });
  });

  it('lets no other program of this host send into the tunnel', async () => {
    const [on, through] = [host(true), tunnel()];
    const { counts } = await forward(on, LOCAL, through.carrier, never);
    for (const from of [
      { ...LOCAL, port: 51821 },
      { ...LOCAL, address: '127.0.0.2' },
      { address: '192.168.1.3', port: 1 },
    ])
      on.from(from, bytes(9));
    expect([through.sent, counts.outbound]).toEqual([[], 0]);
  });

  it('takes its port for it where it listens on every address', async () => {
    const [on, through] = [host(true), tunnel()];
    await forward(on, { ...LOCAL, address: '0.0.0.0' }, through.carrier, never);
    on.from({ address: '192.168.1.3', port: LOCAL.port }, bytes(1));
    on.from({ address: '192.168.1.3', port: 1 }, bytes(2));
    expect(through.sent).toEqual([[1]]);
  });
});

describe('forwarding from a free port', () => {
  it('holds it, and answers whoever sent last; before that nobody is there', async () => {
    const [on, through] = [host(false), tunnel()];
    const forwarding = await forward(on, LOCAL, through.carrier, never);
    expect(forwarding).toMatchObject({ mode: 'held', local: '127.0.0.1:51820' });
    through.arrive(bytes(1));
    expect(on.toProgram).toEqual([]);
    const programs = [5, 6].map((port) => ({ ...LOCAL, port }));
    for (const [i, from] of programs.entries()) {
      on.from(from, bytes(i));
      through.arrive(bytes(10 + i));
    }
    expect(on.toProgram).toEqual(programs.map((to, i) => ({ to, data: bytes(10 + i) })));
    expect([through.sent, forwarding.counts]).toEqual([[[0], [1]], { outbound: 2, inbound: 2 }]);
    forwarding.close();
    expect(on.isClosed()).toBe(true);
  });

  it('fails where the port cannot be had for another reason', async () => {
    const on = host(true, new NetError('denied', 'no'));
    await expect(forward(on, LOCAL, tunnel().carrier, never)).rejects.toMatchObject({ kind: 'denied' });
  });
});

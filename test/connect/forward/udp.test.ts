import { describe, expect, it } from 'vitest';
import { Flows } from '../../../src/connect/forward/udp.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { NetError, type Udp, type UdpListener } from '../../../src/net/env.ts';

const LOCAL: Endpoint = { address: '127.0.0.1', port: 51820 };
const FORWARD = { port: 7, local: LOCAL };
const never = new AbortController().signal;
const bytes = (...of: number[]): Uint8Array => Uint8Array.from(of);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A host on which a program holds the port, or none does. */
function host(held: boolean, error: NetError = new NetError('in-use', 'taken')) {
  const toProgram: { readonly by: number; readonly to: Endpoint | undefined; readonly data: number[] }[] = [];
  const listeners = new Map<number, UdpListener>();
  const closed: number[] = [];
  let next = 40_000;
  const udp: Udp = {
    open: async ({ port = 0, address = '' }) => {
      if (port === LOCAL.port && held) throw error;
      const own = port || next++;
      return {
        local: { address, port: own },
        send: async (data, to) => void toProgram.push({ by: own, to, data: [...data] }),
        listen: (listener) => void listeners.set(own, listener),
        close: () => closed.push(own),
      };
    },
  };
  return {
    udp,
    toProgram,
    closed,
    from: (endpoint: Endpoint, to: number, ...data: number[]) =>
      listeners.get(to)?.datagram({ data: bytes(...data), from: endpoint, at: 0 }),
  };
}

/** The tunnel: what went in, and a way to let something out. */
function tunnel() {
  const sent: number[][] = [];
  let out: (data: Uint8Array) => void = () => {};
  const flows = new Flows({
    send: (data) => sent.push([...data]) > 0,
    onData: (listener) => (out = listener),
  });
  return { sent, flows, arrive: (...data: number[]) => out(bytes(...data)) };
}

describe('where a program holds the port', () => {
  it('it hears each flow of the peer from a port of its own, and its answers go back on it', async () => {
    const [on, { sent, flows, arrive }] = [host(true), tunnel()];
    const forwarding = await flows.open(on, FORWARD, never);
    expect(forwarding).toMatchObject({ mode: 'program', local: '127.0.0.1:40000' });
    arrive(0, 7, 0, 0, 1);
    arrive(0, 7, 0, 5, 2);
    arrive(0, 7, 0, 5, 3);
    await turn();
    arrive(0, 7, 0, 6, 4);
    await turn();
    expect(on.toProgram).toEqual([
      { by: 40_000, to: LOCAL, data: [1] },
      { by: 40_001, to: LOCAL, data: [2] },
      { by: 40_001, to: LOCAL, data: [3] },
      { by: 40_002, to: LOCAL, data: [4] },
    ]);
    on.from(LOCAL, 40_002, 9);
    on.from(LOCAL, 40_000, 8);
    expect(sent).toEqual([
      [0, 7, 0, 6, 9],
      [0, 7, 0, 0, 8],
    ]);
    expect(forwarding.counts).toEqual({ outbound: 2, inbound: 4 });
    forwarding.close();
    expect(on.closed).toEqual([40_000, 40_001, 40_002]);
  });

  it('no other program of this host sends into the tunnel', async () => {
    const [on, { sent, flows }] = [host(true), tunnel()];
    await flows.open(on, FORWARD, never);
    for (const from of [
      { ...LOCAL, port: 51821 },
      { ...LOCAL, address: '127.0.0.2' },
      { address: '192.168.1.3', port: 1 },
    ])
      on.from(from, 40_000, 9);
    expect(sent).toEqual([]);
  });

  it('its port counts where it listens on every address', async () => {
    const [on, { sent, flows }] = [host(true), tunnel()];
    await flows.open(on, { port: 7, local: { ...LOCAL, address: '0.0.0.0' } }, never);
    on.from({ address: '192.168.1.3', port: LOCAL.port }, 40_000, 1);
    on.from({ address: '192.168.1.3', port: 1 }, 40_000, 2);
    expect(sent).toEqual([[0, 7, 0, 0, 1]]);
  });

  it('flows without number take no more than so many sockets', async () => {
    const [on, { flows, arrive }] = [host(true), tunnel()];
    await flows.open(on, FORWARD, never);
    for (let flow = 1; flow < 1000; flow++) {
      arrive(0, 7, flow >> 8, flow & 255, 1);
      await turn();
    }
    expect(on.toProgram).toHaveLength(999);
    expect(on.closed.length).toBeGreaterThan(700);
  });
});

describe('where the port is free', () => {
  it('each that sends to it is a flow, and hears its own answers', async () => {
    const [on, { sent, flows, arrive }] = [host(false), tunnel()];
    const forwarding = await flows.open(on, FORWARD, never);
    expect(forwarding).toMatchObject({ mode: 'held', local: '127.0.0.1:51820' });
    arrive(0, 7, 0, 0, 1);
    expect(on.toProgram).toEqual([]);
    const [one, two] = [5, 6].map((port) => ({ ...LOCAL, port })) as [Endpoint, Endpoint];
    on.from(one, 51_820, 1);
    on.from(two, 51_820, 2);
    on.from(one, 51_820, 3);
    expect(sent).toEqual([
      [0, 7, 0, 1, 1],
      [0, 7, 0, 2, 2],
      [0, 7, 0, 1, 3],
    ]);
    arrive(0, 7, 0, 1, 11);
    arrive(0, 7, 0, 2, 12);
    // What the other side began itself is for whoever sent last.
    arrive(0, 7, 0, 0, 13);
    expect(on.toProgram.map(({ to, data }) => [to?.port, ...data])).toEqual([
      [5, 11],
      [6, 12],
      [5, 13],
    ]);
    expect(forwarding.counts).toEqual({ outbound: 3, inbound: 3 });
  });

  it('tunnels are told apart, and what is none is dropped', async () => {
    const [on, { flows, arrive }] = [host(false), tunnel()];
    await flows.open(on, FORWARD, never);
    on.from({ ...LOCAL, port: 5 }, 51_820, 1);
    arrive(0, 8, 0, 1, 11);
    arrive(0, 7, 0);
    arrive();
    expect(on.toProgram).toEqual([]);
  });

  it('fails where the port cannot be had for another reason', async () => {
    const on = host(true, new NetError('denied', 'no'));
    await expect(tunnel().flows.open(on, FORWARD, never)).rejects.toMatchObject({ kind: 'denied' });
  });
});

import { describe, expect, it } from 'vitest';
import { DatagramOutput } from '../../../src/commands/datagrams/output.ts';
import { Listener } from '../../../src/commands/listen/listener.ts';
import type { Datagram, UdpSocket } from '../../../src/net/env.ts';
import { stillEnv } from '../../cli/harness.ts';

describe('what a flood does', () => {
  const datagram = (port: number): Datagram => ({
    data: new Uint8Array(0),
    from: { address: '192.0.2.1', port },
    at: 0,
  });
  const never = { write: () => new Promise<void>(() => {}) };

  it('nothing to the memory, when standard output is not read: even empty datagrams are dropped in the end', () => {
    const output = new DatagramOutput(
      { env: stillEnv, io: { stdout: never } as never, emit: () => never.write() },
      'events',
      false,
    );
    for (let i = 0; i < 100_000; i++) output.put(datagram(1));
    expect(output.dropped).toBeGreaterThan(30_000);
  });

  it('many senders are counted, and only so many told apart', () => {
    const output = new DatagramOutput({ env: stillEnv, io: {} as never, emit: async () => {} }, 'events', false);
    const listener = new Listener({ keepListening: true, echo: undefined, count: undefined }, output, () => {}, 0);
    for (let port = 1; port <= 20_000; port++) listener.hear({} as UdpSocket, datagram(port));
    expect(listener.datagrams).toBe(20_000);
    expect(listener.tallies.size).toBe(10_000);
  });
});

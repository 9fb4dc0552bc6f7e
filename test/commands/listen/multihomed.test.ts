/** A host with two addresses answers from the one that was asked. */
import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { interruptible, play, run } from '../worlds.ts';

const at = (address: string, port: number): Endpoint => ({ address, port });
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('listen on a host with two addresses', () => {
  const asked = (words: string[], stdin?: string) =>
    play(createLab({ nat: 'none' }), async (on, later) => {
      const { signal, interrupt } = interruptible();
      const listening = run(['listen', '-p', '12001', ...words], {
        env: on('S'),
        signal,
        ...(stdin !== undefined && { stdin }),
      });
      await later(10);
      const socket = await on('A').udp.open({ family: 4 });
      const heard: [string, string][] = [];
      socket.listen({ datagram: ({ from, data }) => void heard.push([from.address, text(data)]) });
      for (const address of ['40.30.20.11', '40.30.20.10', '40.30.20.11']) {
        await socket.send(Buffer.from(`to ${address}`), at(address, 12_001));
        await later(200);
      }
      interrupt();
      const { stdout } = await listening;
      socket.close();
      return { heard, stdout };
    });

  it('sends an echo from the address that was asked', async () => {
    const { heard } = await asked(['--echo']);
    expect(heard).toEqual([
      ['40.30.20.11', 'to 40.30.20.11'],
      ['40.30.20.10', 'to 40.30.20.10'],
      ['40.30.20.11', 'to 40.30.20.11'],
    ]);
  });

  it('and what is typed, too', async () => {
    const { heard } = await asked(['-k'], 'hello');
    expect(heard).toEqual([['40.30.20.11', 'hello']]);
  });
});

import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/topology.ts';
import type { Endpoint } from '../../src/net/address.ts';
import { sleep } from '../../src/net/wait.ts';
import { B, ask, bytes, string, kindOf } from './talk.ts';

describe('TCP', () => {
  const collect = async (stream: AsyncIterable<Uint8Array>): Promise<string> => {
    let text = '';
    for await (const chunk of stream) text += string(chunk);
    return text;
  };

  it('carries bytes both ways through the NAT, also where UDP is blocked', async () => {
    const lab = createLab({ nat: 'blocked', loss: 0.5 });
    const seen: Endpoint[] = [];
    lab.serve('B', (env) =>
      env.tcp.listen({ address: '0.0.0.0', port: 80 }, async (stream) => {
        seen.push(stream.remote);
        for await (const chunk of stream) await stream.write(bytes(string(chunk).toUpperCase()));
        stream.close();
      }),
    );
    const got = await lab.run(async (env) => {
      expect(await ask(env)).toEqual([]);
      const stream = await env.tcp.connect({ ...B, port: 80 }, {});
      expect(env.clock.now()).toBe(1040);
      await stream.write(bytes('one '));
      await stream.write(bytes('two'));
      await sleep(env.clock, 100);
      stream.close();
      return collect(stream);
    });
    expect(got).toBe('ONE TWO');
    expect(seen).toEqual([{ address: '12.13.14.15', port: 24_604 }]);
  });

  it('is refused, lost, or has the wrong name', async () => {
    const lab = createLab();
    lab.serve('B', (env) => env.tcp.listen({ address: '0.0.0.0', port: 443 }, (stream) => stream.close()));
    lab.system('B').tcp.certificates.add('b.example.net');
    await lab.run(async (env) => {
      const at = { ...B, port: 443 };
      expect(await kindOf(env.tcp.connect({ ...B, port: 81 }, {}))).toBe('refused');
      expect(await kindOf(env.tcp.connect(at, { tls: { serverName: 'c.example.net' } }))).toBe('tls');
      const stream = await env.tcp.connect(at, { tls: { serverName: 'b.example.net' } });
      stream.close();
      const controller = new AbortController();
      env.clock.after(500, () => controller.abort(new Error('enough')));
      await expect(env.tcp.connect({ address: '9.9.9.9', port: 80 }, {}, controller.signal)).rejects.toThrow('enough');
    });
  });

  it('has ports of its own in each family', async () => {
    const lab = createLab({ ipv6: true });
    await lab.run(async (env) => {
      const listen = (address: string) => env.tcp.listen({ address, port: 80 }, (stream) => stream.close());
      const both = [await listen('0.0.0.0'), await listen('::')];
      expect(await kindOf(listen('127.0.0.1'))).toBe('in-use');
      expect(await kindOf(listen('::1'))).toBe('in-use');
      for (const each of both) each.close();
    });
  });

  it('cannot be opened to A from outside', async () => {
    const lab = createLab();
    await lab.run(async (env) => {
      const listener = await env.tcp.listen({ address: '0.0.0.0', port: 80 }, (stream) => stream.close());
      const controller = new AbortController();
      lab.host('B').clock.after(500, () => controller.abort(new Error('enough')));
      await expect(
        lab.host('B').tcp.connect({ address: '12.13.14.15', port: 80 }, {}, controller.signal),
      ).rejects.toThrow('enough');
      listener.close();
    });
  });
});

import { describe, expect, it } from 'vitest';
import { gather, type Gathered, ownAddresses } from '../../../src/connect/traversal/gather.ts';
import { createLab, type LabOptions } from '../../../src/lab/topology.ts';
import { formatEndpoint } from '../../../src/net/address.ts';
import { type Env, type InterfaceAddress, NetError } from '../../../src/net/env.ts';
import { Waits } from '../../../src/net/wait.ts';

const server = { address: '40.30.20.10', port: 3478 };

const on = <T>(
  work: (gathered: Gathered, env: Env, start: number) => T,
  options: LabOptions = {},
  over: { source?: string; port?: number; change?: (env: Env) => Env } = {},
): Promise<T> =>
  createLab(options).run(async (env, signal) => {
    const waits = new Waits(signal);
    const start = env.clock.now();
    const { change = (own) => own, source, port } = over;
    try {
      const gathered = await gather(change(env), { family: 4, server, heard: () => {}, source, port }, waits);
      const result = work(gathered, env, start);
      gathered.sockets.closeAll();
      return result;
    } finally {
      waits.end();
    }
  });

const endpoints = ({ endpoints: all }: Gathered): string[] => all.map(formatEndpoint);

describe('where this host may be reached', () => {
  it('at its interface’s address, by the port that was asked for', async () => {
    expect(await on(endpoints, {}, { port: 7000 })).toEqual(['192.168.1.3:7000']);
  });

  it('by IPv6 on a socket of its own, unless a source is named', async () => {
    const [four, six] = await on(endpoints, { ipv6: 'open' });
    expect([four?.startsWith('192.168.1.3:'), six?.startsWith('[2001:db8:')]).toEqual([true, true]);
    expect(await on(({ other: socket }) => socket?.local.address.includes(':'), { ipv6: 'open' })).toBe(true);
    expect(await on(endpoints, { ipv6: 'open' }, { source: '192.168.1.3', port: 1 })).toEqual(['192.168.1.3:1']);
  });

  it('by IPv4 alone where IPv6 is only half there', async () => {
    const change = (env: Env): Env => ({
      ...env,
      udp: {
        open: async (options, signal) => {
          if (options.family === 6) throw new NetError('not-available', 'no IPv6');
          return env.udp.open(options, signal);
        },
      },
    });
    expect(await on((found) => [endpoints(found).length, found.other], { ipv6: 'open' }, { change })).toEqual([
      1,
      undefined,
    ]);
  });

  it.each<[NetError['kind'], number, string]>([
    ['unreachable', 400, 'there'],
    ['unreachable', 5_000, 'unreachable after 1000'],
    ['denied', 5_000, 'denied after 1000'],
    ['not-available', 5_000, 'not-available after 0'],
  ])('%s for %i ms: %s', async (kind, ms, outcome) => {
    let start: number | undefined;
    let clock: Env['clock'] | undefined;
    const change = (env: Env): Env => ({
      ...env,
      udp: {
        open: async (options, signal) => {
          clock = env.clock;
          start ??= env.clock.now();
          if (env.clock.now() - start < ms) throw new NetError(kind, 'no');
          return env.udp.open(options, signal);
        },
      },
    });
    const found = await on(() => 'there', {}, { change }).catch(
      (error: NetError) => `${error.kind} after ${(clock?.now() ?? 0) - (start ?? 0)}`,
    );
    expect(found).toBe(outcome);
  });

  it('has no patience where there is no network at all', async () => {
    const started = createLab({ offline: true });
    await started.run(async (env, signal) => {
      const waits = new Waits(signal);
      const start = env.clock.now();
      await expect(gather(env, { family: 4, server, heard: () => {} }, waits)).rejects.toMatchObject({
        kind: 'unreachable',
      });
      expect(env.clock.now() - start).toBe(0);
      waits.end();
    });
  });

  it('never at addresses that mean nothing to others', () => {
    const address = (of: string, internal = false): InterfaceAddress => ({
      name: 'x',
      address: of,
      family: of.includes(':') ? 6 : 4,
      prefixLength: 8,
      internal,
    });
    const interfaces = () => [
      address('127.0.0.1', true),
      address('10.0.0.1', true),
      address('127.0.0.2'),
      address('169.254.1.1'),
      address('10.0.0.2'),
      address('12.13.14.15'),
      address('fe80::1'),
      address('2001:db8::1'),
    ];
    expect(ownAddresses({ interfaces }, 4)).toEqual(['10.0.0.2', '12.13.14.15']);
    expect(ownAddresses({ interfaces }, 6)).toEqual(['2001:db8::1']);
  });
});

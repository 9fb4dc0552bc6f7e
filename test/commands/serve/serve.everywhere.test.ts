/** `serve` on a host with several addresses: each answers for itself, and they come and go. */
import { describe, expect, it } from 'vitest';
import { Lab } from '../../../src/lab/topology.ts';
import type { Env, InterfaceAddress } from '../../../src/net/env.ts';
import { NetError } from '../../../src/net/env.ts';
import { sleep } from '../../../src/net/wait.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { run } from '../worlds.ts';

const [FIRST, SECOND] = ['40.30.20.60', '40.30.20.61'];

interface Stage {
  readonly env: Env;
  readonly host: Env;
  readonly signal: AbortSignal;
  /** What the host says that its addresses are. */
  interfaces: InterfaceAddress[];
  /** Where answers to a Binding request come from. */
  ask(address: string, port?: number): Promise<string[]>;
}

/** What `serve` printed while `script` ran. */
async function serving(
  words: readonly string[],
  script: (stage: Stage) => Promise<void>,
  change: (host: Env) => Partial<Env> = () => ({}),
) {
  const lab = new Lab({ nat: 'full-cone', ipv6: true, patienceMs: 60_000 });
  const real = lab.addHost('T', [FIRST, SECOND, '2001:db8:40::60']);
  const stop = new AbortController();
  return lab.run(async (env, signal) => {
    const stage: Stage = {
      env,
      signal,
      host: real,
      interfaces: real.interfaces(),
      ask: async (address, port = 3478) => {
        const from: string[] = [];
        const socket = await env.udp.open({ family: address.includes(':') ? 6 : 4 });
        socket.listen({ datagram: (heard) => from.push(`${heard.from.address} ${heard.from.port}`) });
        await socket.send(encodeBinding('request', env.random.bytes(12)), { address, port });
        await sleep(env.clock, 500, signal);
        socket.close();
        return from;
      },
    };
    const host = { ...real, interfaces: () => stage.interfaces, ...change(real) };
    const server = run(['serve', ...words, '--json'], { env: host, signal: stop.signal });
    await sleep(env.clock, 10, signal);
    try {
      await script(stage);
    } finally {
      stop.abort(new DOMException('interrupted', 'AbortError'));
    }
    const { stdout, stderr, status } = await server;
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    return { events, stderr, status };
  });
}

const named = (events: readonly Record<string, unknown>[], kind: string) =>
  events.filter(({ event }) => event === kind).map(({ transport, address }) => `${transport} ${address}`);

describe('serve on a host with several addresses', () => {
  it('answers from the address and port that were asked, over both families, and counts them in one', async () => {
    const { events, status } = await serving([], async ({ ask }) => {
      for (const address of [FIRST, SECOND, '2001:db8:40::60'])
        for (const port of [3478, 3479]) expect(await ask(address, port)).toEqual([`${address} ${port}`]);
    });
    expect(status).toBe(0);
    expect(named(events, 'listening').slice(0, 3)).toEqual([
      `udp ${FIRST}:3478`,
      `udp ${FIRST}:3479`,
      `tcp ${FIRST}:3478`,
    ]);
    expect(named(events, 'listening')).toHaveLength(15);
    expect(events.at(-1)).toMatchObject({ data: { counters: { received: 6, answered: 6 } } });
  });

  it.each([
    ['-4', [FIRST, SECOND, '127.0.0.1'].map((address) => `${address}:3478`)],
    ['-6', ['[2001:db8:40::60]:3478', '[::1]:3478']],
  ])('keeps to a family: %s', async (word, addresses) => {
    const { events } = await serving([word], async () => {});
    expect(named(events, 'listening').filter((each) => each.startsWith('tcp'))).toEqual(
      addresses.map((each) => `tcp ${each}`),
    );
  });

  it('has two meet who come by different addresses', async () => {
    const code = 'k7qf2-m9x4t-03bsd-v8hwd';
    const { events } = await serving([], async ({ env }) => {
      const by = (address: string) => run(['connect', code, '--server', address, '--check'], { env });
      expect((await Promise.all([by(FIRST), by(SECOND)])).map(({ status }) => status)).toEqual([0, 0]);
    });
    expect(events.at(-1)).toMatchObject({ data: { counters: { meetings: 1 } } });
  });

  it('notices addresses that come and go', async () => {
    const { events } = await serving([], async (stage) => {
      const all = stage.interfaces;
      stage.interfaces = all.filter(({ address }) => address !== FIRST);
      await sleep(stage.env.clock, 31_000, stage.signal);
      expect(await stage.ask(FIRST)).toEqual([]);
      expect(await stage.ask(SECOND)).toEqual([`${SECOND} 3478`]);
      stage.interfaces = all;
      await sleep(stage.env.clock, 31_000, stage.signal);
      expect(await stage.ask(FIRST)).toEqual([`${FIRST} 3478`]);
    });
    const gone = [`udp ${FIRST}:3478`, `udp ${FIRST}:3479`, `tcp ${FIRST}:3478`];
    expect(named(events, 'closed')).toEqual(gone);
    expect(named(events, 'listening').slice(-3)).toEqual(gone);
  });

  it('goes on without an address that is not usable yet, and has it when it is', async () => {
    let usable = false;
    const { events } = await serving(
      [],
      async (stage) => {
        expect(await stage.ask(SECOND)).toEqual([]);
        usable = true;
        await sleep(stage.env.clock, 31_000, stage.signal);
        expect(await stage.ask(SECOND)).toEqual([`${SECOND} 3478`]);
      },
      (host) => ({
        udp: {
          open: async (options, signal) => {
            if (!usable && options.address === SECOND)
              throw new NetError('not-available', 'tentative', 'EADDRNOTAVAIL');
            return host.udp.open(options, signal);
          },
        },
      }),
    );
    expect(named(events, 'listening').slice(-3)).toContain(`udp ${SECOND}:3478`);
  });

  it('says once what hinders it at an address that came later', async () => {
    let taken: { close(): void } | undefined;
    const { stderr } = await serving([], async (stage) => {
      const all = stage.interfaces;
      stage.interfaces = all.filter(({ address }) => address !== SECOND);
      await sleep(stage.env.clock, 31_000, stage.signal);
      taken = await stage.host.udp.open({ family: 4, address: SECOND, port: 3478 });
      stage.interfaces = all;
      await sleep(stage.env.clock, 91_000, stage.signal);
      taken.close();
      await sleep(stage.env.clock, 31_000, stage.signal);
      expect(await stage.ask(SECOND)).toEqual([`${SECOND} 3478`]);
    });
    expect(stderr.match(/cannot be served on/g)).toHaveLength(1);
  });

  it('has one port everywhere where the system chooses it', async () => {
    const { events } = await serving(['-p', '0', '-4'], async () => {});
    const ports = named(events, 'listening')
      .filter((each) => each.startsWith('tcp'))
      .map((each) => each.split(':')[1]);
    expect(ports).toHaveLength(3);
    expect(new Set(ports).size).toBe(1);
  });

  it('fails where another program has the port of one of them, and leaves nothing open', async () => {
    const lab = new Lab();
    const host = lab.addHost('T', [FIRST, SECOND]);
    await lab.run(async () => {
      const taken = await host.udp.open({ family: 4, address: SECOND, port: 3478 });
      const { status, stderr } = await run(['serve'], { env: host });
      expect({ status, stderr }).toEqual({
        status: 2,
        stderr: expect.stringContaining(`port 3478 of ${SECOND} is taken`),
      });
      taken.close();
    });
  });
});

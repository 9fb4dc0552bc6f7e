/** `serve --workers`: whichever process a datagram comes to, the server is one. */
import { describe, expect, it } from 'vitest';
import { Lab } from '../../../src/lab/topology.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import type { Env, UdpSocket } from '../../../src/net/env.ts';
import { decode, type Decoded, mappedAddress } from '../../../src/stun/message.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { decodeState } from '../../../src/rendezvous/protocol.ts';
import { openRelay } from '../../../src/turn/open.ts';
import { parseTurnServer } from '../../../src/turn/uri.ts';
import { bytes, packet, register, two } from '../../rendezvous/wire.ts';
import { interruptible, play, run, tell } from '../worlds.ts';
import { type FewProcesses, processesIn, sharing } from './processes.ts';

const [T, U] = ['40.30.20.60', '40.30.20.61'];
const AT = { address: T, port: 3478 };
/** B, on the internet. */
const PEER = '50.60.70.80';
const CODE = 'k7qf2-m9x4t-03bsd-v8hwd';

const ALICE = { username: 'alice', password: 'secret' };

interface Scene {
  readonly a: Env;
  readonly b: Env;
  readonly c2: Env;
  readonly processes: FewProcesses;
  readonly later: (ms: number) => Promise<void>;
  readonly term: () => void;
}

function serving<T>(words: readonly string[], main: (scene: Scene) => Promise<T>) {
  const lab = new Lab({ nat: 'full-cone', second: { nat: 'full-cone' } });
  lab.addHost('T', [T, U]);
  const { signal, interrupt } = interruptible();
  let term = (): void => {};
  return play(lab, async (on, later) => {
    const env = sharing(on('T'));
    const processes = processesIn(env);
    const ended = tell(env, ['serve', ...words], {
      signal,
      processes,
      files: { users: 'alice:secret' },
      onTerm: (handler) => {
        term = handler;
      },
    });
    await later(100);
    const found = await main({ a: on('A'), b: on('B'), c2: on('C2'), later, processes, term: () => term() });
    interrupt();
    return { found, server: await ended, said: processes.said };
  });
}

const count = (said: readonly { kind: string }[], kind: string): number =>
  said.filter((each) => each.kind === kind).length;

describe('serve --workers', () => {
  it('does RFC 5780 whichever of them is asked, and adds up what they have counted', async () => {
    const { found, server, said } = await serving(['-s', T, '-s', U, '--workers', '2'], async ({ a }) => {
      const told: unknown[] = [];
      for (let i = 0; i < 4; i++) told.push((await tell(a, ['detect', T])).report.data['type']);
      return { told, last: (await tell(a, ['stun', '-c', '4', T])).report.data };
    });
    expect(found.told).toEqual(Array(4).fill('full-cone'));
    expect(server.events).toContainEqual({ event: 'workers', processes: 2 });
    const { counters } = server.report.data as { counters: Record<string, number> };
    const counts = said.filter(({ kind }) => kind === 'counts').at(-1) as unknown as {
      counters: Record<string, number>;
    };
    // Both have answered, and nothing was counted twice or left out.
    expect(counts.counters['answered']).toBeGreaterThan(4);
    expect(counters['answered']).toBeGreaterThan(counts.counters['answered'] as number);
    expect(counters['received']).toBe((counters['answered'] as number) + (counters['refused'] as number));
  });

  it('answers to another port where RESPONSE-PORT asks for it', async () => {
    const { found } = await serving(['-s', T, '--workers', '3'], async ({ c2, later }) => {
      const [asks, hears] = [await c2.udp.open({ family: 4 }), await c2.udp.open({ family: 4 })];
      const heard: Decoded[] = [];
      hears.listen({ datagram: ({ data }) => void heard.push(decode(data)) });
      // Opens the NAT, and tells the outer port.
      await hears.send(encodeBinding('request', bytes(12, 1)), AT);
      await later(100);
      const mapped = mappedAddress(heard[0] as Decoded) as Endpoint;
      for (let i = 2; i < 5; i++)
        await asks.send(encodeBinding('request', bytes(12, i), [attribute('RESPONSE-PORT', mapped.port)]), AT);
      await later(100);
      for (const each of [asks, hears]) each.close();
      return heard.map(({ transactionId }) => transactionId[0]);
    });
    expect(found).toEqual([1, 2, 3, 4]);
  });

  it('has one rendezvous: pairs meet, whichever processes they come to', async () => {
    const { found, said } = await serving(['-s', T, '--workers', '2'], async ({ a, c2 }) => {
      const pair = await Promise.all(
        [a, c2].map((env) =>
          tell(env, ['connect', '--check', '--server', T], { environment: { NAT_TOOL_CODE: CODE } }),
        ),
      );
      return pair.map(({ status, report }) => [status, report.data['path']]);
    });
    expect(found).toEqual([
      [0, 'direct'],
      [0, 'direct'],
    ]);
    expect(count(said, 'datagram')).toBeGreaterThan(1);
  });

  it('relays too: what is no Binding request is the owner’s', async () => {
    const { found, said } = await serving(
      ['-s', T, '--workers', '2', '--turn', '--users', 'users'],
      async ({ a, b }) => {
        const relay = await openRelay(
          a,
          parseTurnServer(`turn:${T}`),
          { credentials: ALICE },
          new AbortController().signal,
        );
        const peer = await b.udp.open({ family: 4, address: PEER, port: 5000 });
        peer.listen({ datagram: ({ data, from }) => void peer.send(data, from) });
        const heard: number[] = [];
        const all = new Promise<void>((resolve) =>
          relay.listen({ datagram: ({ data }) => void (heard.push(data[0] as number) === 8 && resolve()) }),
        );
        const to = peer.local;
        for (let i = 1; i <= 8; i++) await relay.send(bytes(100, i), to);
        await all;
        relay.close();
        peer.close();
        return heard;
      },
    );
    expect(found).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(count(said, 'datagram')).toBeGreaterThan(4);
  });

  it('hands on nothing of what nobody wants', async () => {
    const { said, server } = await serving(['-s', T, '--workers', '2'], async ({ a, later }) => {
      const socket = await a.udp.open({ family: 4 });
      for (let i = 0; i < 8; i++) await socket.send(bytes(100, i), AT);
      await later(100);
      socket.close();
    });
    expect(count(said, 'datagram')).toBe(0);
    expect(server.report.data['counters']).toMatchObject({ received: 8, ignored: 8 });
  });

  it('starts anew what ends, later each time, and says so; what was counted is kept', async () => {
    const { found, server } = await serving(['-s', T, '--workers', '2'], async ({ a, processes, later }) => {
      await run(['stun', '-c', '6', T], { env: a });
      await later(1100);
      const started: number[] = [];
      for (let i = 0; i < 4; i++) {
        processes.kill();
        await later(250);
        started.push(processes.started);
      }
      const status = (await run(['stun', '-c', '4', T], { env: a })).status;
      return { started, status };
    });
    // After 100, 200 and 400 ms.
    expect(found).toEqual({ started: [2, 3, 3, 4], status: 0 });
    expect(server.stderr).toMatch(
      /a process that answers has ended \(SIGKILL\); another one starts in 0\.1 s\n.*in 0\.2 s\n.*0\.4 s/,
    );
    // Each run of stun asks the next port once, too.
    expect(server.report.data['counters']).toMatchObject({ received: 12, answered: 12 });
  });

  it('answers in all of them until a graceful end', async () => {
    const { found, server } = await serving(
      ['-s', T, '--workers', '2', '--drain', '3'],
      async ({ a, c2, term, later }) => {
        const socket = await a.udp.open({ family: 4 });
        const other = await c2.udp.open({ family: 4 });
        const statuses: unknown[] = [];
        // Confirmed only where the cookie, given by one process, holds in all.
        const cookies = new Map<unknown, Uint8Array>();
        const say = async (by: UdpSocket, member: Uint8Array, room = 1): Promise<void> => {
          const cookie = cookies.get(by) ?? bytes(8, 0);
          await by.send(packet(register({ member, cookie, room: bytes(16, room) })), AT);
        };
        for (const by of [socket, other])
          by.listen({
            datagram: ({ data }) => {
              const state = decodeState(decode(data));
              if (state) cookies.set(by, state.cookie);
              statuses.push(state?.status);
            },
          });
        for (let i = 0; i < 4; i++) {
          await say(socket, bytes(16, 1));
          await say(other, two);
          await later(100);
        }
        term();
        await later(50);
        await say(socket, bytes(16, 9), 77);
        await later(50);
        const { status } = await run(['stun', '-c', '4', T], { env: a });
        for (const each of [socket, other]) each.close();
        return { status, last: statuses.at(-1) };
      },
    );
    expect(found).toEqual({ status: 0, last: 'busy' });
    expect(server.events).toContainEqual({ event: 'draining', meetings: 1, seconds: 3 });
  });

  it.each([
    [['--workers', '0'], /--workers: expected a whole number from 1 to 256/],
    [['--workers', 'many'], /--workers: expected/],
    [['--workers', '2'], /several processes cannot share one UDP port/],
    [['--workers', '2', '--partner', 'x.example'], /--workers: not together with --partner/],
  ])('refuses %j', async (words, message) => {
    const { status, stderr } = await run(['serve', ...words], {
      environment: { NAT_TOOL_PARTNER_SECRET: '0123456789abcdef' },
    });
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});

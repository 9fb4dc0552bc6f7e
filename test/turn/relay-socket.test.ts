import { describe, expect, it } from 'vitest';
import type { Env, UdpSocket } from '../../src/net/env.ts';
import type { NetError } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';
import { query } from '../../src/probe/query/query.ts';
import { parseStunServer } from '../../src/stun/uri.ts';
import { attribute } from '../../src/stun/attributes.ts';
import { METHOD } from '../../src/stun/message.ts';
import { TurnError } from '../../src/turn/failure.ts';
import { relayedUdp } from '../../src/turn/open.ts';
import { LOGIN } from './scripted-turn.ts';
import { NAME, open, SERVER, turnWorld } from './world.ts';

const B = { address: '50.60.70.80', port: 9999 };
const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const bytes = (words: string): Uint8Array => new TextEncoder().encode(words);

/** Sends back what it hears, and remembers it. */
async function echo(env: Env): Promise<{ readonly socket: UdpSocket; readonly heard: string[] }> {
  const socket = await env.udp.open({ family: 4, ...B });
  const heard: string[] = [];
  socket.listen({
    datagram: ({ data, from }) => {
      heard.push(text(data));
      void socket.send(data, from);
    },
  });
  return { socket, heard };
}

const TRANSPORTS = ['udp', 'tcp'] as const;

describe.each(TRANSPORTS)('a relay over %s', (transport) => {
  it('carries datagrams both ways, from its relayed address', async () => {
    const { lab, turn } = turnWorld({ nat: 'symmetric' });
    await lab.run(async (env, signal) => {
      const { heard, socket } = await echo(lab.host('B'));
      const relay = await open(env, signal, { transport });
      expect(relay.local.address).toBe(SERVER.address);
      const back: string[] = [];
      relay.listen({ datagram: ({ data, from }) => back.push(`${text(data)} from ${from.address}:${from.port}`) });
      for (let i = 0; i < 8; i++) {
        await relay.send(bytes(`${i}`), B);
        await sleep(env.clock, 200);
      }
      expect(heard).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
      expect(back).toEqual(heard.map((each) => `${each} from 50.60.70.80:9999`));
      await relay.release();
      expect(turn.allocations).toBe(0);
      socket.close();
    });
  });

  it('is ready after two round trips, and data goes both ways after three', async () => {
    const { lab } = turnWorld({ rttMs: 40 });
    const at = await lab.run(async (env, signal) => {
      const { socket } = await echo(lab.host('B'));
      const start = env.clock.now();
      const relay = await open(env, signal, { transport, peers: [B] });
      const ready = env.clock.now() - start;
      const answered = new Promise<number>((resolve) =>
        relay.listen({ datagram: () => resolve(env.clock.now() - start) }),
      );
      await relay.send(bytes('x'), B);
      const proven = await answered;
      await relay.release();
      socket.close();
      return { ready, proven };
    });
    // TCP takes a round trip to connect; from the relay to the peer and back takes one more.
    const connect = transport === 'tcp' ? 40 : 0;
    expect(at.ready).toBe(connect + 80);
    expect(at.proven).toBe(connect + 160);
  });

  it('keeps allocation, permission and channel for an hour, whatever the nonce does', async () => {
    const { lab, turn } = turnWorld();
    await lab.run(async (env, signal) => {
      const { heard, socket } = await echo(lab.host('B'));
      const relay = await open(env, signal, { transport });
      for (let minute = 0; minute < 60; minute++) {
        turn.nonce = `nonce ${minute}`;
        await relay.send(bytes(`${minute}`), B);
        await sleep(env.clock, 60_000);
      }
      expect(heard.length).toBe(60);
      // Every 500 s a refresh and a second one for its nonce.
      expect(turn.count('refresh')).toBeGreaterThanOrEqual(7);
      await relay.release();
      socket.close();
    });
    expect(turn.allocations).toBe(0);
  });

  it('says that the server has forgotten it', async () => {
    const { lab, turn } = turnWorld();
    await lab.run(async (env, signal) => {
      const relay = await open(env, signal, { transport });
      const error = new Promise<NetError>((resolve) =>
        relay.listen({ datagram: () => {}, error: (each) => resolve(each) }),
      );
      turn.restart();
      relay.relay.feed({ kind: 'refresh', timeoutMs: 1000 });
      expect(await error).toMatchObject({ kind: 'closed' });
      await expect(relay.send(bytes('x'), B)).rejects.toMatchObject({ kind: 'closed' });
      expect(await relay.relay.over).toEqual({ why: 'lost', code: 437 });
    });
  });

  it('goes on where a channel cannot be had', async () => {
    const { lab, turn } = turnWorld();
    turn.refuse = ({ method }) => (method === METHOD.channelBind ? { code: 400 } : undefined);
    await lab.run(async (env, signal) => {
      const { heard, socket } = await echo(lab.host('B'));
      const relay = await open(env, signal, { transport });
      await relay.send(bytes('x'), B);
      await sleep(env.clock, 1000);
      expect(heard).toEqual(['x']);
      await relay.release();
      socket.close();
    });
  });

  it('does not send to peers that the server denies, and says so', async () => {
    const { lab, turn } = turnWorld();
    turn.refuse = ({ method }) => (method === METHOD.channelBind ? { code: 403 } : undefined);
    await lab.run(async (env, signal) => {
      const relay = await open(env, signal, { transport });
      await relay.send(bytes('x'), B);
      await sleep(env.clock, 1000);
      await expect(relay.send(bytes('x'), B)).rejects.toMatchObject({ kind: 'denied' });
      await expect(relay.send(bytes('x'), { address: '2001:db8::1', port: 1 })).rejects.toMatchObject({
        kind: 'unreachable',
      });
      expect(turn.count('channelBind')).toBe(1);
      await relay.release();
    });
  });
});

describe('openRelay', () => {
  const failing = async (prepare: (world: ReturnType<typeof turnWorld>) => void, more = {}) => {
    const world = turnWorld();
    prepare(world);
    const start = world.lab.world.now;
    const error = await world.lab.run((env, signal) => open(env, signal, more).catch((each: unknown) => each));
    return { error, tookMs: world.lab.world.now - start, world };
  };

  it('tells a dead server within the time that it has', async () => {
    const { error, tookMs } = await failing(({ turn }) => (turn.dead = true));
    expect(error).toBeInstanceOf(TurnError);
    expect(error).toMatchObject({ ending: { why: 'silent' }, heard: false });
    expect(tookMs).toBe(3000);
  });

  it.each([
    [{ credentials: { username: 'alice', password: 'wrong' } }, { why: 'refused', code: 401, bare: false }],
    [{ credentials: { username: 'bob', password: 'secret' } }, { why: 'refused', code: 401, bare: false }],
    [{ credentials: undefined }, { why: 'refused', code: 401, bare: true }],
  ])('tells a login that is refused: %j', async (options, ending) => {
    expect((await failing(() => {}, options)).error).toMatchObject({ ending });
  });

  it.each([403, 440, 441, 442, 486, 508])('tells error %i', async (code) => {
    const { error } = await failing(({ turn }) => (turn.refuse = () => ({ code })));
    expect(error).toMatchObject({ ending: { why: 'refused', code, bare: false } });
  });

  it('takes another port where the server holds something for the first, three times', async () => {
    const { error, world } = await failing(({ turn }) => (turn.refuse = () => ({ code: 437 })));
    expect(error).toMatchObject({ ending: { why: 'mismatch' } });
    expect(world.turn.count('allocate')).toBe(6);
    let left = 2;
    const { lab, turn } = turnWorld();
    turn.refuse = () => (left-- > 0 ? { code: 437 } : undefined);
    await lab.run(async (env, signal) => (await open(env, signal)).release());
  });

  it('follows a redirection, but in no circle', async () => {
    const { lab, turn } = turnWorld();
    const { turn: other } = turnWorld();
    const second = { address: '70.60.50.41', port: 3478 };
    lab.addHost('R2', [second.address]);
    lab.serve('R2', (env) => other.start(env, second));
    const to = (endpoint: typeof second) => () => ({ code: 300, more: [attribute('ALTERNATE-SERVER', endpoint)] });
    turn.refuse = to(second);
    await lab.run(async (env, signal) => {
      const relay = await open(env, signal);
      expect(relay.local.address).toBe(second.address);
      await relay.release();
      other.refuse = to(SERVER);
      await expect(open(env, signal)).rejects.toMatchObject({ ending: { why: 'redirected' } });
    });
  });

  it('logs in with SHA-256 and a hashed user name where the server offers them', async () => {
    const { lab, turn } = turnWorld();
    turn.modern = true;
    await lab.run(async (env, signal) => {
      const relay = await open(env, signal);
      turn.nonce = 'another';
      await relay.release();
    });
    expect(turn.allocations).toBe(0);
  });

  it('needs no login where the server wants none', async () => {
    const { lab, turn } = turnWorld();
    turn.open = true;
    await lab.run(async (env, signal) => (await open(env, signal, { credentials: undefined })).release());
    expect(turn.allocations).toBe(0);
  });

  it('leaves nothing behind when it is cut short, at any moment', async () => {
    for (let ms = 0; ms < 100; ms += 5) {
      const { lab, turn } = turnWorld({ rttMs: 40 });
      await lab.run(async (env, signal) => (await open(env, signal)).close(), { abortAtMs: ms }).catch(() => {});
      await lab.run((env) => sleep(env.clock, 1000));
      expect(turn.allocations, `cut at ${ms} ms`).toBe(0);
    }
  });

  it('gets through loss, and one allocation comes of it', async () => {
    for (let seed = 0; seed < 30; seed++) {
      const { lab, turn } = turnWorld({ seed, loss: 0.1, jitterMs: 10, reorder: 0.1, duplicate: 0.1 });
      await lab.run(async (env, signal) => {
        const { heard, socket } = await echo(lab.host('B'));
        const relay = await open(env, signal, { peers: [B], timeoutMs: 6000 });
        for (let i = 0; i < 20; i++) {
          await relay.send(bytes(`${i}`), B);
          await sleep(env.clock, 100);
        }
        expect(turn.allocations, `seed ${seed}`).toBe(1);
        expect(heard.length, `seed ${seed}`).toBeGreaterThan(5);
        await relay.release();
        socket.close();
      });
    }
  });
});

describe('what runs through a relay without knowing', () => {
  it('asks a STUN server, which sees the relayed address', async () => {
    const { lab, turn } = turnWorld({ nat: 'symmetric' });
    const result = await lab.run((env, signal) => {
      const udp = relayedUdp(env, NAME, { credentials: LOGIN });
      return query({ ...env, udp }, parseStunServer('stun.example.net'), { watchful: false }, signal);
    });
    await lab.run((env) => sleep(env.clock, 100));
    expect(result.error).toBeNull();
    expect(result.mapped).toBe(result.local);
    expect(result.mapped).toMatch(/^70\.60\.50\.40:/);
    expect(turn.allocations).toBe(0);
  });
});

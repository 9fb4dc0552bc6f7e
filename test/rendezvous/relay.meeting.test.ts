/** A server that relays for those who meet there: only they, and only between them. */
import { describe, expect, it } from 'vitest';
import { createLab, type Lab } from '../../src/lab/topology.ts';
import type { Env } from '../../src/net/env.ts';
import { drive } from '../../src/net/machine.ts';
import { deferred, sleep } from '../../src/net/wait.ts';
import { type ClientEvent, RendezvousClient } from '../../src/rendezvous/client.ts';
import { decodeRelay, offerOf, type RelayOffer, relaysBeside } from '../../src/rendezvous/relay.ts';
import { Deframer } from '../../src/stun/framing.ts';
import { tryDecode } from '../../src/stun/message.ts';
import { openRelay } from '../../src/turn/open.ts';
import type { RelaySocket } from '../../src/turn/relay-socket.ts';
import { parseTurnServer } from '../../src/turn/uri.ts';
import { A, B, bytes, C, Desk, endpoints, one, three, two } from './wire.ts';

const S = endpoints.A1P1;

describe('the offer', () => {
  const relays = relaysBeside({ tcp: true, tlsPort: 5349 });
  const offered = (desk: Desk, from: typeof A, of: Parameters<Desk['send']>[1]) => {
    const [answer] = desk.send(from, of);
    const grant = answer && decodeRelay(answer.message);
    return grant && offerOf(grant, bytes(16, 1), of.member ?? one, S);
  };
  const cookieOf = (desk: Desk, from: typeof A, member: Uint8Array) =>
    desk.send(from, { member })[0]?.state.cookie ?? bytes(8, 0);

  it('is for those who have shown their cookie, and each has its own', () => {
    const desk = new Desk({ relays });
    expect(offered(desk, A, { member: one })).toBeUndefined();
    const first = offered(desk, A, { member: one, cookie: cookieOf(desk, A, one) });
    expect(first?.servers).toEqual(
      [
        ['udp', 3478],
        ['tcp', 3478],
        ['tls', 5349],
      ].map(([transport, port]) => ({
        transport,
        endpoint: { address: S.address, port },
      })),
    );
    const second = offered(desk, B, { member: two, cookie: cookieOf(desk, B, two) });
    expect(second?.password).not.toBe(first?.password);
    expect(
      new Desk()
        .send(A, { member: one, cookie: cookieOf(new Desk(), A, one) })
        .map(({ message }) => decodeRelay(message)),
    ).toEqual([undefined]);
  });

  it('lets each reach where the other is seen, and nobody else', () => {
    const desk = new Desk({ relays });
    const [mine, theirs] = [cookieOf(desk, A, one), cookieOf(desk, B, two)];
    const offer = offered(desk, A, { member: one, cookie: mine });
    const meeting = () => desk.server.login(offer?.username ?? '', 0)?.meeting;
    expect(meeting()?.permits(B.address)).toBe(false);
    desk.send(B, { member: two, cookie: theirs });
    expect(meeting()?.permits(B.address)).toBe(true);
    expect([A, C].map(({ address }) => meeting()?.permits(address))).toEqual([false, false]);
    expect(desk.server.login(offer?.username ?? '', 0)?.passwords).toEqual([offer?.password]);
  });

  it('counts by where a member comes from, however many rooms it opens', () => {
    const desk = new Desk({ relays });
    const loginOf = (room: number, from: typeof A) => {
      desk.confirm(from, { room: bytes(16, room), member: one });
      return desk.server.login(`meeting:${Buffer.concat([bytes(16, room), one]).toString('base64url')}`, 0);
    };
    const [first, second] = [loginOf(1, A), loginOf(2, { ...A, port: 9 })];
    expect(first?.user).toBe(second?.user);
    expect(first?.meeting?.name).not.toBe(second?.meeting?.name);
    expect(loginOf(3, B)?.user).not.toBe(first?.user);
    expect(first?.most).toBeGreaterThan(1);
  });

  it('bounds what one network takes, whatever addresses it has', () => {
    const desk = new Desk({ relays });
    const groupOf = (address: string, room: number) => {
      desk.confirm({ address, port: 9 }, { room: bytes(16, room), member: one });
      return desk.server.login(`meeting:${Buffer.concat([bytes(16, room), one]).toString('base64url')}`, 0)?.group;
    };
    const [first, second] = [groupOf('2001:db8:0:1::1', 1), groupOf('2001:db8:0:ffff::1', 2)];
    expect(first).toEqual(second);
    expect(groupOf('2001:db8:1::1', 3)?.name).not.toBe(first?.name);
    expect(groupOf('60.0.0.1', 4)).toEqual(groupOf('60.0.0.200', 5));
    // Eight of them leave room on a server that relays as much as it does by default.
    expect(8 * (first?.most ?? 0)).toBeLessThanOrEqual(2_000 + 8 * 32);
  });

  it('is worth nothing to others: other members, other rooms, nonsense, and after the room has closed', () => {
    const desk = new Desk({ relays });
    desk.confirm(A, { member: one });
    desk.confirm(B, { member: two });
    const name = (room: number, member: Uint8Array) =>
      `meeting:${Buffer.concat([bytes(16, room), member]).toString('base64url')}`;
    expect(desk.server.login(name(1, one), 0)).toBeDefined();
    for (const username of [name(1, three), name(2, one), 'meeting:', 'meeting:AAAA', 'alice', ''])
      expect([username, desk.server.login(username, 0)]).toEqual([username, undefined]);
    expect(desk.server.login(name(1, one), 61_000)).toBeUndefined();
  });

  it('never makes an answer longer than what was received', () => {
    const desk = new Desk({ relays });
    const payload = bytes(900, 7);
    for (let i = 0; i < 20; i++)
      for (const [from, member] of [
        [A, one],
        [B, two],
      ] as const) {
        const cookie = cookieOf(desk, from, member);
        for (const { length } of desk.send(from, { member, cookie, payload, sequence: i + 1 }))
          expect(length).toBeLessThanOrEqual(1144);
      }
  });
});

describe('two hosts that meet', () => {
  const room = bytes(16, 1);

  /** Joins the room, by UDP or TCP, and stays in it. */
  async function join(
    env: Env,
    member: Uint8Array,
    transport: 'udp' | 'tcp' = 'udp',
  ): Promise<{ offer: RelayOffer; statuses: string[]; leave: () => void }> {
    const { promise, resolve } = deferred<RelayOffer>();
    const statuses: string[] = [];
    const client = new RendezvousClient({ server: S, room, member, random: env.random });
    const hear = (data: Uint8Array): void => {
      const message = tryDecode(data);
      if (message) driver.feed({ kind: 'message', message, from: S, at: env.clock.now() });
    };
    const way = transport === 'udp' ? await overUdp(env, hear) : await overTcp(env, hear);
    const driver = drive<ClientEvent, ReturnType<RendezvousClient['handle']>[number]>(client, env.clock, (action) => {
      if (action.kind === 'send') way.send(action.data);
      else if (action.kind === 'relay') resolve(action.offer);
      else if (action.kind === 'status') statuses.push(action.status);
    });
    driver.feed({ kind: 'publish', payload: bytes(10, 1) });
    const offer = await promise;
    return {
      offer,
      statuses,
      leave: () => {
        driver.stop();
        way.close();
      },
    };
  }

  async function overUdp(env: Env, hear: (data: Uint8Array) => void) {
    const socket = await env.udp.open({ family: 4 });
    socket.listen({ datagram: ({ data }) => hear(data) });
    return { send: (data: Uint8Array) => void socket.send(data, S), close: () => socket.close() };
  }

  async function overTcp(env: Env, hear: (data: Uint8Array) => void) {
    const stream = await env.tcp.connect(S, {});
    void (async () => {
      const deframer = new Deframer();
      for await (const chunk of stream) for (const data of deframer.push(chunk)) hear(data);
    })();
    return { send: (data: Uint8Array) => void stream.write(data), close: () => stream.close() };
  }

  const relayOf = (
    env: Env,
    { username, password, servers }: RelayOffer,
    transport: 'udp' | 'tcp' | 'tls',
    signal: AbortSignal,
  ) => {
    const { endpoint } = servers.find((each) => each.transport === transport) as (typeof servers)[number];
    const uri =
      transport === 'tls'
        ? `turns:stun.example.net:${endpoint.port}`
        : `turn:${endpoint.address}:${endpoint.port}?transport=${transport}`;
    return openRelay(env, parseTurnServer(uri), { credentials: { username, password } }, signal);
  };

  const heardBy = (socket: RelaySocket): string[] => {
    const heard: string[] = [];
    socket.listen({ datagram: ({ data }) => heard.push(new TextDecoder().decode(data)) });
    return heard;
  };
  const say = (text: string) => new TextEncoder().encode(text);
  const meet = <T>(main: (lab: Lab, a: Env, c2: Env, signal: AbortSignal) => Promise<T>): Promise<T> => {
    const lab = createLab({ nat: 'symmetric,ports=random', second: { nat: 'symmetric,ports=random' }, relay: true });
    return lab.run((env, signal) => main(lab, env, lab.host('C2'), signal));
  };

  it.each([
    ['udp', 'udp'],
    ['udp', 'tcp'],
    ['tls', 'tcp'],
  ] as const)('talk by relay, %s to %s', (first, second) =>
    meet(async (_, a, c2, signal) => {
      const [here, there] = await Promise.all([join(a, one), join(c2, two)]);
      const [r1, r2] = await Promise.all([
        relayOf(a, here.offer, first, signal),
        relayOf(c2, there.offer, second, signal),
      ]);
      const [heard1, heard2] = [heardBy(r1), heardBy(r2)];
      for (let i = 0; i < 5; i++) {
        await r1.send(say(`from A ${i}`), r2.local);
        await r2.send(say(`from C2 ${i}`), r1.local);
        await sleep(a.clock, 300);
      }
      expect(heard1).toContain('from C2 4');
      expect(heard2).toContain('from A 4');
      for (const each of [r1, r2]) each.close();
      here.leave();
      there.leave();
    }),
  );

  it('meet though UDP is blocked on one side', () =>
    meet(async (_, a, c2) => {
      const [here, there] = await Promise.all([join(a, one, 'tcp'), join(c2, two)]);
      await sleep(a.clock, 1_000);
      expect([here.statuses.at(-1), there.statuses.at(-1)]).toEqual(['paired', 'paired']);
      here.leave();
      there.leave();
    }));

  it('and reach nobody else by it, nor does anybody else get one', () =>
    meet(async (lab, a, c2, signal) => {
      const [here, there] = await Promise.all([join(a, one), join(c2, two)]);
      const relay = await relayOf(a, here.offer, 'udp', signal);
      const b = await lab.host('B').udp.open({ family: 4, address: '50.60.70.80', port: 5000 });
      let heard = 0;
      b.listen({ datagram: () => heard++ });
      for (let i = 0; i < 3; i++) {
        await relay.send(say('to a stranger'), b.local).catch(() => {});
        await sleep(a.clock, 300);
      }
      expect(heard).toBe(0);
      const stranger = { ...there.offer, username: here.offer.username };
      await expect(relayOf(a, stranger, 'udp', signal)).rejects.toMatchObject({ ending: { code: 401 } });
      b.close();
      relay.close();
      here.leave();
      there.leave();
    }));
});

/** Against an agent that others wrote, over the loopback interface. */
import { Candidate as TheirCandidate, Connection } from 'werift-ice';
import { afterEach, describe, expect, it } from 'vitest';
import { deferred } from '../../src/net/wait.ts';
import { drive } from '../../src/net/machine.ts';
import { createNodeEnv } from '../../src/node/env.ts';
import {
  BRISK_PACING,
  IceAgent,
  type IceAction,
  type IceConfig,
  type IceEvent,
  type PairView,
} from '../../src/ice/agent.ts';
import { type Candidate, candidatePriority } from '../../src/ice/candidate.ts';
import { type IceCredentials, newCredentials } from '../../src/ice/credentials.ts';
import { formatCandidate, parseCandidate } from '../../src/ice/sdp.ts';
import { decode, looksLikeStun } from '../../src/stun/message.ts';

const env = createNodeEnv();
const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

type Family = 4 | 6;
const LOOPBACK = { 4: '127.0.0.1', 6: '::1' } as const;

interface Ours {
  readonly agent: IceAgent;
  readonly credentials: IceCredentials;
  readonly candidate: Candidate;
  feed(event: IceEvent): void;
  readonly selected: Promise<PairView>;
  /** The next datagram that is no STUN, as text. */
  readonly data: Promise<string>;
  send(text: string): Promise<void>;
}

async function ours(family: Family, config: Partial<IceConfig>): Promise<Ours> {
  const socket = await env.udp.open({ family, address: LOOPBACK[family] });
  open.push(() => socket.close());
  const credentials = newCredentials(env.random);
  const agent = new IceAgent({
    role: 'controlled',
    random: env.random,
    pacing: BRISK_PACING,
    ...credentials,
    ...config,
  });
  const selected = deferred<PairView>();
  const data = deferred<string>();
  const perform = (action: IceAction) => {
    if (action.kind === 'send') socket.send(action.data, action.to).catch(() => {});
    if (action.kind === 'selected') selected.resolve(action.pair);
    if (action.kind === 'failed') selected.reject(new Error(action.reason));
  };
  const driver = drive(agent, env.clock, perform);
  open.push(() => driver.stop());
  socket.listen({
    datagram: ({ data: bytes, from, at }) => {
      if (looksLikeStun(bytes)) driver.feed({ kind: 'datagram', socket: 0, from, message: decode(bytes), at });
      else data.resolve(new TextDecoder().decode(bytes));
    },
  });
  const candidate: Candidate = {
    foundation: '1',
    component: 1,
    transport: 'udp',
    priority: candidatePriority('host'),
    endpoint: socket.local,
    type: 'host',
  };
  driver.feed({ kind: 'local-candidate', socket: 0, candidate });
  driver.feed({ kind: 'local-end' });
  return {
    agent,
    credentials,
    candidate,
    feed: driver.feed,
    selected: selected.promise,
    data: data.promise,
    send: async (text) => socket.send(new TextEncoder().encode(text), (await selected.promise).remote.endpoint),
  };
}

async function theirs(family: Family, controlling: boolean): Promise<Connection> {
  const connection = new Connection(controlling, {
    useIpv4: false,
    useIpv6: false,
    additionalHostAddresses: [LOOPBACK[family]],
    interfaceAddresses: { [`udp${family}`]: LOOPBACK[family] },
  });
  open.push(() => connection.close());
  await connection.gatherCandidates();
  return connection;
}

function tellThem(them: Connection, us: Ours): void {
  them.setRemoteParams({ iceLite: false, usernameFragment: us.credentials.ufrag, password: us.credentials.pwd });
  void them.addRemoteCandidate(TheirCandidate.fromSdp(formatCandidate(us.candidate).replace(/^candidate:/, '')));
  void them.addRemoteCandidate(undefined);
}

function tellUs(us: Ours, them: Connection): void {
  us.feed({ kind: 'remote-credentials', ufrag: them.localUsername, pwd: them.localPassword });
  for (const each of them.localCandidates)
    us.feed({ kind: 'remote-candidate', candidate: parseCandidate(`candidate:${each.toSdp()}`) });
  us.feed({ kind: 'remote-end' });
}

async function exchange(us: Ours, them: Connection): Promise<void> {
  const received = deferred<string>();
  them.onData.subscribe((data) => received.resolve(data.toString()));
  await us.send('hello from us');
  expect(await received.promise).toBe('hello from us');
  await them.send(Buffer.from('hello from them'));
  expect(await us.data).toBe('hello from them');
}

describe.each([4, 6] as const)('with werift over IPv%i', (family) => {
  it.each(['controlling', 'controlled'] as const)(
    'connects as the %s agent, and data flows both ways',
    async (role) => {
      const us = await ours(family, { role });
      const them = await theirs(family, role === 'controlled');
      tellThem(them, us);
      tellUs(us, them);
      const [pair] = await Promise.all([us.selected, them.connect()]);
      expect(us.agent.role).toBe(role);
      expect(them.nominated?.remoteAddr).toEqual([us.candidate.endpoint.address, us.candidate.endpoint.port]);
      expect(pair.remote.endpoint.port).toBe(them.nominated?.localCandidate.port);
      await exchange(us, them);
    },
  );
});

describe('with werift', () => {
  it.each(['controlling', 'controlled'] as const)(
    'settles who controls where both begin as the %s one',
    async (role) => {
      const us = await ours(4, { role });
      const them = await theirs(4, role === 'controlling');
      tellThem(them, us);
      tellUs(us, them);
      await Promise.all([us.selected, them.connect()]);
      expect(them.iceControlling).toBe(us.agent.role === 'controlled');
      await exchange(us, them);
    },
  );

  it('finds a peer that was never told where we are', async () => {
    const us = await ours(4, { role: 'controlling' });
    const them = await theirs(4, false);
    them.setRemoteParams({ iceLite: false, usernameFragment: us.credentials.ufrag, password: us.credentials.pwd });
    void them.addRemoteCandidate(undefined);
    tellUs(us, them);
    await Promise.all([us.selected, them.connect().catch(() => {})]);
    expect(us.agent.state).toBe('completed');
  });

  it('takes no check of theirs under a wrong password', async () => {
    const us = await ours(4, { role: 'controlled', patienceMs: 300, pacing: { ...BRISK_PACING, sends: 2 } });
    const them = await theirs(4, true);
    them.setRemoteParams({ iceLite: false, usernameFragment: us.credentials.ufrag, password: 'x'.repeat(22) });
    void them.addRemoteCandidate(TheirCandidate.fromSdp(formatCandidate(us.candidate).replace(/^candidate:/, '')));
    us.feed({ kind: 'remote-credentials', ufrag: them.localUsername, pwd: 'y'.repeat(22) });
    for (const each of them.localCandidates)
      us.feed({ kind: 'remote-candidate', candidate: parseCandidate(`candidate:${each.toSdp()}`) });
    us.feed({ kind: 'remote-end' });
    void them.connect().catch(() => {});
    await expect(us.selected).rejects.toThrow('no-answer');
    expect(us.agent.counters.requests).toBe(0);
  });
});

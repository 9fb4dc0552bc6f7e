import { describe, expect, it } from 'vitest';
import { LAB_LOGIN, Lab, type LabOptions } from '../../../src/lab/topology.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { get, METHOD } from '../../../src/stun/message.ts';
import { checkTurn } from '../../../src/probe/turn-check/check.ts';
import type { TurnCheckOptions } from '../../../src/probe/turn-check/options.ts';
import { restLogin } from '../../../src/turn/rest-login.ts';
import { parseTurnServer } from '../../../src/turn/uri.ts';
import { ScriptedTurn } from '../../turn/scripted-turn.ts';
import { turnWorld } from '../../turn/world.ts';

const OPTIONS: TurnCheckOptions = { transport: 'udp', credentials: LAB_LOGIN, timeoutMs: 2500, count: 10 };

async function ours(lab: LabOptions, more: Partial<TurnCheckOptions> = {}, name = 'turn:stun.example.net') {
  const world = new Lab({ turn: true, ...lab });
  const result = await world.run((env, signal) =>
    checkTurn(env, parseTurnServer(name), { ...OPTIONS, ...more }, signal),
  );
  return { result, tookMs: world.world.now, world };
}

async function scripted(
  prepare: (turn: ScriptedTurn) => void,
  more: Partial<TurnCheckOptions> = {},
  lab: LabOptions = {},
) {
  const world = turnWorld(lab);
  prepare(world.turn);
  const result = await world.lab.run((env, signal) =>
    checkTurn(env, parseTurnServer('turn.example.net'), { ...OPTIONS, ...more }, signal),
  );
  return { result, tookMs: world.lab.world.now, turn: world.turn };
}

const relayedAt = (address: string) => (turn: ScriptedTurn) => (turn.relayedAs = ({ port }) => ({ address, port }));
const permissions = (code: number) => (turn: ScriptedTurn) =>
  (turn.refuse = ({ method }) =>
    method === METHOD.channelBind || method === METHOD.createPermission ? { code } : undefined);

const at = (steps: readonly { step: string; ms: number }[], name: string) =>
  steps.find(({ step }) => step === name)?.ms;

describe('checkTurn against our own server', () => {
  it('is ready after two round trips, and tells every step', async () => {
    const { result } = await ours({ rttMs: 40 });
    expect(result).toMatchObject({ cause: null, directRttMs: 40, mapped: expect.stringContaining('12.13.14.15') });
    expect(result.steps.map(({ step, ok }) => [step, ok])).toEqual(
      ['reach', 'login', 'allocate', 'permission', 'channel', 'data', 'relay', 'refresh', 'release'].map((step) => [
        step,
        true,
      ]),
    );
    expect(at(result.steps, 'reach')).toBe(40);
    expect(at(result.steps, 'data')).toBe(120);
    for (const step of ['login', 'allocate', 'permission', 'channel']) expect(at(result.steps, step)).toBe(80);
    // Through the relay it is as far as to the server and back.
    expect(result.data.peer).toMatchObject({ sent: 20, received: 20, rttMs: 40 });
    expect(result.data.relay).toMatchObject({ sent: 20, received: 20 });
  });

  it.each(['full-cone', 'restricted-cone', 'port-restricted-cone', 'symmetric', 'symmetric,ports=random', 'cgnat'])(
    'needs no peer behind %s',
    async (nat) => {
      const { result } = await ours({ nat });
      expect(result).toMatchObject({ cause: null, data: { peer: { sent: 20, received: 20 } } });
    },
  );

  it('gets through loss with the right answer', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const { result } = await ours({ seed, loss: 0.05, jitterMs: 5, reorder: 0.05, duplicate: 0.05 });
      expect(result.cause, `seed ${seed}`).toBeNull();
    }
  });

  it('goes over TCP', async () => {
    const { result } = await ours({}, { transport: 'tcp' });
    expect(result).toMatchObject({ cause: null, data: { peer: { received: 20 }, relay: { received: 20 } } });
  });

  it('proves it by two relays where UDP is blocked', async () => {
    const { result } = await ours({ nat: 'blocked' }, { transport: 'tcp' });
    expect(result).toMatchObject({ cause: null, data: { peer: null, relay: { sent: 20, received: 20 } } });
  });

  it('frees what it took when it is cut short', async () => {
    for (const ms of [30, 70, 100, 150, 200, 250, 400]) {
      const world = turnWorld();
      const controller = new AbortController();
      const result = await world.lab.run(async (env) => {
        const cancel = env.clock.after(ms, () => controller.abort());
        const told = await checkTurn(env, parseTurnServer('turn.example.net'), OPTIONS, controller.signal);
        cancel();
        return told;
      });
      expect(result.server).toBe('turn.example.net');
      await world.lab.run((env) => new Promise<void>((resolve) => void env.clock.after(1000, resolve)));
      expect(world.turn.allocations, `cut at ${ms}`).toBe(0);
    }
  });
});

describe('the cause', () => {
  const expired = restLogin('sesame', { expiresAt: 1_600_000_000, name: 'alice' });
  const valid = restLogin('sesame', { expiresAt: 4_000_000_000, name: 'alice' });
  it.each<[string, string, (turn: ScriptedTurn) => void, Partial<TurnCheckOptions>?, LabOptions?]>([
    ['a dead server', 'no-answer', (turn) => (turn.dead = true)],
    ['UDP blocked here', 'udp-blocked', () => {}, {}, { nat: 'blocked' }],
    ['a wrong password', 'login-refused', () => {}, { credentials: { username: 'alice', password: 'x' } }],
    ['an expired login', 'login-expired', () => {}, { credentials: expired }],
    ['a time-limited login that is not wanted', 'login-refused', () => {}, { credentials: valid }],
    ['no login', 'login-needed', () => {}, { credentials: undefined }],
    ['403 to an Allocate', 'login-refused', (turn) => (turn.refuse = () => ({ code: 403 }))],
    ['a quota', 'quota', (turn) => (turn.refuse = () => ({ code: 486 }))],
    ['no ports', 'no-capacity', (turn) => (turn.refuse = () => ({ code: 508 }))],
    ['no such family', 'no-capacity', (turn) => (turn.refuse = () => ({ code: 440 }))],
    ['a port that stays taken', 'no-capacity', (turn) => (turn.refuse = () => ({ code: 437 }))],
    [
      'a private relayed address',
      'relay-address-private',
      (turn) => (turn.relayedAs = ({ port }) => ({ address: '10.0.0.5', port })),
    ],
    ['closed relay ports', 'relay-ports-closed', (turn) => (turn.drop = { fromPeer: true })],
    ['a relay that cannot send', 'relay-one-way', (turn) => (turn.drop = { toPeer: true })],
    [
      'a relay that cannot send, and gives up for that',
      'relay-one-way',
      (turn) => {
        turn.drop = { toPeer: true };
        turn.refuse = ({ method }) => (method === METHOD.refresh ? { code: 437 } : undefined);
      },
    ],
    ['a relay that does nothing', 'relay-ports-closed', (turn) => (turn.drop = { toPeer: true, fromPeer: true })],
    [
      'denied peers',
      'peer-denied',
      (turn) =>
        (turn.refuse = ({ method }) =>
          method === METHOD.channelBind || method === METHOD.createPermission ? { code: 403 } : undefined),
    ],
    ['a relayed address that is none', 'relay-address-private', relayedAt('0.0.0.0')],
    ['a relayed address at the loopback', 'relay-address-private', relayedAt('127.0.0.1')],
    ['a relayed address of another family', 'not-turn', relayedAt('2001:db8::5')],
    ['a relayed address of another host', 'relay-ports-closed', relayedAt('70.60.50.99')],
    ['a request for a permission that it cannot read', 'peer-denied', permissions(400)],
    ['a permission for which no login will do', 'login-refused', permissions(401)],
    ['a permission for which no nonce will do', 'login-refused', permissions(438)],
    ['permissions that are used up', 'no-capacity', permissions(508)],
    ['an allocation that is forgotten at once', 'allocation-lost', permissions(437)],
    ['an allocation of no length', 'allocation-lost', (turn) => (turn.lifetimeS = 0)],
    [
      'a refresh that is refused',
      'allocation-lost',
      (turn) =>
        (turn.refuse = (request) =>
          request.method === METHOD.refresh && get(request, 'LIFETIME') !== 0 ? { code: 403 } : undefined),
    ],
    [
      'a redirection to a dead host',
      'no-answer',
      (turn) =>
        (turn.refuse = () => ({
          code: 300,
          more: [attribute('ALTERNATE-SERVER', { address: '70.60.50.77', port: 3478 })],
        })),
    ],
    [
      'a redirection to nowhere',
      'no-capacity',
      (turn) =>
        (turn.refuse = () => ({
          code: 300,
          more: [attribute('ALTERNATE-SERVER', { address: '10.0.0.1', port: 3478 })],
        })),
    ],
  ])('of %s is %s, within 3 s', async (_, cause, prepare, more, lab) => {
    const { result, tookMs } = await scripted(prepare, more, lab);
    expect(result.cause).toBe(cause);
    expect(tookMs).toBeLessThanOrEqual(3000);
  });

  it('is the same under loss', async () => {
    for (let seed = 0; seed < 25; seed++) {
      const lab = { seed, loss: 0.05 };
      const closed = await scripted((turn) => (turn.drop = { fromPeer: true }), {}, lab);
      const oneWay = await scripted((turn) => (turn.drop = { toPeer: true }), {}, lab);
      const refused = await scripted(() => {}, { credentials: { username: 'alice', password: 'x' } }, lab);
      expect([closed, oneWay, refused].map(({ result }) => result.cause)).toEqual([
        'relay-ports-closed',
        'relay-one-way',
        'login-refused',
      ]);
    }
  });

  it('of a plain STUN server is that it is none', async () => {
    for (const transport of ['udp', 'tcp'] as const) {
      const { result, tookMs } = await ours({ turn: false }, { transport });
      expect(result.cause).toBe('not-turn');
      expect(tookMs).toBeLessThanOrEqual(3000);
    }
  });

  it('of an address at which nothing listens is that it refuses', async () => {
    for (const transport of ['udp', 'tcp'] as const) {
      const { result, tookMs } = await ours({}, { transport }, 'turn:50.60.70.80');
      expect(result.cause).toBe('refused');
      expect(tookMs).toBeLessThan(1000);
    }
  });

  it('of a name with several addresses is what one of them said, not that another is dead', async () => {
    for (const dead of [1, 3, 5]) {
      const addresses = Array.from({ length: dead + 1 }, (_, i) => `70.60.50.${40 + i}`);
      const lab = new Lab({ names: { 'turn.example.net': addresses } });
      for (const [i, address] of addresses.entries()) {
        lab.addHost(`R${i}`, [address]);
        const server = new ScriptedTurn();
        server.dead = i < dead;
        lab.serve(`R${i}`, (env) => server.start(env, { address, port: 3478 }));
      }
      const check = (more: Partial<TurnCheckOptions>) =>
        lab.run((env, signal) => checkTurn(env, parseTurnServer('turn.example.net'), { ...OPTIONS, ...more }, signal));
      const wrong = await check({ credentials: { username: 'alice', password: 'x' } });
      expect(wrong).toMatchObject({ cause: 'login-refused', address: `70.60.50.${40 + dead}:3478` });
      // The dead ones are not waited for: a quarter of a second each before the next, and half a second after the refusal.
      expect(lab.world.now).toBeLessThanOrEqual(250 * dead + 1000);
      expect((await check({})).cause).toBeNull();
    }
  });

  it('of six dead addresses is told as soon as of one', async () => {
    const addresses = Array.from({ length: 6 }, (_, i) => `70.60.50.${40 + i}`);
    const lab = new Lab({ names: { 'turn.example.net': addresses } });
    for (const [i, address] of addresses.entries()) {
      lab.addHost(`R${i}`, [address]);
      const server = new ScriptedTurn();
      server.dead = true;
      lab.serve(`R${i}`, (env) => server.start(env, { address, port: 3478 }));
    }
    const { cause } = await lab.run((env, signal) =>
      checkTurn(env, parseTurnServer('turn.example.net'), OPTIONS, signal),
    );
    expect(cause).toBe('no-answer');
    expect(lab.world.now).toBeLessThanOrEqual(3000);
  });

  it('of a relayed address that is none is told when it has been given back', async () => {
    const { result, turn } = await scripted(relayedAt('0.0.0.0'));
    expect(result.relayed).toMatch(/^0\.0\.0\.0:/);
    expect(turn.allocations).toBe(0);
  });

  it('of a name that does not resolve is silence, and says so', async () => {
    const { result } = await ours({}, {}, 'turn:nowhere.example');
    expect(result).toMatchObject({ cause: 'no-answer', address: 'unknown' });
    expect(result.detail).toMatch(/resolve/);
  });

  it('is none where only the second allocation is refused', async () => {
    let first = '';
    const { result } = await scripted(
      (turn) =>
        (turn.refuse = ({ method }, from) => {
          first ||= `${from.port}`;
          return method === METHOD.allocate && `${from.port}` !== first ? { code: 486 } : undefined;
        }),
    );
    expect(result).toMatchObject({ cause: null, data: { peer: { received: 20 }, relay: null } });
    expect(result.steps).toContainEqual(expect.objectContaining({ step: 'relay', ok: false, code: 486 }));
  });
});

import { describe, expect, it } from 'vitest';
import { sameEndpoint } from '../../src/net/address.ts';
import { NetError } from '../../src/net/env.ts';
import { type Schedule, singleSend } from '../../src/net/schedule.ts';
import { encodeBinding } from '../../src/stun/binding.ts';
import { exchange, type ExchangeOptions } from '../../src/stun/exchange.ts';
import { type Arrived, SERVER, stage, type Stage } from './scripted.ts';

const schedule: Schedule = function* () {
  yield* [0, 100, 300];
  return 700;
};
const success = ({ request }: Arrived) => encodeBinding('success', request.transactionId);

const optionsFor = ({ clock }: Stage): ExchangeOptions => {
  let next = 0;
  return {
    to: SERVER,
    acceptFrom: (from) => sameEndpoint(from, SERVER),
    schedule,
    shoot: () => {
      const transactionId = new Uint8Array(12).fill(++next);
      return { transactionId, bytes: encodeBinding('request', transactionId) };
    },
    freshIds: false,
    accepts: () => true,
    clock,
    signal: new AbortController().signal,
  };
};

async function run(script: (arrived: Arrived) => void, options: Partial<ExchangeOptions> = {}) {
  const scene = stage(script);
  const exchanged = await scene.world.run(() => exchange(scene.mux, { ...optionsFor(scene), ...options }));
  return { exchanged, ...scene };
}

describe('an exchange', () => {
  it('ends with the first answer, exact in time when nothing was sent twice', async () => {
    const { exchanged, socket } = await run((arrived) => arrived.reply(success(arrived), 40));
    expect(exchanged).toMatchObject({ kind: 'reply', rttMs: 40, rttExact: true, sent: 1, received: 1 });
    expect(socket.sentAt).toEqual([0]);
  });

  it('sends again by its schedule, with one ID, and then knows the least round trip only (Karn)', async () => {
    const { exchanged, socket } = await run((arrived) => arrived.count === 1 && arrived.reply(success(arrived), 150));
    expect(exchanged).toMatchObject({ kind: 'reply', rttMs: 50, rttExact: false, sent: 2 });
    expect(new Set(socket.requests.map(({ transactionId }) => String(transactionId))).size).toBe(1);
  });

  it('knows with fresh IDs which send was answered', async () => {
    const { exchanged } = await run((arrived) => arrived.count === 1 && arrived.reply(success(arrived), 150), {
      freshIds: true,
    });
    expect(exchanged).toMatchObject({ kind: 'reply', rttMs: 150, rttExact: true, sent: 2 });
  });

  it('ends in silence at the schedule’s end', async () => {
    const { exchanged, socket } = await run(() => {});
    expect(exchanged).toEqual({ kind: 'timeout', afterMs: 700, sent: 3, received: 0, wrongSources: [] });
    expect(socket.sentAt).toEqual([0, 100, 300]);
  });

  it('notes who answers for another, once each, and believes none of them', async () => {
    const liar = { ...SERVER, port: 9 };
    const { exchanged } = await run((arrived) => arrived.reply(success(arrived), 5, liar));
    expect(exchanged).toMatchObject({ kind: 'timeout', received: 0, wrongSources: [liar] });
  });

  it('waits for a better answer than a discarded one, and says so where none came', async () => {
    const best = (accepted: number): ExchangeOptions['accepts'] => {
      let seen = 0;
      return () => ++seen === accepted;
    };
    const twice = (arrived: Arrived) => arrived.reply(success(arrived), 10);
    expect((await run(twice, { accepts: best(2) })).exchanged).toMatchObject({ kind: 'reply', received: 2 });
    expect((await run(twice, { accepts: best(9) })).exchanged).toMatchObject({ kind: 'integrity-violated' });
  });

  it('ends with an error of the socket, of sending, or with the reason of its signal', async () => {
    const refused = new NetError('refused', '');
    expect((await run(({ fail }) => fail(refused))).exchanged).toMatchObject({ kind: 'network-error', error: refused });
    const scene = stage(() => {});
    scene.socket.refuse = new NetError('unreachable', '');
    const ask = (signal: AbortSignal) =>
      exchange(scene.mux, {
        to: SERVER,
        acceptFrom: () => true,
        schedule: singleSend(1000),
        shoot: () => ({ transactionId: new Uint8Array(12), bytes: encodeBinding('request', new Uint8Array(12)) }),
        freshIds: false,
        accepts: () => true,
        clock: scene.clock,
        signal,
      });
    await scene.world.run(async () => {
      expect(await ask(new AbortController().signal)).toMatchObject({ error: { kind: 'unreachable' } });
      scene.socket.refuse = undefined;
      const controller = new AbortController();
      const waiting = ask(controller.signal);
      controller.abort('enough');
      await expect(waiting).rejects.toBe('enough');
    });
  });

  it('knows the round trip of an answer that comes in the very moment of a send', async () => {
    const { exchanged } = await run((arrived) => arrived.count === 1 && arrived.reply(success(arrived), 100));
    expect(exchanged).toMatchObject({ kind: 'reply', sent: 1, rttMs: 100, rttExact: true });
  });

  it('counts the sends before an answer by its arrival stamp, not by when it is heard of', async () => {
    const scene = stage((arrived) => arrived.count === 2 && arrived.reply(success(arrived), 10));
    // The socket stamped it at 50 ms; it is heard at 110.
    const expectLate = scene.mux.expect.bind(scene.mux);
    scene.mux.expect = (id, reply) => expectLate(id, (each) => reply({ ...each, at: 50 }));
    const exchanged = await scene.world.run(() => exchange(scene.mux, optionsFor(scene)));
    expect(exchanged).toMatchObject({ kind: 'reply', sent: 2, rttMs: 50, rttExact: true });
  });

  it('takes the first of two answers, and counts no more', async () => {
    let accepted = 0;
    const twice = (arrived: Arrived) => {
      arrived.reply(success(arrived), 10);
      arrived.reply(success(arrived), 10);
    };
    const { exchanged } = await run(twice, { accepts: () => ++accepted > 0 });
    expect(exchanged).toMatchObject({ kind: 'reply', received: 1 });
    expect(accepted).toBe(1);
  });

  it('does not wait for a better answer, nor send again, where the transport is reliable', async () => {
    const reliable = (script: (arrived: Arrived) => void) => {
      const scene = stage(script);
      Object.defineProperty(scene.mux, 'reliable', { value: true });
      return scene;
    };
    const scene = reliable((arrived) => arrived.reply(success(arrived), 10));
    const forged = await scene.world.run(() => exchange(scene.mux, { ...optionsFor(scene), accepts: () => false }));
    expect(forged).toMatchObject({ kind: 'integrity-violated', sent: 1, received: 1, discarded: { class: 'success' } });
    const failing = reliable(() => {});
    failing.socket.refuse = new NetError('denied', '');
    const refused = await failing.world.run(() => exchange(failing.mux, optionsFor(failing)));
    expect(refused).toMatchObject({ kind: 'network-error', error: { kind: 'denied' }, sent: 0 });
    expect(failing.world.now).toBe(0);
  });

  it('rejects with what is no error of the network', async () => {
    const scene = stage(() => {});
    scene.socket.refuse = new TypeError('a bug') as NetError;
    await scene.world.run(() => expect(exchange(scene.mux, optionsFor(scene))).rejects.toThrow('a bug'));
  });

  it('forgets a refused send where a later one goes out: then it is silence', async () => {
    const scene = stage(() => {});
    scene.socket.refuse = new NetError('denied', '');
    scene.world.schedule(10, () => {
      scene.socket.refuse = undefined;
    });
    const exchanged = await scene.world.run(() => exchange(scene.mux, optionsFor(scene)));
    expect(exchanged).toMatchObject({ kind: 'timeout', sent: 3 });
  });

  it('remembers what the network told, though later sends go out', async () => {
    const { exchanged } = await run(({ count, fail }) => count === 1 && fail(new NetError('unreachable', '')));
    expect(exchanged).toMatchObject({ kind: 'network-error', error: { kind: 'unreachable' }, sent: 3 });
  });

  it('puts the question another way only while nothing has come', async () => {
    const other = new Uint8Array(12).fill(99);
    const otherwise = { afterMs: 200, shoot: () => ({ transactionId: other, bytes: encodeBinding('request', other) }) };
    const askedOtherwise = (scene: Stage) =>
      scene.socket.requests.filter(({ transactionId }) => transactionId[0] === 99);
    const silent = await run(() => {}, { otherwise });
    expect(askedOtherwise(silent)).toHaveLength(1);
    const forged = await run((arrived) => arrived.count === 1 && arrived.reply(success(arrived), 10), {
      otherwise,
      accepts: () => false,
    });
    expect(askedOtherwise(forged)).toEqual([]);
    expect(forged.exchanged).toMatchObject({ kind: 'integrity-violated', sent: 3 });
  });

  it('leaves nothing behind: no timer, no listener', async () => {
    const { signal } = new AbortController();
    const listeners = new Set<unknown>();
    const add = signal.addEventListener.bind(signal);
    signal.addEventListener = (type: string, listener: never, options: never) => {
      listeners.add(listener);
      add(type, listener, options);
    };
    signal.removeEventListener = (type: string, listener: unknown) => type === 'abort' && listeners.delete(listener);
    const { exchanged, world } = await run((arrived) => arrived.reply(success(arrived), 40), { signal });
    expect(exchanged.kind).toBe('reply');
    expect(listeners.size).toBe(0);
    expect(world.now).toBe(40);
  });
});

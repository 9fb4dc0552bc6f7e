import { describe, expect, it } from 'vitest';
import { sameEndpoint } from '../../src/net/address.ts';
import { NetError } from '../../src/net/env.ts';
import { type Schedule, singleSend } from '../../src/net/schedule.ts';
import { encodeBinding } from '../../src/stun/binding.ts';
import { exchange, type ExchangeOptions } from '../../src/stun/exchange.ts';
import { type Arrived, SERVER, stage } from './scripted.ts';

const schedule: Schedule = function* () {
  yield* [0, 100, 300];
  return 700;
};
const success = ({ request }: Arrived) => encodeBinding('success', request.transactionId);

async function run(script: (arrived: Arrived) => void, options: Partial<ExchangeOptions> = {}) {
  const scene = stage(script);
  let next = 0;
  const exchanged = await scene.world.run(() =>
    exchange(scene.mux, {
      to: SERVER,
      acceptFrom: (from) => sameEndpoint(from, SERVER),
      schedule,
      shoot: () => {
        const transactionId = new Uint8Array(12).fill(++next);
        return { transactionId, bytes: encodeBinding('request', transactionId) };
      },
      freshIds: false,
      accepts: () => true,
      clock: scene.clock,
      signal: new AbortController().signal,
      ...options,
    }),
  );
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
});

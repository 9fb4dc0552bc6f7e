/** What a series keeps of its sends and answers, and what it tells of them. */
import { describe, expect, it } from 'vitest';
import { NetError } from '../../../src/net/env.ts';
import { sleep, Gate } from '../../../src/net/wait.ts';
import type { Purpose } from '../../../src/probe/detect/purpose.ts';
import { isLossSample, sendUntil, Series, type SeriesOptions } from '../../../src/probe/detect/series.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { MOST_CHALLENGES } from '../../../src/stun/authentication.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { type Arrived, CLIENT, SERVER, type Stage, stage } from '../../stun/scripted.ts';

const never = () => false;
const forever = new AbortController().signal;

const success = ({ request }: Arrived) =>
  encodeBinding('success', request.transactionId, [attribute('XOR-MAPPED-ADDRESS', CLIENT)]);
const error = ({ request }: Arrived, attributes: Parameters<typeof encodeBinding>[2]) =>
  encodeBinding('error', request.transactionId, attributes);

const seriesOn = ({ world, clock, mux }: Stage, options: Partial<SeriesOptions> = {}) =>
  new Series({
    purpose: { kind: 'allocation' },
    mux,
    local: CLIENT,
    to: SERVER,
    clock,
    random: world.random(''),
    gate: new Gate(clock),
    ...options,
  });

/** All gaps are waited for, from 50 ms on the clock on. */
async function after50(script: (arrived: Arrived) => void, gaps: readonly number[], options?: Partial<SeriesOptions>) {
  const on = stage(script);
  const series = seriesOn(on, options);
  await on.world.run(async () => {
    await sleep(on.clock, 50, forever);
    await sendUntil(series, gaps, never, forever);
  });
  series.end();
  return { series, ...on };
}

describe('what a series is', () => {
  it('has a change only with CHANGE-REQUEST among its attributes', () => {
    const change = attribute('CHANGE-REQUEST', { ip: true, port: false });
    const port = attribute('RESPONSE-PORT', 9);
    const has = (attributes: NonNullable<SeriesOptions['attributes']>) =>
      seriesOn(
        stage(() => {}),
        { attributes },
      ).hasChange;
    expect([has([]), has([port]), has([change]), has([port, change])]).toEqual([false, false, true, true]);
  });

  it('tells of loss when nothing but loss can leave it unanswered', () => {
    const change = { ip: true, port: true };
    const purposes: readonly Purpose[] = [
      { kind: 'mapping', number: 1 },
      { kind: 'again' },
      { kind: 'allocation' },
      { kind: 'baseline', change },
      { kind: 'filtering', change },
      { kind: 'control', change },
    ];
    const told = purposes.filter((purpose) =>
      isLossSample(
        seriesOn(
          stage(() => {}),
          { purpose },
        ),
      ),
    );
    expect(told.map(({ kind }) => kind)).toEqual(['mapping', 'again', 'allocation', 'baseline']);
  });
});

describe('round trips', () => {
  it('are from the first send where all were answered', async () => {
    const { series } = await after50((arrived) => arrived.reply(success(arrived), 30), [10, 100]);
    expect([series.rttMs, series.longestRttMs]).toEqual([30, 30]);
    expect(series.lastSentAt).toBe(60);
  });

  it('are from the first of two sends when both were answered after both', async () => {
    const { series } = await after50((arrived) => arrived.reply(success(arrived), 30), [20, 100]);
    expect([series.rttMs, series.longestRttMs]).toEqual([30, 30]);
    expect(series.evidence(0).rttMs).toBe(10);
  });

  it('are from the last send before the answer where one of several was answered', async () => {
    const { series } = await after50(
      (arrived) => arrived.count === 3 && arrived.reply(success(arrived), 30),
      [100, 100, 100],
    );
    expect([series.rttMs, series.longestRttMs]).toEqual([30, 230]);
  });

  it('do not count sends that came after the answer', async () => {
    const { series } = await after50(
      (arrived) => arrived.count === 1 && arrived.reply(success(arrived), 30),
      [40, 40, 40],
    );
    expect([series.rttMs, series.longestRttMs]).toEqual([30, 30]);
    expect(series.evidence(0).rttMs).toBe(30);
    expect(series.evidence(-100).rttMs).toBe(30);
  });

  it.each([
    [0, 30],
    [30, 30],
    [79, 30],
    [81, 130],
    [500, 230],
  ])('of several possible ones that which is nearest to %d ms is told: %d', async (pathMs, rttMs) => {
    const { series } = await after50(
      (arrived) => arrived.count === 3 && arrived.reply(success(arrived), 30),
      [100, 100, 100],
    );
    expect(series.evidence(pathMs).rttMs).toBe(rttMs);
  });

  it('are unknown without an answer', async () => {
    const { series } = await after50(() => {}, [10]);
    expect([series.rttMs, series.longestRttMs, series.lastSentAt]).toEqual([undefined, undefined, 50]);
    expect(seriesOn(stage(() => {})).lastSentAt).toBeUndefined();
  });
});

describe('error answers', () => {
  const ELSEWHERE = { address: '192.0.2.9', port: 3478 };
  const told = async (attributes: Parameters<typeof encodeBinding>[2], from = SERVER) =>
    (await after50((arrived) => arrived.reply(error(arrived, attributes), 5, from), [20])).series.errorAnswer;

  it('name the code and the reason, without what only a redirection has', async () => {
    const answer = await told([
      attribute('ERROR-CODE', { code: 500, reason: 'no' }),
      attribute('ALTERNATE-SERVER', ELSEWHERE),
    ]);
    expect(answer).toEqual({ code: 500, reason: 'no', login: undefined });
  });

  it('name where 300 sends, where it says so', async () => {
    const code = attribute('ERROR-CODE', { code: 300, reason: '' });
    expect(await told([code, attribute('ALTERNATE-SERVER', ELSEWHERE)])).toMatchObject({ code: 300, to: ELSEWHERE });
    expect((await told([code]))?.to).toBeUndefined();
  });

  it('have code 0 without one', async () => {
    expect(await told([])).toMatchObject({ code: 0, reason: '' });
  });

  it('count only from where it was asked', async () => {
    expect(await told([attribute('ERROR-CODE', { code: 500, reason: '' })], ELSEWHERE)).toBeUndefined();
  });

  it('a success is none, and no challenge, whatever it carries', async () => {
    const { series, socket } = await after50(
      (arrived) =>
        arrived.reply(
          encodeBinding('success', arrived.request.transactionId, [
            attribute('XOR-MAPPED-ADDRESS', CLIENT),
            attribute('ERROR-CODE', { code: 401, reason: '' }),
            attribute('REALM', 'lab'),
            attribute('NONCE', 'n'),
          ]),
        ),
      [50],
      { credentials: { kind: 'long-term', username: 'alice', password: 'secret' } },
    );
    expect([series.errorAnswer, series.answer !== undefined, socket.requests.length]).toEqual([undefined, true, 1]);
  });

  it('are challenges so many times, and then answers', async () => {
    const { series, socket } = await after50(
      (arrived) =>
        arrived.reply(
          error(arrived, [
            attribute('ERROR-CODE', { code: arrived.count === 1 ? 401 : 438, reason: '' }),
            attribute('REALM', 'lab'),
            attribute('NONCE', `n${arrived.count}`),
          ]),
          1,
        ),
      [50],
      { credentials: { kind: 'long-term', username: 'alice', password: 'secret' } },
    );
    expect(socket.requests).toHaveLength(1 + MOST_CHALLENGES);
    expect(series.replies).toHaveLength(1);
    expect(series.errorAnswer?.code).toBe(438);
  });
});

describe('what the system refuses', () => {
  /** Refused at first, and from `passesAtMs` on not. */
  async function refusedUntil(kind: NetError['kind'], passesAtMs: number, waitMs = 200, endAtMs?: number) {
    const on = stage(() => {});
    const gate = new Gate(on.clock);
    const series = seriesOn(on, { gate });
    on.socket.refuse = new NetError(kind, '');
    const rest = await on.world.run(async () => {
      const timers = [on.clock.after(passesAtMs, () => (on.socket.refuse = undefined))];
      if (endAtMs !== undefined) timers.push(on.clock.after(endAtMs, () => series.end()));
      series.send();
      await sleep(on.clock, waitMs, forever);
      for (const cancel of timers) cancel();
      const { failure, hindrance, sent } = series;
      series.end();
      return { failure: failure?.kind, hindrance: hindrance?.kind, sent };
    });
    return { ...rest, begun: series.begun, at: on.socket.sentAt };
  }

  it('goes out once it may, and counts once', async () => {
    const result = await refusedUntil('denied', 60);
    expect(result).toMatchObject({ failure: undefined, hindrance: undefined, sent: 1, begun: true });
    expect(result.at).toHaveLength(1);
  });

  it('is the hindrance as long as it lasts, and the failure in the end', async () => {
    expect(await refusedUntil('denied', 500)).toMatchObject({ failure: undefined, hindrance: 'denied', sent: 0 });
    expect(await refusedUntil('denied', 5_000, 2_000)).toMatchObject({ failure: 'denied', sent: 0, at: [] });
  });

  it('is not tried again once the series is over, nor on a closed socket', async () => {
    expect((await refusedUntil('denied', 60, 200, 40)).at).toEqual([]);
    expect(await refusedUntil('closed', 60)).toMatchObject({ failure: undefined, hindrance: undefined, at: [] });
  });

  it('nor after what cannot pass', async () => {
    expect(await refusedUntil('refused', 60)).toMatchObject({ failure: 'refused', sent: 0, at: [] });
  });

  it('is a hindrance only until something is answered', async () => {
    const on = stage((arrived) => arrived.reply(success(arrived), 5));
    const series = seriesOn(on);
    await on.world.run(async () => {
      series.trouble(new NetError('unreachable', ''));
      expect(series.hindrance?.kind).toBe('unreachable');
      expect(series.evidence(0).verdict).toBe('unreachable');
      await sendUntil(series, [20], never, forever);
    });
    expect([series.hindrance, series.evidence(5).verdict]).toEqual([undefined, 'answered']);
  });

  it('by ICMP does not pass by sending', async () => {
    const on = stage(() => {});
    const series = seriesOn(on);
    await on.world.run(async () => {
      series.trouble(new NetError('unreachable', ''));
      series.send();
      await sleep(on.clock, 20, forever);
    });
    expect(series.hindrance?.kind).toBe('unreachable');
  });
});

it('a verdict given stands before what was heard', async () => {
  const { series } = await after50((arrived) => arrived.reply(success(arrived), 5), [20]);
  series.verdict = 'no hairpin';
  expect(series.evidence(5).verdict).toBe('no hairpin');
});

describe('sending until', () => {
  it('sends nothing where it is done already', async () => {
    const on = stage(() => {});
    const done = await on.world.run(() => sendUntil(seriesOn(on), [10], () => true, forever));
    expect([done, on.socket.sentAt]).toEqual([true, []]);
  });

  it('sees what is done with the last gap', async () => {
    const on = stage((arrived) => arrived.count === 2 && arrived.reply(success(arrived), 10));
    const series = seriesOn(on);
    const done = await on.world.run(() => sendUntil(series, [10, 10], () => series.answer !== undefined, forever));
    expect([done, series.sent]).toEqual([true, 2]);
    expect(await on.world.run(() => sendUntil(series, [], never, forever))).toBe(false);
  });

  it('hears nothing once it has ended', async () => {
    const on = stage((arrived) => arrived.reply(success(arrived), 10));
    const series = seriesOn(on);
    await on.world.run(async () => {
      series.send();
      series.end();
      await sleep(on.clock, 50, forever);
    });
    expect(series.replies).toEqual([]);
  });
});

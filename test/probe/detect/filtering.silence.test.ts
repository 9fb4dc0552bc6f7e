import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../../src/net/address.ts';
import { type Env, NetError } from '../../../src/net/env.ts';
import { changeControl, filteringTest } from '../../../src/probe/detect/filtering.ts';
import { MOST_SENDS, sendsForSilence } from '../../../src/probe/detect/loss.ts';
import { Probes } from '../../../src/probe/detect/probes.ts';
import type { Change } from '../../../src/probe/detect/purpose.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { type Decoded, get } from '../../../src/stun/message.ts';
import { type Arrived, CLIENT, SERVER, stage } from '../../stun/scripted.ts';

const OTHER = { address: '192.0.2.2', port: 3479 };
const IP_PORT: Change = { ip: true, port: true };
const PORT: Change = { ip: false, port: true };
const never = new AbortController().signal;
const success = ({ transactionId }: Decoded, mapped = true) =>
  encodeBinding('success', transactionId, mapped ? [attribute('XOR-MAPPED-ADDRESS', CLIENT)] : []);
const failure = ({ transactionId }: Decoded) =>
  encodeBinding('error', transactionId, [attribute('ERROR-CODE', { code: 420, reason: '' })]);

/** `count` from 1, of the test's own requests or of the plain ones. */
type Script = (arrived: Arrived, count: number) => void;
const silence: Script = () => {};
const answering =
  (afterMs: number): Script =>
  (arrived) =>
    arrived.reply(success(arrived.request), afterMs);

/** One socket on virtual time, whose plain requests and those that ask for a change are answered by these. */
function scene(plain: Script, changing: Script) {
  const counts = { plain: 0, changing: 0 };
  const on = stage((arrived) => {
    if (get(arrived.request, 'CHANGE-REQUEST')) changing(arrived, ++counts.changing);
    else plain(arrived, ++counts.plain);
  });
  const env = { clock: on.clock, random: on.world.random('probes'), udp: { open: () => Promise.resolve(on.socket) } };
  return { ...on, probes: new Probes(env as unknown as Env, 4, undefined) };
}

async function tested(
  plain: Script,
  changing: Script,
  { change = IP_PORT, others = 0 }: { change?: Change; others?: number } = {},
) {
  const { world, probes, socket } = scene(plain, changing);
  const outcome = await world.run(async () => {
    const own = await probes.open(never);
    for (let i = 0; i < others; i++) {
      const series = probes.begin({ kind: 'allocation' }, own, OTHER);
      series.send();
      await series.wait(() => series.answer !== undefined, 100, never);
    }
    const ended = await filteringTest(probes, own, SERVER, change, never);
    probes.close();
    return ended;
  });
  const [baseline, test] = probes.series.slice(others);
  if (!baseline || !test) throw new Error('nothing was asked');
  return { outcome, baseline, test, probes, socket, now: world.now };
}

describe('the silence of a filtering test', () => {
  it('is a fact after as many sends as the loss of the controls demands, and no more', async () => {
    const { outcome, baseline, test, probes } = await tested(answering(20), silence);
    expect([outcome, test.verdict]).toEqual(['silent', 'no answer came through']);
    expect(test.sent).toBe(sendsForSilence(probes.tally()));
    expect([baseline.purpose, test.purpose]).toEqual([
      { kind: 'baseline', change: IP_PORT },
      { kind: 'filtering', change: IP_PORT },
    ]);
    // Once answered, the baseline is sent with every other test only.
    expect(baseline.sent).toBeLessThan(test.sent);
    expect(baseline.sent).toBeGreaterThanOrEqual(test.sent / 2);
  });

  it('needs more of them where the controls are lost', async () => {
    const { outcome, test, probes } = await tested((arrived, count) => {
      if (count % 2) answering(20)(arrived, count);
    }, silence);
    expect(outcome).toBe('silent');
    expect(test.sent).toBeGreaterThan(12);
    expect(test.sent).toBeGreaterThanOrEqual(sendsForSilence(probes.tally()));
  });

  it('is none where so much is lost that no number of sends would do', async () => {
    const { outcome, test } = await tested((arrived, count) => {
      if (count === 1) answering(20)(arrived, count);
    }, silence);
    expect([outcome, test.verdict]).toEqual(['inconclusive', 'inconclusive']);
    expect(test.sent).toBeLessThanOrEqual(MOST_SENDS);
  });

  it('is none where the baseline is silent too; where others are answered, that is known sooner', async () => {
    const alone = await tested(silence, silence);
    expect(alone.outcome).toBe('inconclusive');
    expect(alone.test.sent).toBe(MOST_SENDS);
    const toOthers: Script = (arrived, count) => {
      if (arrived.to.port === OTHER.port) answering(20)(arrived, count);
    };
    const among = await tested(toOthers, silence, { others: 20 });
    expect(among.outcome).toBe('inconclusive');
    expect(among.test.sent).toBe(sendsForSilence(among.probes.tally()));
  });
});

describe('how long an answer of a filtering test is waited for', () => {
  /** Only the last of the fewest sends is answered, so much later. */
  const lastAfter = (rttMs: number, afterMs: number) =>
    tested(
      answering(rttMs),
      (arrived, count) => count === 7 && arrived.reply(success(arrived.request), afterMs, OTHER),
    );

  it.each([
    [20, 115],
    [100, 295],
    [400, 690],
  ])('with a round trip of %i ms: at least %i ms', async (rttMs, afterMs) => {
    const { outcome, test } = await lastAfter(rttMs, afterMs);
    expect([outcome, test.sent]).toEqual(['passed', 7]);
  });

  it.each([
    [20, 125],
    [100, 305],
    [400, 710],
  ])('with a round trip of %i ms: not %i ms, before it is silence or is asked again', async (rttMs, afterMs) => {
    const { outcome, test } = await lastAfter(rttMs, afterMs);
    expect(outcome === 'silent' || test.sent > 7).toBe(true);
  });

  it('is longer where the round trips differ', async () => {
    let asked = 0;
    const uneven: Script = (arrived, count) =>
      answering(arrived.to.port === OTHER.port ? ([20, 90][asked++ % 2] ?? 20) : 20)(arrived, count);
    const changing: Script = (arrived, count) => count === 7 && arrived.reply(success(arrived.request), 300, OTHER);
    const { outcome, test } = await tested(uneven, changing, { others: 2 });
    expect([outcome, test.sent]).toEqual(['passed', 7]);
  });

  it('is a second on a path of which nothing is known yet', async () => {
    const slow: Script = (arrived, count) => count === 1 && answering(900)(arrived, count);
    const passing: Script = (arrived, count) => count === 1 && arrived.reply(success(arrived.request), 950, OTHER);
    const { outcome, test } = await tested(slow, passing);
    expect([outcome, test.sent]).toEqual(['passed', 7]);
    const early: Script = (arrived, count) => count === 1 && arrived.reply(success(arrived.request), 500, OTHER);
    expect(await tested(silence, early)).toMatchObject({ outcome: 'passed', now: 500 });
  });

  it('is no longer than until it comes, whatever it says', async () => {
    const at = (from: Endpoint | undefined, bytes = success): Script => {
      return (arrived, count) => count === 2 && arrived.reply(bytes(arrived.request), 5, from);
    };
    expect(await tested(answering(1), at(OTHER))).toMatchObject({ outcome: 'passed', now: 30 });
    expect(await tested(answering(1), at(undefined))).toMatchObject({ outcome: 'ignored', now: 30 });
    expect(await tested(answering(1), at(undefined, failure))).toMatchObject({ outcome: 'rejected', now: 30 });
    const failing: Script = (arrived, count) => count === 2 && arrived.fail(new NetError('other', ''), 1);
    expect((await tested(answering(20), failing)).outcome).toBe('silent');
  });

  it('ends with a send that can never go out', async () => {
    const { probes, socket, world } = scene(answering(20), silence);
    socket.refuse = new NetError('too-big', '');
    const outcome = await world.run(async () => {
      const ended = await filteringTest(probes, await probes.open(never), SERVER, IP_PORT, never);
      probes.close();
      return ended;
    });
    expect(outcome).toBe('inconclusive');
    expect(world.now).toBe(0);
  });
});

describe('an answer to a request for a change', () => {
  const from = async (source: Endpoint, change: Change, bytes = success) =>
    (await tested(answering(20), (arrived) => arrived.reply(bytes(arrived.request), 5, source), { change })).outcome;

  it('passed where what was asked for has changed', async () => {
    expect(await from(OTHER, IP_PORT)).toBe('passed');
    expect(await from({ ...SERVER, port: 9 }, PORT)).toBe('passed');
    expect(await from({ ...OTHER, port: SERVER.port }, PORT)).toBe('passed');
    expect(await from(SERVER, IP_PORT)).toBe('ignored');
    expect(await from(SERVER, PORT)).toBe('ignored');
  });

  it('did not where the address stayed, or from elsewhere comes an error', async () => {
    expect(await from({ ...SERVER, port: 9 }, IP_PORT)).toBe('silent');
    expect(await from(OTHER, IP_PORT, failure)).toBe('silent');
  });
});

describe('the control of a change', () => {
  /** `seen`: the endpoints that saw the socket before. */
  async function controlled(changing: Script, seen: readonly Endpoint[] = [SERVER, OTHER]) {
    const { world, probes } = scene(answering(20), changing);
    const honoured = await world.run(async () => {
      const socket = await probes.open(never);
      for (const to of seen) {
        const series = probes.begin({ kind: 'mapping', number: 1 }, socket, to);
        series.send();
        await series.wait(() => series.answer !== undefined, 100, never);
      }
      const asked = { server: SERVER, opened: OTHER, change: IP_PORT, mapping: 'each' } as const;
      const proven = await changeControl(probes, socket, asked, never);
      probes.close();
      return proven.there;
    });
    const control = probes.series[seen.length];
    return { honoured, sent: control?.sent, verdict: control?.verdict, purpose: control?.purpose, now: world.now };
  }
  const from =
    (source: Endpoint | undefined, bytes = (request: Decoded) => success(request)): Script =>
    (arrived) =>
      arrived.reply(bytes(arrived.request), 20, source);

  it('ends with the first answer, and is honoured by a whole one from where it was asked for', async () => {
    const purpose = { kind: 'control', change: IP_PORT };
    expect(await controlled(from(OTHER))).toEqual({ honoured: true, sent: 1, verdict: 'honoured', purpose, now: 60 });
    const not = { honoured: false, sent: 1, verdict: 'not honoured', purpose, now: 60 };
    expect(await controlled(from(undefined))).toEqual(not);
    expect(await controlled(from(undefined, failure))).toEqual(not);
  });

  it('is not honoured by silence, an error or a bare answer from there, or by somebody else', async () => {
    const scripts = [
      silence,
      from(OTHER, failure),
      from(OTHER, (request) => success(request, false)),
      from({ ...OTHER, port: 9 }),
    ];
    for (const script of scripts) {
      const { honoured, sent, now } = await controlled(script);
      expect([honoured, sent]).toEqual([false, 15]);
      // The last send is given the round trip and as much again, at least a tenth of a second.
      expect(now).toBe(40 + 14 * 25 + 120);
    }
  });

  it('is not asked for where an endpoint has not seen the socket', async () => {
    for (const seen of [[SERVER], [OTHER], []])
      expect(await controlled(from(OTHER), seen)).toMatchObject({ honoured: false, sent: undefined });
  });
});

import { describe, expect, it } from 'vitest';
import { NetError } from '../../../src/net/env.ts';
import { Gate } from '../../../src/net/wait.ts';
import { type Purpose, purposeName, sendUntil, Series, settled } from '../../../src/probe/detect/series.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { type Arrived, CLIENT, SERVER, stage } from '../../stun/scripted.ts';

const mapped = ({ request }: Arrived) =>
  encodeBinding('success', request.transactionId, [attribute('XOR-MAPPED-ADDRESS', CLIENT)]);

/** Sends at the gaps until settled, or all of them. */
async function sent(script: (arrived: Arrived) => void, gaps: readonly number[], until = settled) {
  const { world, clock, mux, socket } = stage(script);
  const series = new Series({
    purpose: { kind: 'allocation' },
    mux,
    local: CLIENT,
    to: SERVER,
    clock,
    random: world.random(''),
    gate: new Gate(clock),
  });
  const done = await world.run(() => sendUntil(series, gaps, () => until(series), new AbortController().signal));
  series.end();
  return { series, done, socket };
}

describe('a series', () => {
  it('is sent until it is answered', async () => {
    const { series, done } = await sent(
      (arrived) => arrived.count === 2 && arrived.reply(mapped(arrived), 30),
      [100, 100, 100],
    );
    expect(done).toBe(true);
    expect(series.sent).toBe(2);
    expect(series.evidence(30)).toEqual({
      test: 'allocation',
      from: '203.0.113.7:40000',
      to: '192.0.2.1:3478',
      sent: 2,
      received: 1,
      // Of the two possible sends the one that fits the path.
      rttMs: 30,
      verdict: 'answered',
    });
    expect([series.rttMs, series.longestRttMs]).toEqual([30, 130]);
  });

  it('waits its last gap too, and is then silent', async () => {
    const { series, done, socket } = await sent(() => {}, [100, 50]);
    expect([done, socket.sentAt]).toEqual([false, [0, 100]]);
    expect(series.evidence(0)).toMatchObject({ sent: 2, received: 0, rttMs: null, verdict: 'silent' });
  });

  it('counts an answer from elsewhere as received, and believes it not', async () => {
    const { series } = await sent((arrived) => arrived.reply(mapped(arrived), 5, { ...SERVER, port: 9 }), [100]);
    expect(series.replies).toHaveLength(1);
    expect(series.answer).toBeUndefined();
    expect(settled(series)).toBe(false);
  });

  it('tells a useless answer, an error and a failure apart', async () => {
    const bare = await sent(({ request, reply }) => reply(encodeBinding('success', request.transactionId)), [100]);
    expect(bare.series.evidence(0).verdict).toBe('useless answer');
    const error = attribute('ERROR-CODE', { code: 500, reason: 'no' });
    const refusal = await sent(
      ({ request, reply }) => reply(encodeBinding('error', request.transactionId, [error])),
      [100],
    );
    expect(refusal.series.evidence(0).verdict).toBe('error 500');
    const { series } = await sent(
      () => {},
      [100],
      (each) => {
        each.trouble(new NetError('refused', ''));
        return true;
      },
    );
    expect(series.evidence(0)).toMatchObject({ sent: 0, verdict: 'refused' });
  });

  it('is named after its purpose', () => {
    const ip = { ip: true, port: true };
    const port = { ip: false, port: true };
    const purposes: readonly Purpose[] = [
      { kind: 'mapping', number: 3 },
      { kind: 'allocation' },
      { kind: 'baseline', change: ip },
      { kind: 'filtering', change: port },
      { kind: 'control', change: ip },
    ];
    expect(purposes.map(purposeName)).toEqual([
      'mapping-3',
      'allocation',
      'filtering-ip-port-baseline',
      'filtering-port',
      'control-ip-port',
    ]);
  });
});

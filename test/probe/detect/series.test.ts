import { describe, expect, it } from 'vitest';
import { NetError } from '../../../src/net/env.ts';
import { Gate } from '../../../src/net/wait.ts';
import { type Purpose, purposeName } from '../../../src/probe/detect/purpose.ts';
import { sendUntil, Series, settled } from '../../../src/probe/detect/series.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import type { Credentials } from '../../../src/stun/client.ts';
import { longTermKey } from '../../../src/stun/credentials.ts';
import { get } from '../../../src/stun/message.ts';
import { type Arrived, CLIENT, SERVER, stage } from '../../stun/scripted.ts';

const mapped = ({ request }: Arrived) =>
  encodeBinding('success', request.transactionId, [attribute('XOR-MAPPED-ADDRESS', CLIENT)]);

/** Sends at the gaps until settled, or all of them. */
async function sent(
  script: (arrived: Arrived) => void,
  gaps: readonly number[],
  until = settled,
  credentials?: Credentials,
) {
  const { world, clock, mux, socket } = stage(script);
  const series = new Series({
    purpose: { kind: 'allocation' },
    mux,
    local: CLIENT,
    to: SERVER,
    credentials,
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

describe('a series to a server that asks who is there', () => {
  const LOGIN = { kind: 'long-term', username: 'alice', password: 'secret' } as const;
  const KEY = longTermKey('alice', 'lab', 'secret', 'MD5');
  const challenge = (code: number, { request }: Arrived, nonce: string) =>
    encodeBinding('error', request.transactionId, [
      attribute('ERROR-CODE', { code, reason: '' }),
      attribute('REALM', 'lab'),
      attribute('NONCE', nonce),
    ]);
  const sealed = (arrived: Arrived, key = KEY) =>
    encodeBinding('success', arrived.request.transactionId, [attribute('XOR-MAPPED-ADDRESS', CLIENT)], {
      key,
      sha1: true,
    });

  it('answers the challenge, and counts both as one exchange', async () => {
    const { series } = await sent(
      (arrived) =>
        get(arrived.request, 'NONCE') === 'new'
          ? arrived.reply(sealed(arrived), 20)
          : arrived.reply(
              challenge(get(arrived.request, 'NONCE') ? 438 : 401, arrived, arrived.count === 1 ? 'old' : 'new'),
              20,
            ),
      [200],
      settled,
      LOGIN,
    );
    expect(series.answer).toBeDefined();
    expect(series.evidence(20)).toMatchObject({ sent: 1, received: 1, rttMs: 20, verdict: 'answered' });
  });

  it.each([
    ['no credentials', undefined, 'needed'],
    ['others than the server knows', LOGIN, 'refused'],
  ] as const)('ends with the refusal: %s', async (_, credentials, login) => {
    const { series, socket } = await sent(
      (arrived) => arrived.reply(challenge(401, arrived, 'n'), 5),
      [50, 50, 50],
      settled,
      credentials,
    );
    expect(series.errorAnswer).toMatchObject({ code: 401, login });
    expect(socket.sentAt).toHaveLength(credentials ? 2 : 1);
  });

  it('ends when it is challenged for ever', async () => {
    const { series } = await sent(
      (arrived) => arrived.reply(challenge(get(arrived.request, 'NONCE') ? 438 : 401, arrived, `n${arrived.count}`), 5),
      [50, 50, 50],
      settled,
      LOGIN,
    );
    expect(series.errorAnswer?.code).toBe(438);
  });

  it('takes nothing that was sealed with another password', async () => {
    const { series, done } = await sent(
      (arrived) =>
        arrived.reply(
          get(arrived.request, 'NONCE')
            ? sealed(
                arrived,
                KEY.map((byte) => byte ^ 1),
              )
            : challenge(401, arrived, 'n'),
          5,
        ),
      [50, 50],
      settled,
      LOGIN,
    );
    expect([done, series.unsealed > 0, series.replies]).toEqual([false, true, []]);
    expect(series.evidence(5).verdict).toBe('not sealed');
  });
});

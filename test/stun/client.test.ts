import { describe, expect, it } from 'vitest';
import { NetError } from '../../src/net/env.ts';
import { type Attribute, attribute } from '../../src/stun/attributes.ts';
import {
  type Credentials,
  type Question,
  transact,
  type TransactOptions,
  type TransactOutcome,
} from '../../src/stun/client.ts';
import { CredentialError, longTermKey, shortTermKey, userHash } from '../../src/stun/credentials.ts';
import { encodeNonce } from './nonce.ts';
import { checkFingerprint, checkIntegrity } from '../../src/stun/integrity.ts';
import { type Decoded, encode, get, METHOD, type Seal } from '../../src/stun/message.ts';
import { briskSchedule, standardSchedule } from '../../src/net/schedule.ts';
import { type Arrived, CLIENT, SERVER, stage, type Stage } from './scripted.ts';

const answer = (
  cls: 'success' | 'error',
  request: Decoded,
  attributes: readonly Attribute[] = [attribute('XOR-MAPPED-ADDRESS', CLIENT)],
  seal?: Seal,
) => encode({ class: cls, method: METHOD.binding, transactionId: request.transactionId, attributes }, seal);

const success = ({ request }: Arrived, seal?: Seal) => answer('success', request, undefined, seal);
const error = ({ request }: Arrived, code: number, more: readonly Attribute[] = [], seal?: Seal) =>
  answer('error', request, [attribute('ERROR-CODE', { code, reason: 'because' }), ...more], seal);

interface Run {
  readonly outcome: TransactOutcome;
  readonly stage: Stage;
}

async function ask(
  script: (arrived: Arrived) => void,
  options: Partial<TransactOptions> = {},
  question: Question = {},
): Promise<Run> {
  const on = stage(script);
  const outcome = await on.world.run(() =>
    transact(on.mux, question, {
      to: SERVER,
      schedule: standardSchedule(),
      clock: on.clock,
      random: on.world.random('client'),
      signal: new AbortController().signal,
      ...options,
    }),
  );
  return { outcome, stage: on };
}

describe('transact', () => {
  it('returns the answer, the exact round trip and the tally', async () => {
    const { outcome, stage: on } = await ask((arrived) => arrived.reply(success(arrived), 37));
    expect(outcome).toMatchObject({ kind: 'answered', rttMs: 37, rttExact: true, sent: 1, received: 1, from: SERVER });
    expect(on.socket.requests[0]).toMatchObject({ class: 'request', method: METHOD.binding, attributes: [] });
  });

  it('repeats the same request by the schedule, and gives up at 39.5 s', async () => {
    const { outcome, stage: on } = await ask(() => {});
    expect(outcome).toMatchObject({ kind: 'timeout', afterMs: 39500, sent: 8, received: 0 });
    const [plain, old] = [0, 1].map((n) => on.socket.requests.filter(({ attributes }) => attributes.length === n));
    expect(old?.map((request) => get(request, 'CHANGE-REQUEST'))).toEqual([{ ip: false, port: false }]);
    expect(on.socket.sentAt.filter((_, i) => plain?.includes(on.socket.requests[i] as Decoded))).toEqual([
      0, 500, 1500, 3500, 7500, 15500, 31500,
    ]);
    expect(on.world.now).toBe(39500);
    expect(new Set(plain?.map(({ transactionId }) => String(transactionId))).size).toBe(1);
  });

  it('says when a retransmission makes the round trip ambiguous', async () => {
    const { outcome } = await ask((arrived) => arrived.count === 1 && arrived.reply(success(arrived), 150), {
      schedule: briskSchedule(3000),
    });
    expect(outcome).toMatchObject({ kind: 'answered', rttMs: 50, rttExact: false, sent: 2 });
  });

  it('measures exactly with fresh IDs', async () => {
    const { outcome, stage: on } = await ask((arrived) => arrived.count === 1 && arrived.reply(success(arrived), 150), {
      schedule: briskSchedule(3000),
      freshIds: true,
    });
    expect(outcome).toMatchObject({ kind: 'answered', rttMs: 150, rttExact: true, sent: 2 });
    expect(String(on.socket.requests[0]?.transactionId)).not.toBe(String(on.socket.requests[1]?.transactionId));
  });

  it('does not count what handing the request over takes', async () => {
    const on = stage((arrived) => arrived.reply(success(arrived), 20));
    const { clock, world } = on;
    // The instant before the datagram is handed over lies 13 ms back.
    let beforeMs = 13;
    const send = on.socket.send.bind(on.socket);
    on.socket.send = (data, to) => {
      beforeMs = 0;
      return send(data, to);
    };
    const busy = { ...clock, now: () => clock.now() - beforeMs };
    const signal = new AbortController().signal;
    const options = { to: SERVER, schedule: briskSchedule(1000), clock: busy, random: world.random(''), signal };
    expect(await world.run(() => transact(on.mux, {}, options))).toMatchObject({ kind: 'answered', rttMs: 20 });
  });

  it('takes no answer from another source, but tells of it', async () => {
    const other = { ...SERVER, port: 3479 };
    const { outcome } = await ask((arrived) => arrived.reply(success(arrived), 5, other), {
      schedule: briskSchedule(1000),
    });
    expect(outcome).toMatchObject({ kind: 'timeout', received: 0, wrongSources: [other] });
  });

  it('takes one that it was told to expect', async () => {
    const other = { ...SERVER, port: 3479 };
    const { outcome } = await ask((arrived) => arrived.reply(success(arrived), 5, other), {
      acceptFrom: (from) => from.port === 3479,
    });
    expect(outcome).toMatchObject({ kind: 'answered', from: other });
  });

  it('takes no answer with another ID', async () => {
    const { outcome } = await ask(
      (arrived) =>
        arrived.reply(encode({ class: 'success', method: 1, transactionId: new Uint8Array(12), attributes: [] })),
      { schedule: briskSchedule(1000) },
    );
    expect(outcome).toMatchObject({ kind: 'timeout', received: 0 });
  });

  it('ends at once when the port is closed', async () => {
    const { outcome } = await ask((arrived) => arrived.fail(new NetError('refused', 'refused'), 12));
    expect(outcome).toMatchObject({ kind: 'network-error', error: { kind: 'refused' }, sent: 1 });
  });

  const refusing = async (refuses: (n: number) => NetError | undefined, options: Partial<TransactOptions> = {}) => {
    const on = stage((arrived) => arrived.reply(success(arrived)));
    let n = 0;
    const send = on.socket.send.bind(on.socket);
    on.socket.send = (data, to) => {
      const error = refuses(++n);
      return error ? Promise.reject(error) : send(data, to);
    };
    const { clock, world } = on;
    const signal = new AbortController().signal;
    const outcome = await world.run(() =>
      transact(
        on.mux,
        {},
        { to: SERVER, schedule: briskSchedule(5000), clock, random: world.random(''), signal, ...options },
      ),
    );
    return { outcome, tries: n, now: world.now };
  };

  it.each(['denied', 'unreachable', 'other'] as const)('takes one refused send (%s) for an event', async (kind) => {
    const { outcome, now } = await refusing((n) => (n === 1 ? new NetError(kind, 'no') : undefined));
    expect(outcome).toMatchObject({ kind: 'answered', sent: 1, received: 1, rttMs: 20 });
    expect(now).toBeLessThan(100);
  });

  it('goes on where every other send is refused', async () => {
    const { outcome } = await refusing((n) => (n % 2 === 1 ? new NetError('denied', 'EPERM') : undefined), {
      freshIds: true,
    });
    expect(outcome).toMatchObject({ kind: 'answered', sent: 1 });
  });

  it.each(['denied', 'unreachable', 'other'] as const)(
    'gives up when for a second nothing could be sent: %s',
    async (kind) => {
      const { outcome, now, tries } = await refusing(() => new NetError(kind, 'no'));
      expect(outcome).toMatchObject({ kind: 'network-error', error: { kind }, sent: 0 });
      expect(now).toBe(1000);
      expect(tries).toBeLessThan(60);
    },
  );

  it.each(['too-big', 'not-available', 'closed'] as const)('ends at once on what cannot pass: %s', async (kind) => {
    const { outcome, now } = await refusing(() => new NetError(kind, 'no'));
    expect(outcome).toMatchObject({ kind: 'network-error', error: { kind } });
    expect(now).toBe(0);
  });

  it('tells of the refusal, not of silence, where the time is up first', async () => {
    const { outcome } = await refusing(() => new NetError('denied', 'no'), { schedule: briskSchedule(400) });
    expect(outcome).toMatchObject({ kind: 'network-error', error: { kind: 'denied' } });
  });

  it('stops with the signal and leaves no timer behind', async () => {
    const stop = new AbortController();
    await expect(ask((arrived) => arrived.count === 2 && stop.abort('enough'), { signal: stop.signal })).rejects.toBe(
      'enough',
    );
  });

  it('reports an error answer once, without repeating the question', async () => {
    const { outcome, stage: on } = await ask((arrived) => arrived.reply(error(arrived, 420)));
    expect(outcome).toMatchObject({ kind: 'error-answer', code: 420, reason: 'because', sent: 1, received: 1 });
    expect(on.socket.sentAt).toEqual([0]);
  });

  it('fails on an answer that demands what it does not know', async () => {
    const { outcome } = await ask((arrived) =>
      arrived.reply(answer('success', arrived.request, [{ name: undefined, type: 0x7001, value: new Uint8Array(0) }])),
    );
    expect(outcome).toMatchObject({ kind: 'unknown-attributes', types: [0x7001] });
  });
});

describe('a server of RFC 3489', () => {
  const old = (arrived: Arrived) => get(arrived.request, 'CHANGE-REQUEST') && arrived.reply(success(arrived));
  const credentials: Credentials = { kind: 'short-term', username: 'user', password: 'secret' };

  it('that answers only what has a CHANGE-REQUEST in it is asked so after half a second', async () => {
    const { outcome, stage: on } = await ask(old, { schedule: briskSchedule(3000) });
    expect(outcome).toMatchObject({ kind: 'answered', needsChangeRequest: true, rttMs: 20, rttExact: true });
    expect(on.world.now).toBe(520);
    expect(on.socket.requests.filter((request) => get(request, 'CHANGE-REQUEST'))).toHaveLength(1);
  });

  it('is no reason to ask others so', async () => {
    const { outcome, stage: on } = await ask((arrived) => arrived.count === 3 && arrived.reply(success(arrived), 190), {
      schedule: briskSchedule(3000),
    });
    expect(outcome).toMatchObject({ kind: 'answered', needsChangeRequest: false });
    expect(on.socket.requests).toHaveLength(3);
  });

  it('is told from one that refuses the CHANGE-REQUEST, and whose plain answers were lost until then', async () => {
    const { outcome } = await ask(
      (arrived) => {
        if (get(arrived.request, 'CHANGE-REQUEST')) arrived.reply(error(arrived, 420));
        else if (arrived.count === 5) arrived.reply(success(arrived));
      },
      { schedule: briskSchedule(3000) },
    );
    expect(outcome).toMatchObject({ kind: 'answered', needsChangeRequest: false, received: 1 });
  });

  it.each([
    ['over TCP', {}, true],
    ['with credentials of its own', { credentials }, false],
    ['where it shall not', { oldManner: false }, false],
  ])('is not tried %s', async (_, options, reliable) => {
    const on = stage(() => {});
    if (reliable) Object.defineProperty(on.mux, 'reliable', { value: true });
    const { clock, world } = on;
    const signal = new AbortController().signal;
    await world.run(() =>
      transact(
        on.mux,
        {},
        { to: SERVER, schedule: briskSchedule(3000), clock, random: world.random(''), signal, ...options },
      ),
    );
    expect(on.socket.requests.some((request) => get(request, 'CHANGE-REQUEST'))).toBe(false);
  });
});

describe('a question', () => {
  const silent = async (question: Question) =>
    (await ask(() => {}, { schedule: briskSchedule(3000) }, question)).stage.socket.requests;

  it('that is no plain Binding request is not put in the manner of RFC 3489', async () => {
    const changes = (requests: readonly Decoded[]) => requests.filter((request) => get(request, 'CHANGE-REQUEST'));
    expect(changes(await silent({}))).toHaveLength(1);
    expect(changes(await silent({ attributes: [attribute('SOFTWARE', 'x')] }))).toEqual([]);
    expect(changes(await silent({ method: METHOD.allocate }))).toEqual([]);
  });

  it('carries what it was given, and a fingerprint where asked to', async () => {
    const [plain] = (await silent({ method: METHOD.allocate, attributes: [attribute('SOFTWARE', 'x')] })) as [Decoded];
    expect([plain.method, plain.attributes]).toEqual([METHOD.allocate, [attribute('SOFTWARE', 'x')]]);
    const [marked] = (await silent({ fingerprint: true })) as [Decoded];
    expect(checkFingerprint(marked)).toBe('valid');
    expect(checkFingerprint((await silent({ fingerprint: false }))[0] as Decoded)).toBe('absent');
  });

  it('that is answered with an error without a code has code 0', async () => {
    const { outcome } = await ask((arrived) => arrived.reply(answer('error', arrived.request, [])));
    expect(outcome).toMatchObject({ kind: 'error-answer', code: 0, reason: '' });
  });
});

describe('short-term credentials', () => {
  const credentials: Credentials = { kind: 'short-term', username: 'user', password: 'secret' };
  const key = shortTermKey('secret');

  it('seal the request with both hashes and are checked in the answer', async () => {
    const { outcome, stage: on } = await ask((arrived) => arrived.reply(success(arrived, { key, sha256: true })), {
      credentials,
    });
    expect(outcome.kind).toBe('answered');
    const request = on.socket.requests[0] as Decoded;
    expect(get(request, 'USERNAME')).toBe('user');
    expect(get(request, 'MESSAGE-INTEGRITY')).toBeDefined();
    expect(get(request, 'MESSAGE-INTEGRITY-SHA256')).toBeDefined();
    expect(checkIntegrity(request, key)).toBe('valid');
  });

  it('discard a forged answer and wait for the right one', async () => {
    const { outcome } = await ask(
      (arrived) => {
        arrived.reply(success(arrived, { key: shortTermKey('wrong') }), 5);
        if (arrived.count === 2) arrived.reply(success(arrived, { key }), 20);
      },
      { credentials },
    );
    expect(outcome).toMatchObject({ kind: 'answered', sent: 2, received: 3 });
  });

  it('take no answer with an empty seal, which fits any key', async () => {
    const { outcome } = await ask(
      (arrived) => {
        for (const type of [0x08, 0x1c]) {
          const bytes = Uint8Array.of(...success(arrived), 0, type, 0, 0);
          new DataView(bytes.buffer).setUint16(2, bytes.length - 20);
          arrived.reply(bytes, 5);
        }
      },
      { credentials },
    );
    expect(outcome).toMatchObject({ kind: 'timeout', received: 0 });
  });

  it.each([
    ['forged', { key: shortTermKey('wrong') }],
    ['missing', {}],
  ])('report the violation, not a timeout, when the seal is always %s', async (_, seal) => {
    const { outcome, stage: on } = await ask((arrived) => arrived.reply(success(arrived, seal)), { credentials });
    expect(outcome).toMatchObject({ kind: 'integrity-violated', sent: 7, discarded: { class: 'success' } });
    expect(on.world.now).toBe(39500);
  });
});

describe('long-term credentials', () => {
  const credentials: Credentials = { kind: 'long-term', username: 'user', password: 'secret' };
  const realm = attribute('REALM', 'example.org');
  const algorithms = [2, 1].map((algorithm) => ({ algorithm, parameters: new Uint8Array(0) }));

  it('answer a 401 with realm, nonce and MD5 where the server is of RFC 5389', async () => {
    const key = longTermKey('user', 'example.org', 'secret', 'MD5');
    const { outcome, stage: on } = await ask(
      (arrived) =>
        arrived.reply(
          get(arrived.request, 'NONCE') === 'n1' && checkIntegrity(arrived.request, key) === 'valid'
            ? success(arrived, { key })
            : error(arrived, 401, [realm, attribute('NONCE', 'n1')]),
        ),
      { credentials },
    );
    expect(outcome).toMatchObject({ kind: 'answered', sent: 1, received: 1 });
    const [first, second] = on.socket.requests as [Decoded, Decoded];
    expect(get(first, 'USERNAME')).toBeUndefined();
    expect(get(second, 'USERNAME')).toBe('user');
    expect(get(second, 'MESSAGE-INTEGRITY-SHA256')).toBeUndefined();
    expect(String(first.transactionId)).not.toBe(String(second.transactionId));
  });

  it('echo and choose the algorithm, and hide the name, where the nonce says so', async () => {
    const nonce = encodeNonce({ passwordAlgorithms: true, usernameAnonymity: true }, 'x');
    const key = longTermKey('user', 'example.org', 'secret', 'SHA-256');
    const { outcome, stage: on } = await ask(
      (arrived) =>
        arrived.reply(
          checkIntegrity(arrived.request, key) === 'valid'
            ? success(arrived, { key, sha256: true })
            : error(arrived, 401, [realm, attribute('NONCE', nonce), attribute('PASSWORD-ALGORITHMS', algorithms)]),
        ),
      { credentials },
    );
    expect(outcome.kind).toBe('answered');
    const second = on.socket.requests[1] as Decoded;
    expect(get(second, 'USERNAME')).toBeUndefined();
    expect(get(second, 'USERHASH')).toEqual(userHash('user', 'example.org'));
    expect(get(second, 'PASSWORD-ALGORITHMS')?.map(({ algorithm }) => algorithm)).toEqual([2, 1]);
    expect(get(second, 'PASSWORD-ALGORITHM')?.algorithm).toBe(2);
    expect(get(second, 'MESSAGE-INTEGRITY')).toBeUndefined();
  });

  it('are not sent when the promised list of algorithms is gone', async () => {
    const nonce = encodeNonce({ passwordAlgorithms: true, usernameAnonymity: false }, 'x');
    const { outcome } = await ask((arrived) => arrived.reply(error(arrived, 401, [realm, attribute('NONCE', nonce)])), {
      credentials,
    });
    expect(outcome).toMatchObject({ kind: 'error-answer', code: 401, sent: 1 });
  });

  it('are not thrown at a realm that no credential fits', async () => {
    const { outcome } = await ask(
      (arrived) => arrived.reply(error(arrived, 401, [attribute('REALM', 'a\u0007b'), attribute('NONCE', 'n')])),
      { credentials },
    );
    expect(outcome).toMatchObject({ kind: 'error-answer', code: 401 });
  });

  it('that cannot be sent are told of before anything is', async () => {
    await expect(ask(() => {}, { credentials: { ...credentials, password: 'a\u0007' } })).rejects.toBeInstanceOf(
      CredentialError,
    );
  });

  it('take a new nonce after 438', async () => {
    const key = longTermKey('user', 'example.org', 'secret', 'MD5');
    const { outcome } = await ask(
      (arrived) => {
        const nonce = get(arrived.request, 'NONCE');
        if (nonce === undefined) arrived.reply(error(arrived, 401, [realm, attribute('NONCE', 'old')]));
        else if (nonce === 'old') arrived.reply(error(arrived, 438, [realm, attribute('NONCE', 'new')]));
        else arrived.reply(success(arrived, { key }));
      },
      { credentials },
    );
    expect(outcome).toMatchObject({ kind: 'answered', sent: 1, received: 1 });
  });

  it('are offered once: a wrong password ends in 401', async () => {
    const { outcome, stage: on } = await ask(
      (arrived) => arrived.reply(error(arrived, 401, [realm, attribute('NONCE', 'n')])),
      { credentials },
    );
    expect(outcome).toMatchObject({ kind: 'error-answer', code: 401, sent: 1 });
    expect(on.socket.requests).toHaveLength(2);
  });

  it('give up on a server whose nonce is always stale', async () => {
    const { outcome, stage: on } = await ask(
      (arrived) =>
        arrived.reply(
          error(arrived, get(arrived.request, 'NONCE') === undefined ? 401 : 438, [
            realm,
            attribute('NONCE', `n${arrived.count}`),
          ]),
        ),
      { credentials },
    );
    expect(outcome).toMatchObject({ kind: 'error-answer', code: 438, sent: 1 });
    expect(on.socket.requests).toHaveLength(4);
  });

  it('are not sent for another error, whatever comes with it', async () => {
    const { outcome, stage: on } = await ask(
      (arrived) => arrived.reply(error(arrived, 400, [realm, attribute('NONCE', 'n')])),
      { credentials },
    );
    expect(outcome).toMatchObject({ kind: 'error-answer', code: 400, sent: 1 });
    expect(on.socket.requests).toHaveLength(1);
  });

  it('name a stranger who answered before and after the challenge once', async () => {
    const liar = { ...SERVER, port: 9 };
    const another = { ...SERVER, port: 10 };
    const { outcome } = await ask(
      (arrived) => {
        arrived.reply(success(arrived), 5, liar);
        if (arrived.count === 2) arrived.reply(success(arrived), 6, another);
        arrived.reply(error(arrived, 401, [realm, attribute('NONCE', 'n')]), 10);
      },
      { credentials },
    );
    expect(outcome.wrongSources).toEqual([liar, another]);
  });

  it('are not needed by a server that asks for none', async () => {
    const { outcome } = await ask((arrived) => arrived.reply(success(arrived)), { credentials });
    expect(outcome).toMatchObject({ kind: 'answered', sent: 1 });
  });
});

describe('300 and ALTERNATE-SERVER', () => {
  const other = { address: '192.0.2.9', port: 3478 };
  const moved = (arrived: Arrived, to = other, seal?: Seal) =>
    error(arrived, 300, [attribute('ALTERNATE-SERVER', to)], seal);

  /** Follows on the same socket. */
  const follow = async (script: (arrived: Arrived) => void, options: Partial<TransactOptions> = {}) => {
    const on = stage(script);
    const outcome = await on.world.run(() =>
      transact(
        on.mux,
        {},
        {
          to: SERVER,
          schedule: briskSchedule(1000),
          redirect: () => Promise.resolve(on.mux),
          clock: on.clock,
          random: on.world.random('client'),
          signal: new AbortController().signal,
          ...options,
        },
      ),
    );
    return outcome;
  };

  it('is followed', async () => {
    const outcome = await follow((arrived) =>
      arrived.reply(arrived.to.address === other.address ? success(arrived) : moved(arrived)),
    );
    expect(outcome).toMatchObject({ kind: 'answered', from: other, server: other, sent: 1, received: 1 });
  });

  it.each([
    { address: '0.0.0.0', port: 0 },
    { address: '192.0.2.9', port: 0 },
    { address: '0.0.0.0', port: 3478 },
    { address: '127.0.0.1', port: 22 },
    { address: '192.168.1.20', port: 3478 },
    { address: '224.0.0.1', port: 3478 },
  ])('is not followed to $address:$port', async (to) => {
    expect(await follow((arrived) => arrived.reply(moved(arrived, to)))).toMatchObject({
      kind: 'error-answer',
      code: 300,
      sent: 1,
      // Whoever was asked last: the one that named it.
      server: SERVER,
    });
  });

  it('comes with the domain that the certificate is for', async () => {
    const asked: (string | undefined)[] = [];
    const on = stage((arrived) =>
      arrived.reply(
        arrived.to.address === other.address
          ? success(arrived)
          : error(arrived, 300, [
              attribute('ALTERNATE-SERVER', other),
              attribute('ALTERNATE-DOMAIN', 'other.example.net'),
            ]),
      ),
    );
    const redirect = (_: unknown, domain: string | undefined) => {
      asked.push(domain);
      return Promise.resolve(on.mux);
    };
    const signal = new AbortController().signal;
    await on.world.run(() =>
      transact(
        on.mux,
        {},
        {
          to: SERVER,
          schedule: briskSchedule(1000),
          redirect,
          clock: on.clock,
          random: on.world.random('client'),
          signal,
        },
      ),
    );
    expect(asked).toEqual(['other.example.net']);
  });

  it('is not followed in a circle', async () => {
    const outcome = await follow((arrived) =>
      arrived.reply(moved(arrived, arrived.to.address === other.address ? SERVER : other)),
    );
    expect(outcome).toMatchObject({ kind: 'error-answer', code: 300, sent: 1, server: other });
  });

  it.each([
    ['refuses', new NetError('refused', 'refused')],
    ['is silent', undefined],
  ])('leads to a server that %s: that one is told of', async (_, error) => {
    const outcome = await follow((arrived) => {
      if (arrived.to.address !== other.address) arrived.reply(moved(arrived));
      else if (error) arrived.fail(error);
    });
    expect(outcome).toMatchObject({ kind: error ? 'network-error' : 'timeout', server: other, received: 0 });
  });

  it('leads to where no channel can be opened: an outcome', async () => {
    const redirect = () => Promise.reject(new NetError('unreachable', 'no'));
    const outcome = await follow((arrived) => arrived.reply(moved(arrived)), { redirect });
    expect(outcome).toMatchObject({ kind: 'network-error', error: { kind: 'unreachable' }, server: other, sent: 0 });
  });

  it('is not followed without end', async () => {
    const outcome = await follow((arrived) => arrived.reply(moved(arrived, { ...other, port: 4000 + arrived.count })));
    expect(outcome).toMatchObject({ kind: 'error-answer', code: 300, sent: 1, server: { ...other, port: 4005 } });
  });

  it('is not followed into another family', async () => {
    const outcome = await follow((arrived) => arrived.reply(moved(arrived, { address: '2001:db8::1', port: 1 })));
    expect(outcome).toMatchObject({ kind: 'error-answer', code: 300, sent: 1, server: SERVER });
  });

  it('is followed from a private server to another', async () => {
    const [from, to] = [
      { address: '10.0.0.1', port: 3478 },
      { address: '10.0.0.2', port: 3478 },
    ] as const;
    const outcome = await follow(
      (arrived) => arrived.reply(arrived.to.address === to.address ? success(arrived) : moved(arrived, to)),
      { to: from },
    );
    expect(outcome).toMatchObject({ kind: 'answered', server: to });
  });

  it('is an error like any other where it names nobody, and names nobody in another error', async () => {
    const nobody = await follow((arrived) => arrived.reply(error(arrived, 300)));
    expect(nobody).toMatchObject({ kind: 'error-answer', code: 300, sent: 1, server: SERVER });
    const named = await follow((arrived) => arrived.reply(error(arrived, 500, [attribute('ALTERNATE-SERVER', other)])));
    expect(named).toMatchObject({ kind: 'error-answer', code: 500, sent: 1, server: SERVER });
  });

  it('rejects with what is no error of the network', async () => {
    const redirect = () => Promise.reject(new TypeError('a bug'));
    await expect(follow((arrived) => arrived.reply(moved(arrived)), { redirect })).rejects.toThrow('a bug');
  });

  it('is ignored where nobody asked for it, as RFC 5780 wants', async () => {
    const outcome = await follow((arrived) => arrived.reply(moved(arrived)), { redirect: undefined });
    expect(outcome).toMatchObject({ kind: 'error-answer', code: 300, sent: 1 });
  });

  it('is not believed without a seal by those who have credentials', async () => {
    const credentials: Credentials = { kind: 'long-term', username: 'user', password: 'secret' };
    const outcome = await follow((arrived) => arrived.reply(moved(arrived)), { credentials });
    expect(outcome).toMatchObject({ kind: 'error-answer', code: 300, sent: 1, server: SERVER });
  });

  it('is believed with a valid seal only', async () => {
    const credentials: Credentials = { kind: 'short-term', username: 'user', password: 'secret' };
    const key = shortTermKey('secret');
    const run = (sealed: Uint8Array) =>
      follow(
        (arrived) =>
          arrived.reply(
            arrived.to.address === other.address ? success(arrived, { key }) : moved(arrived, other, { key: sealed }),
          ),
        { credentials },
      );
    expect(await run(key)).toMatchObject({ kind: 'answered', from: other });
    expect(await run(shortTermKey('wrong'))).toMatchObject({ kind: 'integrity-violated' });
  });
});

describe('StunMux', () => {
  it('keeps transactions on one socket apart', async () => {
    const on = stage((arrived) =>
      arrived.reply(
        answer('success', arrived.request, [attribute('SOFTWARE', `${arrived.count}`)]),
        100 - arrived.count,
      ),
    );
    const options = {
      to: SERVER,
      schedule: standardSchedule(),
      clock: on.clock,
      random: on.world.random(''),
      signal: new AbortController().signal,
    };
    const outcomes = await on.world.run(() => Promise.all([1, 2, 3].map(() => transact(on.mux, {}, options))));
    expect(outcomes.map((outcome) => outcome.kind === 'answered' && get(outcome.message, 'SOFTWARE'))).toEqual([
      '1',
      '2',
      '3',
    ]);
  });

  it('passes on what nobody awaits: requests, answers to others, and what is not STUN, but no second answer', async () => {
    const on = stage((arrived) => {
      arrived.reply(success(arrived), 10);
      arrived.reply(success(arrived), 20);
      arrived.reply(answer('error', arrived.request, [attribute('ERROR-CODE', { code: 400, reason: 'late' })]), 21);
      arrived.reply(
        encode({ class: 'request', method: 1, transactionId: arrived.request.transactionId, attributes: [] }),
        5,
      );
      arrived.reply(Uint8Array.of(1, 2, 3), 6);
      arrived.reply(encode({ class: 'success', method: 1, transactionId: new Uint8Array(12), attributes: [] }), 30);
    });
    const heard: (string | undefined)[] = [];
    on.mux.onOther = (_, message) => heard.push(message?.class);
    await on.world.run(async () => {
      await transact(
        on.mux,
        {},
        {
          to: SERVER,
          schedule: standardSchedule(),
          clock: on.clock,
          random: on.world.random(''),
          signal: new AbortController().signal,
        },
      );
      await new Promise<void>((resolve) => on.clock.after(100, resolve));
    });
    expect(heard).toEqual(['request', undefined, 'success']);
  });

  it('does not remember for ever what it asked', async () => {
    const id = (n: number) => Uint8Array.of(n >> 8, n & 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    const on = stage((arrived) => {
      for (const n of [0, 1, 256])
        arrived.reply(encode({ class: 'success', method: METHOD.binding, transactionId: id(n), attributes: [] }), 10);
    });
    const heard: (number | undefined)[] = [];
    on.mux.onOther = (_, message) => heard.push(message?.transactionId[1]);
    for (let n = 0; n < 257; n++) on.mux.expect(id(n), () => {})();
    await on.world.run(async () => {
      await on.mux.send(
        encode({ class: 'request', method: METHOD.binding, transactionId: id(999), attributes: [] }),
        SERVER,
      );
      await new Promise<void>((resolve) => on.clock.after(100, resolve));
    });
    expect(heard).toEqual([0]);
  });
});

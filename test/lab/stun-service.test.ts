import { describe, expect, it } from 'vitest';
import { createLab, DEFAULT_SERVER, type ServerSpec } from '../../src/lab/topology.ts';
import type { ServerFault } from '../../src/lab/server-faults.ts';
import { formatEndpoint, type Endpoint } from '../../src/net/address.ts';
import { NetError } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';
import { type Attribute, attribute } from '../../src/stun/attributes.ts';
import { type Decoded, decode, encode, get, looksLikeStun, METHOD } from '../../src/stun/message.ts';

const P: Endpoint = { address: '40.30.20.10', port: 3478 };

interface Answer {
  readonly from: string;
  readonly at: number;
  readonly message: Decoded | undefined;
}

/** Sends one request from behind a full cone and returns all that comes back within two seconds. */
function ask(
  server: Partial<ServerSpec>,
  attributes: readonly Attribute[] = [],
  to: Endpoint = P,
  times = 1,
): Promise<{ answers: Answer[]; id: Uint8Array }> {
  const lab = createLab({ nat: 'full-cone', rttMs: 40, servers: [{ ...DEFAULT_SERVER, ...server }] });
  return lab.run(async (env) => {
    const id = env.random.bytes(12);
    const socket = await env.udp.open({ family: 4 });
    const answers: Answer[] = [];
    socket.listen({
      datagram: ({ from, at, data }) =>
        answers.push({ from: formatEndpoint(from), at, message: looksLikeStun(data) ? decode(data) : undefined }),
    });
    for (let i = 0; i < times; i++)
      await socket.send(encode({ class: 'request', method: METHOD.binding, transactionId: id, attributes }), to);
    await sleep(env.clock, 2000);
    socket.close();
    return { answers, id };
  });
}

const faulty = (...faults: ServerFault[]): Partial<ServerSpec> => ({ faults });
const changeBoth = [attribute('CHANGE-REQUEST', { ip: true, port: true })];
const changePort = [attribute('CHANGE-REQUEST', { ip: false, port: true })];
const otherOf = (answer: Answer | undefined) => answer?.message && get(answer.message, 'OTHER-ADDRESS');
const errorOf = (answer: Answer | undefined) => answer?.message && get(answer.message, 'ERROR-CODE')?.code;

describe('a healthy server', () => {
  it('answers with the public side, its other address, and from where it was asked to', async () => {
    const { answers } = await ask({});
    expect(answers.map(({ from, at }) => [from, at])).toEqual([['40.30.20.10:3478', 40]]);
    expect(answers[0]?.message && get(answers[0].message, 'XOR-MAPPED-ADDRESS')).toEqual({
      address: '12.13.14.15',
      port: 24_604,
    });
    expect(otherOf(answers[0])).toEqual({ address: '40.30.20.11', port: 3479 });
    expect((await ask({}, changeBoth)).answers.map(({ from }) => from)).toEqual(['40.30.20.11:3479']);
    expect((await ask({}, changePort)).answers.map(({ from }) => from)).toEqual(['40.30.20.10:3479']);
    expect((await ask({}, [], { ...P, address: '40.30.20.11' })).answers.map(({ from }) => from)).toEqual([
      '40.30.20.11:3478',
    ]);
  });

  it('with one address is a plain one', async () => {
    const one = { addresses: ['40.30.20.10'] };
    expect(otherOf((await ask(one)).answers[0])).toBeUndefined();
    expect(errorOf((await ask(one, changeBoth)).answers[0])).toBe(420);
  });

  it('answers over TCP, also when the request comes in pieces', async () => {
    const lab = createLab();
    await lab.run(async (env) => {
      const stream = await env.tcp.connect(P, {});
      const request = encode({
        class: 'request',
        method: METHOD.binding,
        transactionId: env.random.bytes(12),
        attributes: [],
      });
      await stream.write(request.subarray(0, 7));
      await stream.write(request.subarray(7));
      for await (const chunk of stream) {
        expect(get(decode(chunk), 'XOR-MAPPED-ADDRESS')).toEqual({ address: '12.13.14.15', port: 24_604 });
        break;
      }
      stream.close();
    });
  });
});

describe('faults', () => {
  it.each<[ServerFault, string | undefined]>([
    ['no-other-address', undefined],
    ['other-address-missing', undefined],
    ['other-address-same-ip', '40.30.20.10:3479'],
    ['other-address-dead', '40.30.20.99:3479'],
    ['other-address-private', '10.0.0.11:3479'],
  ])('%s: OTHER-ADDRESS is %s', async (fault, expected) => {
    const other = otherOf((await ask(faulty(fault))).answers[0]);
    expect(other && formatEndpoint(other)).toBe(expected);
  });

  it.each<[ServerFault, string[], string[]]>([
    ['other-address-missing', ['40.30.20.11:3479'], ['40.30.20.10:3479']],
    ['other-address-same-ip', ['40.30.20.10:3479'], ['40.30.20.10:3479']],
    ['other-address-dead', [], ['40.30.20.10:3479']],
    ['other-address-private', [], ['40.30.20.10:3479']],
    ['change-ignored', ['40.30.20.10:3478'], ['40.30.20.10:3478']],
    ['change-port-only', ['40.30.20.10:3479'], ['40.30.20.10:3479']],
    ['change-dropped', [], []],
  ])('%s: changed answers come from %j and %j', async (fault, both, port) => {
    expect((await ask(faulty(fault), changeBoth)).answers.map(({ from }) => from)).toEqual(both);
    expect((await ask(faulty(fault), changePort)).answers.map(({ from }) => from)).toEqual(port);
    expect((await ask(faulty(fault))).answers.map(({ from }) => from)).toEqual(['40.30.20.10:3478']);
  });

  it.each<[ServerFault, number]>([
    ['no-other-address', 420],
    ['change-420', 420],
    ['change-400', 400],
    ['error', 500],
  ])('%s: CHANGE-REQUEST gets %d', async (fault, code) => {
    const { answers } = await ask(faulty(fault), changeBoth);
    expect(answers.map((answer) => [answer.from, errorOf(answer)])).toEqual([['40.30.20.10:3478', code]]);
  });

  it('error: everything gets it', async () => expect(errorOf((await ask(faulty('error'))).answers[0])).toBe(500));

  it('wrong-id', async () => {
    const { answers, id } = await ask(faulty('wrong-id'));
    expect(answers).toHaveLength(1);
    expect(answers[0]?.message?.transactionId).not.toEqual(id);
  });

  it('wrong-source', async () =>
    expect((await ask(faulty('wrong-source'))).answers.map(({ from }) => from)).toEqual(['40.30.20.10:3479']));

  it('garbage', async () =>
    expect((await ask(faulty('garbage'))).answers.map(({ message }) => message)).toEqual([undefined]));

  it.each<[ServerFault, string[]]>([
    ['mapped-only', ['MAPPED-ADDRESS']],
    ['no-mapped-address', ['RESPONSE-ORIGIN', 'OTHER-ADDRESS']],
    ['unknown-attribute', ['XOR-MAPPED-ADDRESS', 'MAPPED-ADDRESS', 'RESPONSE-ORIGIN', 'OTHER-ADDRESS', 'unknown']],
  ])('%s: %j', async (fault, names) => {
    expect((await ask(faulty(fault))).answers[0]?.message?.attributes.map(({ name }) => name ?? 'unknown')).toEqual(
      names,
    );
  });

  it('duplicate, stray, silent', async () => {
    expect((await ask(faulty('duplicate'))).answers).toHaveLength(2);
    expect((await ask(faulty('stray'))).answers.map(({ message }) => message !== undefined)).toEqual([false, true]);
    expect((await ask(faulty('silent'))).answers).toHaveLength(0);
  });

  it('slow and late', async () => {
    expect((await ask(faulty('slow'))).answers[0]?.at).toBe(740);
    expect((await ask(faulty('late-change'))).answers[0]?.at).toBe(40);
    expect((await ask(faulty('late-change'), changeBoth)).answers[0]?.at).toBe(1040);
    expect(
      (await ask({ delays: [{ ms: 300, asked: 'A2P1' }] }, [], { ...P, address: '40.30.20.11' })).answers[0]?.at,
    ).toBe(340);
    expect((await ask({ delays: [{ ms: 300, asked: 'A2P1' }] })).answers[0]?.at).toBe(40);
  });

  it('rate-limited', async () => expect((await ask(faulty('rate-limited'), [], P, 10)).answers).toHaveLength(2));

  it('no-response-port: takes it and answers as always', async () => {
    const wish = [attribute('RESPONSE-PORT', 40_000)];
    expect((await ask({}, wish)).answers).toHaveLength(0);
    expect((await ask(faulty('no-response-port'), wish)).answers).toHaveLength(1);
  });

  it('combine', async () =>
    expect((await ask(faulty('change-ignored', 'duplicate'), changeBoth)).answers.map(({ from }) => from)).toEqual([
      '40.30.20.10:3478',
      '40.30.20.10:3478',
    ]));

  it('a closed server refuses, a dead one is silent', async () => {
    const errors = (state: 'closed' | 'dead') =>
      createLab({ servers: [{ ...DEFAULT_SERVER, state }] }).run(async (env) => {
        const socket = await env.udp.open({ family: 4, remote: P });
        const kinds: string[] = [];
        socket.listen({
          datagram: () => kinds.push('answer'),
          error: (error) => kinds.push(error instanceof NetError ? error.kind : 'other'),
        });
        await socket.send(Uint8Array.of(1));
        await sleep(env.clock, 1000);
        socket.close();
        return kinds;
      });
    expect(await errors('closed')).toEqual(['refused']);
    expect(await errors('dead')).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { createLab, DEFAULT_SERVER } from '../../src/lab/topology.ts';
import { NetError } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';
import { attribute } from '../../src/stun/attributes.ts';
import { decode, encode, get, METHOD } from '../../src/stun/message.ts';
import { type Answer, ask, P } from './faults/ask.ts';

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
  it('combine', async () =>
    expect(
      (await ask({ faults: ['change-ignored', 'duplicate'] }, changeBoth)).answers.map(({ from }) => from),
    ).toEqual(['40.30.20.10:3478', '40.30.20.10:3478']));

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

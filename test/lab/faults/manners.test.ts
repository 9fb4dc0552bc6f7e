import { describe, expect, it } from 'vitest';
import type { ServerFault } from '../../../src/lab/server-faults.ts';
import { createLab, DEFAULT_SERVER } from '../../../src/lab/topology.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encode, METHOD } from '../../../src/stun/message.ts';
import { ask, P } from './ask.ts';

const faulty = (...faults: ServerFault[]) => ({ faults });
const changeBoth = [attribute('CHANGE-REQUEST', { ip: true, port: true })];

describe('the manners of a server', () => {
  it('wrong-source', async () =>
    expect((await ask(faulty('wrong-source'))).answers.map(({ from }) => from)).toEqual(['40.30.20.10:3479']));

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

  it('very slow, or rarely at all', async () => {
    expect((await ask(faulty('very-slow'))).answers[0]?.at).toBe(1940);
    expect((await ask(faulty('one-in-three'), [], P, 7)).answers).toHaveLength(2);
  });

  it("others-answers: another's goes before ours", async () => {
    const { answers, id } = await ask(faulty('others-answers'));
    expect(answers.map(({ message }) => message && Buffer.from(message.transactionId).equals(id))).toEqual([
      false,
      true,
    ]);
  });

  it('rate-limited', async () => expect((await ask(faulty('rate-limited'), [], P, 10)).answers).toHaveLength(2));

  it('wrong-address', async () =>
    expect((await ask(faulty('wrong-address'))).answers.map(({ from }) => from)).toEqual(['40.30.20.11:3478']));

  it('low-ttl: the answer dies on the way', async () => {
    const lab = createLab({ trace: true, servers: [{ ...DEFAULT_SERVER, faults: ['low-ttl'] }] });
    await lab.run(async (env) => {
      const socket = await env.udp.open({ family: 4 });
      const transactionId = env.random.bytes(12);
      await socket.send(encode({ class: 'request', method: METHOD.binding, transactionId, attributes: [] }), P);
      await new Promise<void>((done) => env.clock.after(500, done));
      socket.close();
    });
    const fromServer = lab.trace.filter(({ packet }) => packet.src.address === P.address);
    expect(fromServer.map((event) => event.kind === 'hop' && event.loss)).toEqual(['ttl-expired']);
  });

  it.each<[ServerFault, 'answers' | 'refuses']>([
    ['udp-silent', 'answers'],
    ['silent', 'refuses'],
  ])('%s: no answer over UDP; over TCP it %s', async (fault, overTcp) => {
    expect((await ask(faulty(fault))).answers).toEqual([]);
    const lab = createLab({ servers: [{ ...DEFAULT_SERVER, faults: [fault] }] });
    const heard = await lab.run(async (env) => {
      try {
        const stream = await env.tcp.connect(P, {});
        const transactionId = env.random.bytes(12);
        await stream.write(encode({ class: 'request', method: METHOD.binding, transactionId, attributes: [] }));
        for await (const _ of stream) break;
        stream.close();
        return 'answers';
      } catch {
        return 'refuses';
      }
    });
    expect(heard).toBe(overTcp);
  });
});

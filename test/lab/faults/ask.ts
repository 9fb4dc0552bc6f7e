/** One question to a simulated server with faults, and all that comes back. */
import { createLab, DEFAULT_SERVER, type ServerSpec } from '../../../src/lab/topology.ts';
import type { ServerFault } from '../../../src/lab/server-faults.ts';
import { familyOf, formatEndpoint, type Endpoint } from '../../../src/net/address.ts';
import { sleep } from '../../../src/net/wait.ts';
import type { Attribute } from '../../../src/stun/attributes.ts';
import { decodeAnswer } from '../../../src/stun/leniency.ts';
import { type Decoded, decode, encode, looksLikeStun, METHOD, StunFormatError } from '../../../src/stun/message.ts';

export const P: Endpoint = { address: '40.30.20.10', port: 3478 };
export const P6: Endpoint = { address: '2001:db8:40::10', port: 3478 };

export interface Answer {
  readonly from: string;
  readonly at: number;
  readonly data: Uint8Array;
  /** As strict a reader takes it; undefined where it is no STUN. */
  readonly message: Decoded | undefined;
  /** As a lenient reader takes it. */
  readonly lenient: Decoded | undefined;
}

const strict = (data: Uint8Array): Decoded | undefined => {
  try {
    return looksLikeStun(data) ? decode(data) : undefined;
  } catch (error) {
    if (!(error instanceof StunFormatError)) throw error;
    return undefined;
  }
};

/** Sends one request from behind a full cone and returns all that comes back within two seconds. */
export function ask(
  server: Partial<ServerSpec>,
  attributes: readonly Attribute[] = [],
  to: Endpoint = P,
  times = 1,
): Promise<{ answers: Answer[]; id: Uint8Array }> {
  const addresses = [...DEFAULT_SERVER.addresses, P6.address, '2001:db8:40::11'];
  const lab = createLab({
    nat: 'full-cone',
    rttMs: 40,
    ipv6: 'open',
    servers: [{ ...DEFAULT_SERVER, addresses, ...server }],
  });
  return lab.run(async (env) => {
    const id = env.random.bytes(12);
    const socket = await env.udp.open({ family: familyOf(to.address) });
    const answers: Answer[] = [];
    socket.listen({
      datagram: ({ from, at, data }) =>
        answers.push({ from: formatEndpoint(from), at, data, message: strict(data), lenient: decodeAnswer(data) }),
    });
    for (let i = 0; i < times; i++)
      await socket.send(encode({ class: 'request', method: METHOD.binding, transactionId: id, attributes }), to);
    await sleep(env.clock, 2000);
    socket.close();
    return { answers, id };
  });
}

/** The only answer to a plain request. */
export async function answerOf(fault: ServerFault, to: Endpoint = P): Promise<Answer> {
  const { answers } = await ask({ faults: [fault] }, [], to);
  if (answers.length !== 1) throw new Error(`${answers.length} answers`);
  return answers[0] as Answer;
}

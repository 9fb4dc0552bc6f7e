import { describe, expect, it } from 'vitest';
import { LIES } from '../../../src/lab/faults/lies.ts';
import type { ServerFault } from '../../../src/lab/server-faults.ts';
import { createLab, DEFAULT_SERVER } from '../../../src/lab/topology.ts';
import { formatEndpoint } from '../../../src/net/address.ts';
import { decode, encode, get, mappedAddress, METHOD } from '../../../src/stun/message.ts';
import { answerOf, P, P6 } from './ask.ts';

/** The full cone shows A at this endpoint, and in IPv6 as it is. */
const LIES_TOLD: readonly (readonly [ServerFault, string, string])[] = [
  ['lie-private', '10.0.0.7:31234', '10.0.0.7:31234'],
  ['lie-cgn', '100.64.9.9:24604', '100.64.9.9:42301'],
  ['lie-public', '66.77.88.99:24604', '66.77.88.99:42301'],
  ['lie-mapped', '[::ffff:12.13.14.15]:24604', '[2001:db8:1::3]:42301'],
  ['lie-zero', '0.0.0.0:0', '[::]:0'],
  ['lie-port', '12.13.14.15:0', '[2001:db8:1::3]:0'],
  ['lie-family', '[2001:db8:66::99]:24604', '66.77.88.99:42301'],
  ['lie-port-changing', '12.13.14.15:26605', '[2001:db8:1::3]:44302'],
  // As long as its first address is asked.
  ['lie-port-second', '12.13.14.15:24604', '[2001:db8:1::3]:42301'],
  ['lie-port-other-port', '12.13.14.15:24604', '[2001:db8:1::3]:42301'],
  ['lie-port-each', '12.13.14.15:26605', '[2001:db8:1::3]:44302'],
  ['lie-port-fixed', '12.13.14.15:31234', '[2001:db8:1::3]:31234'],
  ['lie-public-second', '12.13.14.15:24604', '[2001:db8:1::3]:42301'],
];

describe('a server that lies', () => {
  it('has a test for each lie', () => expect(LIES_TOLD.map(([fault]) => fault)).toEqual(Object.keys(LIES)));

  it.each(LIES_TOLD)('%s: says %s, over IPv6 %s', async (fault, v4, v6) => {
    for (const [to, told] of [
      [P, v4],
      [P6, v6],
    ] as const) {
      const { message } = await answerOf(fault, to);
      if (!message) throw new Error('no STUN');
      expect(
        [get(message, 'XOR-MAPPED-ADDRESS'), get(message, 'MAPPED-ADDRESS')].map(
          (each) => each && formatEndpoint(each),
        ),
      ).toEqual([told, told]);
    }
  });

  it('does so over TCP too', async () => {
    const lab = createLab({ servers: [{ ...DEFAULT_SERVER, faults: ['lie-private'] }] });
    const told = await lab.run(async (env) => {
      const stream = await env.tcp.connect(P, {});
      const transactionId = env.random.bytes(12);
      await stream.write(encode({ class: 'request', method: METHOD.binding, transactionId, attributes: [] }));
      try {
        for await (const chunk of stream) return mappedAddress(decode(chunk));
      } finally {
        stream.close();
      }
      return undefined;
    });
    expect(told).toEqual({ address: '10.0.0.7', port: 31_234 });
  });
});

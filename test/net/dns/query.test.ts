import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { decodeQuery, type DnsQuestion, encodeResponse } from '../../../src/net/dns/message.ts';
import { queryDns } from '../../../src/net/dns/query.ts';
import { briskSchedule } from '../../../src/net/schedule.ts';

const SERVER: Endpoint = { address: '51.0.0.53', port: 53 };
const QUESTION: DnsQuestion = { name: 'myip.example', type: 'A' };
type Sent = { readonly data: Uint8Array; readonly by?: Endpoint };

/** What is answered to each query, in order of sending. */
async function asked(answers: (id: number) => readonly Sent[], question = QUESTION) {
  const lab = createLab({ nat: 'full-cone' });
  const host = lab.addHost('D', [SERVER.address, '51.0.0.54']);
  return lab.run(async (env, signal) => {
    const [socket, elsewhere] = [
      await host.udp.open({ family: 4, ...SERVER }),
      await host.udp.open({ family: 4, address: '51.0.0.54', port: 53 }),
    ];
    socket.listen({
      datagram: ({ data, from }) => {
        const query = decodeQuery(data);
        for (const each of query ? answers(query.id) : []) void (each.by ? elsewhere : socket).send(each.data, from);
      },
    });
    try {
      return await queryDns(env, SERVER, question, { schedule: briskSchedule(1000), signal });
    } finally {
      socket.close();
      elsewhere.close();
    }
  });
}

describe('a question to a name server', () => {
  it('is answered', async () => {
    const { response, rttMs } = await asked((id) => [{ data: encodeResponse(id, QUESTION, ['12.13.14.15']) }]);
    expect(response.answers.map(({ text }) => text)).toEqual(['12.13.14.15']);
    expect(rttMs).toBeGreaterThan(0);
  });

  it('is not answered with another ID, to another question, or from elsewhere', async () => {
    const lies = (id: number): Sent[] => [
      { data: encodeResponse(id ^ 1, QUESTION, ['6.6.6.6']) },
      { data: encodeResponse(id, { name: 'other.example', type: 'A' }, ['6.6.6.6']) },
      { data: encodeResponse(id, { ...QUESTION, type: 'AAAA' }, ['2001:db8::6']) },
      { data: encodeResponse(id, QUESTION, ['6.6.6.6']), by: { address: '51.0.0.54', port: 53 } },
      { data: new TextEncoder().encode('no DNS') },
    ];
    await expect(asked(lies)).rejects.toMatchObject({ kind: 'resolver', message: 'no answer within 1000 ms' });
    const { response } = await asked((id) => [...lies(id), { data: encodeResponse(id, QUESTION, ['12.13.14.15']) }]);
    expect(response.answers.map(({ text }) => text)).toEqual(['12.13.14.15']);
  });

  it('may be refused, in the words of RFC 1035', async () => {
    await expect(asked((id) => [{ data: encodeResponse(id, QUESTION, [], 5) }])).rejects.toMatchObject({
      kind: 'resolver',
      message: 'the name server answered: refused',
    });
  });

  it('meets a closed port at once', async () => {
    const lab = createLab();
    lab.addHost('D', [SERVER.address]);
    await lab.run(async (env, signal) => {
      await expect(queryDns(env, SERVER, QUESTION, { schedule: briskSchedule(1000), signal })).rejects.toMatchObject({
        kind: 'refused',
      });
    });
    expect(lab.world.now).toBeLessThan(200);
  });
});

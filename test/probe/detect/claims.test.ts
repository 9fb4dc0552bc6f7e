import { describe, expect, it } from 'vitest';
import type { ServerFault } from '../../../src/lab/server-faults.ts';
import { contradictions, measure } from './truth.ts';

const server = (...faults: ServerFault[]) => [{ name: 's', addresses: ['40.30.20.10', '40.30.20.11'], faults }];
const kinds = (findings: readonly { kind: string }[]) => findings.map(({ kind }) => kind);

describe('what a server alone says of several ports, put to the test', () => {
  it('is believed of a NAT that goes by the address, whatever it filters', async () => {
    for (const filtering of ['ei', 'ad', 'apd'])
      expect((await measure({ nat: `symmetric,mapping=ad,filtering=${filtering}` })).data).toMatchObject({
        type: 'symmetric',
        mapping: 'address-dependent',
      });
  });

  it('is refuted where its second address is wrong, and what lets its answers in shows the type all the same', async () => {
    const result = await measure({ nat: 'restricted-cone', servers: server('lie-port-second') });
    expect(result.data).toMatchObject({ type: 'restricted-cone', public: '12.13.14.15:24604' });
    expect(result.findings).toMatchObject([{ kind: 'answer-doubted', server: expect.stringMatching(/^40.30.20.11/) }]);
  });

  it('of its second port is wrong where its addresses agree, whether it knows RESPONSE-PORT or not', async () => {
    for (const more of [[], ['no-response-port'], ['response-port-420']] as ServerFault[][])
      for (const nat of ['none', 'firewall', 'full-cone', 'port-restricted-cone', 'symmetric']) {
        const result = await measure({ nat, servers: server('lie-port-other-port', ...more) });
        expect(contradictions(result.truth, result), `${nat} ${more}`).toEqual([]);
        expect(result.data.type, `${nat} ${more}`).toBe(result.truth.type);
      }
  });

  it('proves nothing where the NAT lets everybody in and the server does not take the test', async () => {
    for (const more of ['no-response-port', 'response-port-420'] as ServerFault[])
      for (const nat of ['full-cone', 'symmetric,mapping=ad,filtering=ei']) {
        const { data, findings } = await measure({ nat, servers: server('lie-port-second', more) });
        expect(data, `${nat} ${more}`).toMatchObject({ type: 'unknown', mapping: 'unknown', public: null });
        expect(kinds(findings)).toContain('servers-disagree');
      }
  });

  it('is not believed when it takes two sockets for one', async () => {
    const { data, findings } = await measure({ nat: 'symmetric', servers: server('lie-port-fixed') });
    expect(data).toMatchObject({ type: 'unknown', public: null });
    expect(findings).toMatchObject([{ kind: 'answer-doubted', doubt: 'one-for-two' }]);
  });

  it('of all four of its endpoints is wrong where it fails the test of each', async () => {
    for (const nat of ['full-cone', 'port-restricted-cone']) {
      const { data } = await measure({ nat, servers: server('lie-port-each') });
      expect(data, nat).toMatchObject({ type: 'unknown', mapping: 'unknown' });
    }
  });
});

import { describe, expect, it } from 'vitest';
import { type LabOptions, createLab } from '../../../src/lab/topology.ts';
import { changeControl, changeToOpened, filteringTest, passage } from '../../../src/probe/detect/filtering.ts';
import { Probes } from '../../../src/probe/detect/probes.ts';
import { sendUntil, settled } from '../../../src/probe/detect/series.ts';

const SERVER = { address: '40.30.20.10', port: 3478 };
const OTHER = { address: '40.30.20.11', port: 3479 };
const IP_PORT = { ip: true, port: true };
const PORT = { ip: false, port: true };

async function tested(options: LabOptions, change: typeof IP_PORT | typeof PORT) {
  return createLab(options).run(async (env, signal) => {
    const probes = new Probes(env, 4, undefined);
    await probes.route([SERVER], signal);
    const outcome = await filteringTest(probes, await probes.open(signal), SERVER, change, signal);
    probes.close();
    return { outcome, probes };
  });
}

describe('a filtering test', () => {
  it.each([
    ['full-cone', IP_PORT, 'passed'],
    ['full-cone', PORT, 'passed'],
    ['restricted-cone', IP_PORT, 'silent'],
    ['restricted-cone', PORT, 'passed'],
    ['port-restricted-cone', IP_PORT, 'silent'],
    ['port-restricted-cone', PORT, 'silent'],
  ] as const)('behind %s, %o: %s', async (nat, change, outcome) => {
    expect((await tested({ nat }, change)).outcome).toBe(outcome);
  });

  it.each([
    ['change-ignored', 'ignored'],
    ['change-420', 'rejected'],
    ['change-400', 'rejected'],
  ] as const)('of a server that does %s is no fact about the NAT: %s', async (fault, outcome) => {
    const servers = [{ name: 's', addresses: [SERVER.address, OTHER.address], faults: [fault] }];
    expect((await tested({ nat: 'full-cone', servers }, IP_PORT)).outcome).toBe(outcome);
  });

  it('is inconclusive where its own baseline is never answered', async () => {
    const servers = [{ name: 's', addresses: [SERVER.address, OTHER.address], faults: ['silent' as const] }];
    expect((await tested({ nat: 'full-cone', servers }, IP_PORT)).outcome).toBe('inconclusive');
  });

  it('sends enough that loss does not explain silence', async () => {
    const { probes } = await tested({ nat: 'port-restricted-cone' }, IP_PORT);
    const test = probes.series.find(({ purpose }) => purpose.kind === 'filtering');
    expect(test?.sent).toBeGreaterThanOrEqual(7);
    expect(test?.verdict).toBe('no answer came through');
  });
});

describe('the control of a change', () => {
  const controlled = (options: LabOptions, change = IP_PORT, opened = OTHER) =>
    createLab(options).run(async (env, signal) => {
      const probes = new Probes(env, 4, undefined);
      const socket = await probes.open(signal);
      for (const to of [SERVER, opened]) {
        const series = probes.begin({ kind: 'allocation' }, socket, to);
        await sendUntil(series, [100, 100, 100], () => settled(series), signal);
      }
      const honoured = await changeControl(probes, socket, { server: SERVER, opened, change, mapping: 'each' }, signal);
      probes.close();
      return honoured.there;
    });
  const faulty = (fault: 'change-ignored' | 'change-dropped' | 'no-response-port') => [
    { name: 's', addresses: [SERVER.address, OTHER.address], faults: [fault] },
  ];

  it('sees that a server honours it, behind any NAT', async () => {
    for (const nat of ['none', 'port-restricted-cone', 'symmetric']) expect(await controlled({ nat }), nat).toBe(true);
    expect(await controlled({ nat: 'symmetric' }, PORT, { ...SERVER, port: 3479 })).toBe(true);
  });

  it('sees that it does not, and proves nothing without RESPONSE-PORT where the NAT maps by destination', async () => {
    expect(await controlled({ nat: 'full-cone', servers: faulty('change-ignored') })).toBe(false);
    expect(await controlled({ nat: 'full-cone', servers: faulty('change-dropped') })).toBe(false);
    expect(await controlled({ nat: 'symmetric', servers: faulty('no-response-port') })).toBe(false);
    expect(await controlled({ nat: 'full-cone', servers: faulty('no-response-port') })).toBe(true);
  });

  it('asks for RESPONSE-PORT only where the ports differ, and not at all where the addresses do', () => {
    const at = (address: string, port: number) => ({ address, port });
    expect(changeToOpened(IP_PORT, at('9.9.9.9', 1), at('9.9.9.9', 1))?.map(({ name }) => name)).toEqual([
      'CHANGE-REQUEST',
    ]);
    expect(changeToOpened(IP_PORT, at('9.9.9.9', 1), at('9.9.9.9', 2))?.map(({ name }) => name)).toEqual([
      'CHANGE-REQUEST',
      'RESPONSE-PORT',
    ]);
    expect(changeToOpened(IP_PORT, at('9.9.9.9', 1), at('9.9.9.8', 1))).toBeUndefined();
  });
});

describe('what a test means', () => {
  it('takes silence for a filter only where the server was seen to honour the change', () => {
    expect(passage('passed', false)).toBe('passed');
    expect(passage('silent', true)).toBe('dropped');
    expect(passage('silent', false)).toBe('unknown');
    for (const outcome of ['ignored', 'rejected', 'inconclusive'] as const)
      expect(passage(outcome, true)).toBe('unknown');
  });
});

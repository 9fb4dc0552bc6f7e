import { describe, expect, it } from 'vitest';
import { createLab, type LabOptions } from '../../../src/lab/topology.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { LocalPort } from '../../../src/probe/punch/local-port.ts';
import { learnMappedAddress } from '../../../src/probe/punch/mapped-address.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { parseStunServer } from '../../../src/stun/uri.ts';
import { SERVER, scriptedServer, success } from '../scripted-server.ts';

async function learnt(lab: ReturnType<typeof createLab>, servers: readonly string[]) {
  return lab.run(async (env, signal) => {
    const port = await LocalPort.open(env, { family: 4 }, signal);
    const soFar = await learnMappedAddress(
      env,
      port,
      { servers: servers.map((each) => parseStunServer(each)), timeoutMs: 3000 },
      signal,
    );
    const result = await soFar.settle();
    port.close();
    return result;
  });
}

describe('the mapped address of a port', () => {
  it.each([
    ['full-cone', 'endpoint-independent'],
    ['symmetric', 'address-and-port-dependent'],
    ['symmetric,mapping=ad', 'address-dependent'],
    ['none', 'none'],
  ] as const)('behind %s is %s, by one server with two addresses', async (nat, mapping) => {
    const { verdict, believed, views } = await learnt(createLab({ nat } as LabOptions), ['stun.example.net']);
    expect(verdict.mapping).toBe(mapping);
    expect(believed.length).toBeGreaterThan(1);
    expect(views.every(({ error }) => error === null || error === 'given up')).toBe(true);
  });

  it.each([
    ['port 0', { address: '51.0.0.2', port: 0 }],
    ['the same address', { address: SERVER.address, port: 3479 }],
    ['the wildcard', { address: '0.0.0.0', port: 3479 }],
    ['a private address', { address: '10.0.0.2', port: 3479 }],
  ] as const)('is not asked of an OTHER-ADDRESS that cannot be one: %s', async (_, other: Endpoint) => {
    const lab = createLab();
    scriptedServer(lab, (request, from) => success(request, from, attribute('OTHER-ADDRESS', other)));
    const { views, verdict } = await learnt(lab, [SERVER.address]);
    expect(views).toHaveLength(1);
    expect(verdict.mapping).toBe('unknown');
  });

  it('tells what became of servers that do not answer', async () => {
    const lab = createLab();
    lab.addHost('S', [SERVER.address]);
    const { views, believed } = await learnt(lab, [SERVER.address, 'nobody.example.net']);
    expect(believed).toEqual([]);
    expect(views.map(({ server, error }) => [server, error])).toEqual(
      expect.arrayContaining([
        [SERVER.address, 'no answer'],
        ['nobody.example.net', 'the name does not resolve'],
      ]),
    );
  });
});

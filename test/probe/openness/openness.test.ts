import { describe, expect, it } from 'vitest';
import type { ServerFault } from '../../../src/lab/server-faults.ts';
import { createLab, DEFAULT_SERVER } from '../../../src/lab/topology.ts';
import { openMapping } from '../../../src/portmap/mapper.ts';
import { testOpenness } from '../../../src/probe/openness/openness.ts';

const PORT = 12_001;

interface Case {
  readonly nat: string;
  readonly faults?: readonly ServerFault[];
  readonly addresses?: readonly string[];
  readonly loss?: number;
  readonly seed?: number;
  readonly hold?: boolean;
}

/** Maps the port where the router does, and tests it; also whatever was not mapped. */
async function tested({ nat, faults = [], addresses = DEFAULT_SERVER.addresses, loss, seed, hold }: Case) {
  const lab = createLab({ nat, loss, seed, servers: [{ ...DEFAULT_SERVER, addresses, faults }] });
  return lab.run(async (env, signal) => {
    const { mapping } = await openMapping(env, { transport: 'udp', internalPort: PORT }, signal);
    const other = hold ? await env.udp.open({ family: 4, port: PORT }) : undefined;
    try {
      const mapped = mapping?.public ?? { address: '12.13.14.15', port: PORT };
      return await testOpenness(env, { family: 4, port: PORT, mapped, servers: lab.servers }, signal);
    } finally {
      other?.close();
      await mapping?.remove();
    }
  });
}

describe('a mapped port', () => {
  it.each(['linux,pcp', 'symmetric,ports=random,nat-pmp', 'port-restricted-cone,upnp', 'linux,pcp=other-port'])(
    'is open behind %s: an answer comes in from an address that nobody sent to',
    async (nat) => {
      expect(await tested({ nat })).toEqual({
        open: 'yes',
        why: 'proven',
        by: '40.30.20.11:3479',
        seen: '12.13.14.15',
      });
    },
  );

  it('is open by a server with one address too, from which the port has heard nothing', async () => {
    expect(await tested({ nat: 'linux,pcp', addresses: ['40.30.20.10'] })).toMatchObject({ open: 'yes' });
  });

  it.each(['linux,pcp=lie', 'linux,upnp=lie', 'symmetric,ports=random,nat-pmp=lie', 'port-restricted-cone'])(
    'is not open behind %s, whatever the router says',
    async (nat) => expect(await tested({ nat })).toMatchObject({ open: 'no', why: 'silent' }),
  );

  it('is not open where the router is behind another NAT', async () => {
    expect(await tested({ nat: 'cgnat,upnp=naive' })).toMatchObject({
      open: 'no',
      why: 'elsewhere',
      seen: '12.13.14.15',
    });
  });

  it('is unknown where another program has it', async () => {
    expect(await tested({ nat: 'linux,pcp', hold: true })).toMatchObject({ open: 'unknown', why: 'held' });
  });

  it.each([
    [['silent'], 'no-server'],
    [['no-response-port', 'no-other-address'], 'not-honoured'],
  ] as const)('is unknown with a server that is %j', async (faults, why) => {
    const outcome = await tested({ nat: 'linux,pcp=lie', faults });
    expect(outcome).toMatchObject({ open: 'unknown', why });
  });

  it('is proven by its own socket where the server knows no RESPONSE-PORT', async () => {
    expect(await tested({ nat: 'linux,pcp', faults: ['no-response-port'] })).toMatchObject({ open: 'yes' });
    expect(await tested({ nat: 'linux,pcp=lie', faults: ['no-response-port'] })).toMatchObject({
      open: 'unknown',
      why: 'not-honoured',
    });
  });

  it('is told right in spite of losses', async () => {
    for (let seed = 0; seed < 25; seed++) {
      expect(await tested({ nat: 'linux,pcp', loss: 0.05, seed })).toMatchObject({ open: 'yes' });
      expect((await tested({ nat: 'linux,pcp=lie', loss: 0.05, seed })).open).not.toBe('yes');
    }
  });
});

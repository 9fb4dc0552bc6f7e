/**
 * Truth in the wild: what detect says when a server lies, sends are refused, routes split, the NAT has several public addresses, or a
 * NAT64 is on the way. Never a wrong word. NAT_TOOL_SEEDS sets how many seeds each gets; the whole claim is shown with 100.
 */
import { describe, expect, it } from 'vitest';
import { LOGIN } from '../../src/lab/faults/referrals.ts';
import type { ServerFault } from '../../src/lab/server-faults.ts';
import { Lab, type LabOptions, type ServerSpec } from '../../src/lab/topology.ts';
import { findPrefixes, throughNat64, WELL_KNOWN } from '../../src/net/nat64.ts';
import { measureBehaviour } from '../../src/probe/detect/behaviour.ts';
import { conclude } from '../../src/probe/detect/conclude.ts';
import { contradictions, type Measured, measure } from '../probe/detect/truth.ts';

const SEEDS = Number(process.env['NAT_TOOL_SEEDS'] ?? 4);
const NATS = [
  'none',
  'firewall',
  'full-cone',
  'restricted-cone',
  'port-restricted-cone',
  'port-restricted-cone,hairpin',
  'symmetric',
  'symmetric,mapping=ad,filtering=ad',
  'symmetric,ports=random',
];
const LIES: readonly ServerFault[] = [
  'lie-private',
  'lie-cgn',
  'lie-public',
  'lie-mapped',
  'lie-zero',
  'lie-port',
  'lie-family',
  'lie-port-changing',
  'lie-port-second',
  'lie-port-other-port',
  'lie-port-fixed',
  'lie-public-second',
];
/** Told from a NAT even where nobody else is asked. */
const LONELY_LIES: readonly ServerFault[] = [
  'lie-private',
  'lie-port-changing',
  'lie-port-second',
  'lie-port-other-port',
  'lie-port-fixed',
  'lie-public-second',
];
const server = (number: number, ...faults: ServerFault[]): ServerSpec => ({
  name: `stun${number}.example.net`,
  addresses: [`40.30.2${number}.10`, `40.30.2${number}.11`],
  faults,
});

type Run = (nat: string, seed: number) => Promise<Measured>;

const world =
  (options: LabOptions): Run =>
  (nat, seed) =>
    measure({ nat, seed, loss: seed % 2 === 0 ? 0 : 0.03, jitterMs: 3, ...options });

async function behindNat64(nat: string, seed: number): Promise<Measured> {
  const lab = new Lab({ nat, seed, nat64: true });
  const servers = lab.servers.map(({ address, port }) => ({ address: throughNat64(address, WELL_KNOWN), port }));
  const facts = await lab.run((env, signal) =>
    measureBehaviour(env, 6, { servers, nat64: findPrefixes(env.resolver, signal), timeoutMs: 8000 }, signal),
  );
  return { ...conclude(facts), truth: lab.truth, lab };
}

const WORLDS: [name: string, run: Run, nats: readonly string[]][] = [
  ...LIES.flatMap((lie): [string, Run, readonly string[]][] => [
    [
      `${lie}, beside a server with RFC 5780`,
      world({ servers: [server(1, lie, 'no-other-address'), server(2)] }),
      NATS,
    ],
    [
      `${lie}, beside two plain servers`,
      world({
        servers: [server(1, 'no-other-address'), server(2, lie, 'no-other-address'), server(3, 'no-other-address')],
      }),
      NATS,
    ],
  ]),
  ...LONELY_LIES.map((lie): [string, Run, readonly string[]] => [
    `${lie}, alone`,
    world({ servers: [server(1, lie)] }),
    NATS,
  ]),
  [
    'lie-port-second that ignores RESPONSE-PORT',
    world({ servers: [server(1, 'lie-port-second', 'no-response-port')] }),
    NATS,
  ],
  [
    'lie-port-second that refuses RESPONSE-PORT',
    world({ servers: [server(1, 'lie-port-second', 'response-port-420')] }),
    NATS,
  ],
  ['a server that refuses RESPONSE-PORT, and is right', world({ servers: [server(1, 'response-port-420')] }), NATS],
  [
    'a server that wants a login',
    (nat, seed) =>
      measure(
        { nat, seed, loss: seed % 2 === 0 ? 0 : 0.03, jitterMs: 3, servers: [server(1, 'wants-login')] },
        { credentials: { kind: 'long-term', username: LOGIN.username, password: LOGIN.password } },
      ),
    NATS,
  ],
  ['every other send refused', world({ refusedSends: { every: 2 } }), NATS],
  [
    'a route of its own to the second of two servers',
    world({ servers: [server(1), server(2)], splitRoute: { to: ['40.30.22.10', '40.30.22.11'] } }),
    NATS,
  ],
  [
    'a route of its own to one of two plain servers',
    world({
      servers: [server(1, 'no-other-address'), server(2, 'no-other-address')],
      splitRoute: { to: ['40.30.22.10'] },
    }),
    NATS,
  ],
  [
    'two public addresses at random',
    world({}),
    ['full-cone,pool=2:arbitrary', 'port-restricted-cone,pool=2:arbitrary', 'symmetric,pool=2:arbitrary'],
  ],
  ['NAT64', behindNat64, NATS.filter((nat) => nat !== 'none' && nat !== 'firewall')],
];

describe('detect in the wild', () => {
  it.each(WORLDS)('%s: no wrong word', async (_, run, nats) => {
    const wrong: string[] = [];
    let known = 0;
    let runs = 0;
    for (const nat of nats) {
      for (let seed = 0; seed < SEEDS; seed++) {
        const result = await run(nat, seed);
        runs++;
        if (result.data.type !== 'unknown') known++;
        wrong.push(...contradictions(result.truth, result).map((word) => `${nat}, seed ${seed}: ${word}`));
      }
    }
    expect(wrong.join('\n')).toBe('');
    console.log(`${runs} runs, ${known} with a type: 0 wrong words`);
  });
});

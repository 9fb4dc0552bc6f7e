/** The worlds in which transcripts run, by the name in `<!-- setup: name -->`. */
import type { CommandList } from '../../src/commands/index.ts';
import type { Env } from '../../src/net/env.ts';
import { createNodeEnv } from '../../src/node/env.ts';
import { createLab } from '../../src/lab/topology.ts';
import { sleep } from '../../src/net/wait.ts';
import { allCommands, listOf, run, type RunResult, stillEnv } from '../cli/harness.ts';
import { sample } from '../cli/sample-command.ts';
import { webServer, whoAmI } from '../commands/worlds.ts';

/** Runs the command line in a world. */
export type Go = (world: { readonly env: Env; readonly signal?: AbortSignal }) => Promise<RunResult>;

export interface Setup {
  readonly env: Env;
  readonly commands?: CommandList;
  /** `$NAME` in commands; in the output the values become `$NAME` again. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** Replaces what differs from run to run, and nothing else. */
  readonly normalise?: (text: string) => string;
  readonly end?: () => void | Promise<void>;
  /** Where a world must itself run while the command does, such as a simulated one: called for each command, in place of running it in `env`. */
  readonly stage?: (go: Go) => Promise<RunResult>;
}

/** Wall-clock time and durations in reports. */
const withoutTimes = (text: string): string =>
  text
    .replace(/("startedAt": ?")[^"]+"/g, '$1<time>"')
    .replace(/("(?:durationMs|rttMs|elapsedMs)": ?)[\d.]+/g, '$1<ms>')
    .replace(/^(startedAt|durationMs|\S*(?:rttMs|elapsedMs))\t.+$/gm, '$1\t<varies>')
    .replace(/\b\d+(?:\.\d+)? ms\b/g, '<ms> ms');

const reportOf = (type: string, mapping: string, filtering: string, portAllocation: object, seen: string): string =>
  JSON.stringify({
    schema: 'nat-tool/detect@1',
    startedAt: '2024-01-01T00:00:00.000Z',
    durationMs: 600,
    outcome: 'complete',
    data: { type, mapping, filtering, portAllocation, public: seen, evidence: [{ rttMs: 40 }] },
    findings: [],
  });

const REPORTS: Readonly<Record<string, string>> = {
  'cone.json': reportOf(
    'port-restricted-cone',
    'endpoint-independent',
    'address-and-port-dependent',
    { pattern: 'preserving' },
    '12.13.14.15:42301',
  ),
  'sequential.json': reportOf(
    'symmetric',
    'address-and-port-dependent',
    'address-and-port-dependent',
    { pattern: 'sequential', step: 2 },
    '22.23.24.25:24604',
  ),
  'random.json': reportOf(
    'symmetric',
    'address-and-port-dependent',
    'address-and-port-dependent',
    { pattern: 'random' },
    '32.33.34.35:50123',
  ),
  'other.json': '{"schema":"nat-tool/stun@1","data":{}}',
};

export const SETUPS: Readonly<Record<string, () => Setup | Promise<Setup>>> = {
  /** No network, but what detect said on some hosts. */
  reports: () => ({ env: stillEnv, files: REPORTS }),
  /** No network, and no time passes. */
  still: () => ({ env: stillEnv }),
  /** The same, with the tests' own command, which answers from its arguments. */
  sample: () => ({ env: stillEnv, commands: allCommands(listOf(sample)) }),
  /** On A in the simulated network; the user presses Ctrl-C after 300 ms. */
  interrupted: () => ({
    env: stillEnv,
    stage: (go) => createLab({ patienceMs: 60_000 }).run((env, signal) => go({ env, signal }), { abortAtMs: 300 }),
  }),
  /** On V, a host with the addresses 40.30.20.20 and 40.30.20.21, for two seconds; A asks it for its public side meanwhile. */
  serving: () => ({
    env: stillEnv,
    stage: async (go) => {
      const lab = createLab({ patienceMs: 60_000 });
      const env = lab.addHost('V', ['40.30.20.20', '40.30.20.21']);
      return lab.run(
        async (asker, signal) => {
          const served = go({ env, signal });
          await sleep(asker.clock, 500);
          await run(['stun', '40.30.20.20'], { env: asker });
          return served;
        },
        { abortAtMs: 2000 },
      );
    },
  }),
  /** On A, which is public, and where somebody holds port 12009; B sends it two datagrams after half a second and echoes on port 7. Ctrl-C after three seconds. */
  talking: () => ({
    env: stillEnv,
    stage: (go) => {
      const lab = createLab({ nat: 'none', patienceMs: 60_000 });
      lab.serve('A', (env) => env.udp.open({ family: 4, port: 12009 }));
      lab.serve('B', async (env) => {
        void run(['listen', '--echo', '-q', '7'], { env });
        void (async () => {
          await sleep(env.clock, 500);
          const socket = await env.udp.open({ family: 4, port: 12003 });
          for (const data of ['udp hole\n', '\u0000\u0001']) {
            await socket.send(Buffer.from(data), { address: '12.13.14.15', port: 12001 });
            await sleep(env.clock, 100);
          }
        })();
      });
      return lab.run((env, signal) => go({ env, signal }), { abortAtMs: 3000 });
    },
  }),
  /** On A behind its NAT, with name servers 41.0.0.1, which tells who asks, and 41.0.0.2, which lies, and web servers 42.0.0.1, on port 81 silent. */
  methods: () => ({
    env: stillEnv,
    stage: (go) => {
      const lab = createLab({ patienceMs: 60_000 });
      lab.addHost('D', ['41.0.0.1', '41.0.0.2']);
      lab.serve('D', (env) => whoAmI(env, '41.0.0.1'));
      lab.serve('D', (env) => whoAmI(env, '41.0.0.2', '66.66.66.66'));
      lab.addHost('W', ['42.0.0.1']);
      lab.serve('W', (env) => webServer(env, '42.0.0.1', 80, 'HTTP/1.1 200 OK\r\n\r\n$IP\n'));
      lab.serve('W', (env) => webServer(env, '42.0.0.1', 81));
      return lab.run((env, signal) => go({ env, signal }), { abortAtMs: 20_000 });
    },
  }),
  /** The real world; commands keep to loopback addresses. */
  loopback: () => ({ env: createNodeEnv(), normalise: withoutTimes }),
};

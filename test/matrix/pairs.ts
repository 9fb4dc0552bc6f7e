/** Runs two peers behind two simulated NATs. */
import { deriveSecret } from '../../src/connect/channel/keys.ts';
import { connect, type ConnectOptions, type ConnectResult } from '../../src/connect/connect.ts';
import type { TimelineEvent } from '../../src/connect/timeline.ts';
import { createLab, type Lab, type LabOptions } from '../../src/lab/topology.ts';
import type { Env } from '../../src/net/env.ts';
import { slow } from '../portmap/slow.ts';
import { RouterPort } from '../../src/portmap/router-port.ts';

export interface PairOptions extends Omit<LabOptions, 'second'> {
  readonly nat: string;
  readonly nat2: string;
  /** The second host starts so much later. */
  readonly laterMs?: number;
  readonly waitMs?: number;
  readonly prepare?: (lab: Lab) => void;
  /** How long they are connected before they send, ms. */
  readonly staysMs?: number;
  /** What each side sees of its world. */
  readonly wrap?: (env: Env) => Env;
  /** What else one side is told. */
  readonly options?: (env: Env, side: 'a' | 'b') => Partial<ConnectOptions>;
  /** These ask their routers for a port. */
  readonly map?: readonly ('a' | 'b')[];
  /** What their routers answer takes so long, milliseconds. */
  readonly routerMs?: number;
}

export interface SideResult {
  readonly kind: ConnectResult['kind'];
  /** `direct` …, or why it failed. */
  readonly path: string;
  readonly reason: string | undefined;
  /** From this side's start. */
  readonly elapsedMs: number;
  readonly timeline: readonly TimelineEvent[];
  /** What the peer sent, as text. */
  readonly received: readonly string[];
}

export interface PairResult {
  readonly a: SideResult;
  readonly b: SideResult;
  readonly lab: Lab;
  readonly connected: boolean;
  /** Most packets that left one side in any second. */
  readonly mostPerSecond: number;
}

/** Both connect; where they do, each sends the other a datagram until it has arrived. */
export async function runPair({
  laterMs = 0,
  waitMs = 60_000,
  prepare,
  options: more = () => ({}),
  wrap = (env) => env,
  staysMs = 0,
  nat2,
  map = [],
  routerMs = 0,
  ...options
}: PairOptions): Promise<PairResult> {
  const lab = createLab({ ...options, second: { nat: nat2 } });
  prepare?.(lab);
  const secret = deriveSecret(`pair ${options.seed}`);
  const server = lab.servers[0];
  if (!server) throw new Error('no server');
  const rates = [new Rate(), new Rate()];
  const [a, b] = await lab.run(async (env, signal) => {
    const ports = { a: new RouterPort(slow(env, routerMs)), b: new RouterPort(slow(lab.host('C2'), routerMs)) };
    const one = (side: Env, rate: Rate, delay: number, name: 'a' | 'b'): Promise<ConnectResult> =>
      after(side, delay, () =>
        connect(wrap(counted(side, rate)), {
          ...{ server, secret, waitMs, signal },
          routerPort: map.includes(name) ? ports[name] : undefined,
          ...more(side, name),
        }),
      );
    const both = await Promise.all([
      one(env, rates[0] as Rate, 0, 'a'),
      one(lab.host('C2'), rates[1] as Rate, laterMs, 'b'),
    ]);
    const received: [string[], string[]] = [[], []];
    const [x, y] = both;
    if (x.kind === 'connected' && y.kind === 'connected') {
      await after(env, staysMs, async () => {});
      await Promise.all([deliver(env, y, x, received[0]), deliver(env, x, y, received[1])]);
    }
    for (const each of both) if (each.kind === 'connected') each.connection.close();
    await Promise.all([ports.a.close(), ports.b.close()]);
    return both.map((each, i) => sideResult(each, received[i] ?? []));
  });
  if (!a || !b) throw new Error('two results were expected');
  return {
    a,
    b,
    lab,
    connected: a.kind === 'connected' && b.kind === 'connected',
    mostPerSecond: Math.max(...rates.map((each) => each.most)),
  };
}

function sideResult(each: ConnectResult, received: readonly string[]): SideResult {
  const timeline = each.timeline.events;
  const elapsedMs =
    timeline.find(({ event }) => event === 'connected' || event === 'failed')?.atMs ?? Number.POSITIVE_INFINITY;
  if (each.kind === 'connected')
    return { kind: each.kind, path: each.connection.path.kind, reason: undefined, elapsedMs, timeline, received };
  return {
    kind: each.kind,
    path: each.failure.kind,
    reason: 'reason' in each.failure ? each.failure.reason : undefined,
    elapsedMs,
    timeline,
    received,
  };
}

const after = <T>(env: Env, ms: number, act: () => Promise<T>): Promise<T> =>
  ms === 0 ? act() : new Promise((resolve, reject) => void env.clock.after(ms, () => act().then(resolve, reject)));

/** Datagrams may be lost, and a path may be one only once it was chosen: sends again for two seconds. */
async function deliver(
  env: Env,
  from: Extract<ConnectResult, { kind: 'connected' }>,
  to: Extract<ConnectResult, { kind: 'connected' }>,
  received: string[],
): Promise<void> {
  let resolve = (): void => {};
  const done = new Promise<void>((yes) => (resolve = yes));
  to.connection.onData((data) => {
    received.push(new TextDecoder().decode(data));
    resolve();
  });
  let cancel = (): void => {};
  const send = (tries: number): void => {
    if (received.length > 0 || tries === 0) return resolve();
    from.connection.send(new TextEncoder().encode('hello'));
    cancel = env.clock.after(100, () => send(tries - 1));
  };
  send(20);
  await done;
  cancel();
}

class Rate {
  readonly #times: number[] = [];
  #from = 0;
  most = 0;
  add(now: number): void {
    this.#times.push(now);
    while ((this.#times[this.#from] as number) <= now - 1000) this.#from++;
    this.most = Math.max(this.most, this.#times.length - this.#from);
  }
}

function counted(env: Env, rate: Rate): Env {
  return {
    ...env,
    udp: {
      open: async (options, signal) => {
        const socket = await env.udp.open(options, signal);
        return {
          local: socket.local,
          send: (data, to, options) => {
            rate.add(env.clock.now());
            return socket.send(data, to, options);
          },
          listen: (listener) => socket.listen(listener),
          close: () => socket.close(),
        };
      },
    },
  };
}

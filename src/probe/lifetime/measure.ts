/**
 * How long a NAT, or a firewall, keeps a hole open that nobody uses: all ages at once, each with a hole of its own, so that it takes about one
 * lifetime. What is known at each moment is in the facts, and what it means says `concludeLifetime`; so an interrupted run still tells.
 */
import { type Endpoint, sameEndpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { routedEndpoint } from '../../net/route.ts';
import { staggered } from '../../net/stagger.ts';
import { scope, sleep, TimeoutError } from '../../net/wait.ts';
import type { Ground } from '../../nat/evidence.ts';
import { cross, type Crossed } from './crossing.ts';
import type { Field } from './field.ts';
import { fullGrid } from './grid.ts';
import type { Hole } from './hole.ts';
import { type OpenedHoles, openHoles } from './opening.ts';
import type { Proven } from './proof.ts';
import { refreshEveryMs, type Refreshed } from './refreshing.ts';
import type { RelayEnv } from '../../turn/open.ts';
import { relayed, type RelayLogin } from './relaying.ts';
import { KEPT, reservesUpTo, runBothWays, runOnePacket } from './kinds.ts';
import { AgeSeries } from './series.ts';
import { tryHole } from './trial.ts';

/** Of {@link measureLifetime}. */
export interface LifetimeOptions {
  /** STUN servers that may be the outside, in the order to try, all of one family. */
  readonly servers: readonly Endpoint[];
  /** A TURN server to be the outside in their place. */
  readonly relay?: RelayLogin | undefined;
  /** Local address; the system's choice when absent. */
  readonly source?: string | undefined;
  /** The greatest age that is looked for, ms. */
  readonly maxMs: number;
  /** Sockets that may be opened towards the outside in all; 128 when absent. */
  readonly mostMappings?: number | undefined;
  /** What may count as a public side. */
  readonly ground?: Ground | undefined;
  /** Called whenever more is known. */
  readonly onProgress?: ((facts: LifetimeFacts) => void) | undefined;
}

/** Why the measurement ended before its time. */
export type Stopped = 'interrupted' | 'out-of-time' | 'clocks-parted' | 'moved';

/** All that was sent and heard. */
export interface LifetimeFacts {
  readonly series: readonly AgeSeries[];
  readonly refreshed: Refreshed[];
  readonly maxMs: number;
  readonly tookMs: () => number;
  /** Servers that cannot be the outside. */
  unfit: Exclude<Crossed, Proven>[];
  proven: Proven | undefined;
  opened: OpenedHoles | undefined;
  /** A socket that had never sent was reached: there is no filter and no NAT. */
  unfiltered: boolean;
  stopped: Stopped | undefined;
}

/** Few enough for a carrier's share of ports, and for what else the host does. */
const MOST_MAPPINGS = 128;
/** Of each kind, beyond those for the ages. */
const BESIDES = 3;
/** Of openings that cannot be repeated on the same socket so many are lost, at most, and made anew. */
const LOST_SHARE = 0.15;
/** After one packet holes live no longer than after talk, and are tried when those of the other kind are gone: for them fewer ages will do. */
const COARSE_SHARE = 0.42;

/**
 * Measures how long holes stay open (RFC 4787 §4.3): after one packet, and after talk both ways for more than 2 s; and which direction refreshes
 * (REQ-6). What it means says {@link concludeLifetime}. Rejects with NetError where no socket can be had, and with CredentialError; otherwise
 * never for what the network does, nor when aborted.
 *
 * @example
 * ```js
 * import { concludeLifetime, measureLifetime } from 'nat-tool';
 * import { createLab } from 'nat-tool/lab';
 *
 * const lab = createLab({ nat: 'linux' });
 * const { servers } = lab;
 * const facts = await lab.run((env, signal) => measureLifetime(env, { servers, maxMs: 330_000 }, signal));
 * console.log(concludeLifetime(facts).data.holes.map(({ likelyMs }) => likelyMs).join()); // 30000,120000
 * ```
 */
export async function measureLifetime(
  env: RelayEnv,
  options: LifetimeOptions,
  signal: AbortSignal,
): Promise<LifetimeFacts> {
  const start = env.clock.now();
  const facts: LifetimeFacts = {
    series: [new AgeSeries('one-packet'), new AgeSeries('both-ways')],
    refreshed: [],
    maxMs: options.maxMs,
    tookMs: () => env.clock.now() - start,
    unfit: [],
    proven: undefined,
    opened: undefined,
    unfiltered: false,
    stopped: undefined,
  };
  const bounds = scope(env.clock, signal);
  try {
    facts.proven = await findOutside(env, options, facts, bounds.signal);
    if (facts.proven) await measure(facts, facts.proven, options, bounds);
  } catch (error) {
    if (!bounds.signal.aborted) throw error;
    facts.stopped ??= signal.reason instanceof TimeoutError ? 'out-of-time' : 'interrupted';
  } finally {
    bounds.abort();
    facts.proven?.field.closeAll();
  }
  const took = facts.tookMs();
  return { ...facts, tookMs: () => took };
}

async function findOutside(
  env: RelayEnv,
  { servers, relay, source, ground = {} }: LifetimeOptions,
  facts: LifetimeFacts,
  signal: AbortSignal,
): Promise<Proven | undefined> {
  const { clock } = env;
  let found: Proven | undefined;
  const attempt = async (server: Endpoint | RelayLogin, within: AbortSignal): Promise<Crossed> => {
    const tried = await ('name' in server
      ? relayed(env, server, source, ground, within)
      : cross(env, server, source, ground, within));
    if ('unfit' in tried) facts.unfit.push(tried);
    else if (found) tried.field.closeAll();
    else found = tried;
    return tried;
  };
  try {
    await staggered(relay ? [relay] : servers, attempt, { clock, signal, good: (tried) => 'field' in tried });
  } catch (error) {
    found?.field.closeAll();
    throw error;
  }
  if (!found) return undefined;
  const local = await routedEndpoint(env.udp, found.local, found.server, signal).catch((error: unknown) => {
    if (error instanceof NetError) return (found as Proven).local;
    found?.field.closeAll();
    throw error;
  });
  return { ...found, local };
}

async function measure(
  facts: LifetimeFacts,
  { field, control, public: mapped, local }: Proven,
  { maxMs, mostMappings = MOST_MAPPINGS, onProgress }: LifetimeOptions,
  bounds: { readonly signal: AbortSignal; abort(reason?: unknown): void },
): Promise<void> {
  const { signal } = bounds;
  field.mostMappings = mostMappings;
  const [one, both] = facts.series as [AgeSeries, AgeSeries];
  const keeping = keepControl(facts, field, control, mapped.address, { ...bounds, onProgress }).catch(
    (error: unknown) => {
      if (!signal.aborted) throw error;
    },
  );
  keeping.catch(() => bounds.abort());
  const changed = (): void => {
    field.gate.notify();
    onProgress?.(facts);
  };
  try {
    const unused = sameEndpoint(mapped, local)
      ? reachesUnused(field, control, local.address, signal)
      : Promise.resolve(false);
    const grid = fullGrid(maxMs);
    const late = reservesUpTo(maxMs);
    const room = mostMappings - field.mappings - 2 * late.length - KEPT;
    const coarse = Math.floor(Math.min(grid.length + BESIDES, room * COARSE_SHARE) * (1 - LOST_SHARE));
    const fine = Math.min(grid.length + BESIDES, room - Math.ceil(coarse / (1 - LOST_SHARE)));
    const wanted = { 'one-packet': coarse, 'both-ways': fine + late.length + KEPT };
    const opening = openHoles(field, wanted, mostMappings - late.length, signal);
    opening.catch(() => {});
    if (await unused) {
      facts.unfiltered = true;
      return;
    }
    const opened = await opening;
    facts.opened = opened;
    changed();
    const terms = { field, control, grid, changed, signal };
    await Promise.all([
      runOnePacket(one, opened.holes['one-packet'], opened.limited ? [] : late, { ...terms, other: both }),
      runBothWays(both, opened.holes['both-ways'], late, facts.refreshed, { ...terms, other: one }),
    ]);
  } finally {
    bounds.abort();
    await keeping;
  }
}

/** Asks for the control's public side again and again, which keeps it open, and sees whether the ground shifts. */
async function keepControl(
  facts: LifetimeFacts,
  field: Field,
  control: Hole,
  address: string,
  {
    signal,
    abort,
    onProgress,
  }: { readonly signal: AbortSignal; abort(reason?: unknown): void } & Pick<LifetimeOptions, 'onProgress'>,
): Promise<void> {
  const { clock } = field.env;
  const stop = (why: Stopped): void => {
    facts.stopped ??= why;
    abort();
  };
  for (;;) {
    await sleep(clock, refreshEveryMs(facts.series), signal);
    if (field.clocksParted) return stop('clocks-parted');
    onProgress?.(facts);
    field.outside.refresh();
    const call = field.call(control, true);
    await field.gate.wait(() => call.heardAt !== undefined, field.answerMs, signal);
    if (!call.mapped) continue;
    control.mapped = call.mapped;
    if (call.mapped.address !== address) return stop('moved');
  }
}

/** Whether what nobody asked for comes in to a socket without a NAT: then there is no hole to measure. */
async function reachesUnused(field: Field, control: Hole, address: string, signal: AbortSignal): Promise<boolean> {
  const hole = await field.open(signal);
  hole.mapped = { address, port: hole.socket.local.port };
  const { outcome } = await tryHole(field, hole, { control }, signal);
  field.close(hole);
  return outcome === 'alive';
}

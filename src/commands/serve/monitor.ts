/** What those who watch the server are told: its counters for Prometheus, and whether it is well. */
import type { Endpoint } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { formatEndpoint } from '../../net/address.ts';
import type { Vitals } from '../command.ts';
import { LoopDelay } from './loop-delay.ts';
import { counter, counters, gauge, metricsText, type Sample, vitalSamples } from './metrics.ts';
import { type Page, servePages } from './pages.ts';
import type { Serving } from './servers.ts';
import { relaySamples, tally, tallySamples } from './tallies.ts';
import type { Workers } from './workers.ts';

export interface MonitorOptions {
  readonly at: Endpoint;
  readonly serving: Serving;
  readonly workers: Workers | undefined;
  readonly draining: () => boolean;
  readonly vitals: () => Vitals | undefined;
  readonly failed: (error: unknown) => void;
}

export interface Monitor {
  readonly local: Endpoint;
  close(): void;
}

/** Rejects with NetError, in words. */
export async function startMonitor(env: Pick<Env, 'tcp' | 'clock'>, options: MonitorOptions): Promise<Monitor> {
  const { at, serving, workers, draining, vitals, failed } = options;
  const delay = new LoopDelay(env.clock);
  const metrics = (): string => {
    const process = vitals();
    return metricsText([
      gauge('up', 'Whether it takes new meetings: 0 while it ends.', draining() ? 0 : 1),
      ...servingSamples(serving, workers),
      delay.sample,
      ...(process ? vitalSamples(process) : []),
    ]);
  };
  const page = async (path: string): Promise<Page> => {
    if (path === '/metrics') {
      await workers?.count();
      return { status: 200, body: metrics() };
    }
    if (path !== '/healthz') return { status: 404, body: '' };
    return draining() ? { status: 503, body: 'draining\n' } : { status: 200, body: 'ok\n' };
  };
  try {
    const listener = await servePages(env, at, page, failed);
    return {
      local: listener.local,
      close: () => {
        delay.close();
        listener.close();
      },
    };
  } catch (error) {
    delay.close();
    if (!(error instanceof NetError)) throw error;
    throw new NetError(
      error.kind,
      `--metrics: cannot listen on ${formatEndpoint(at)}: ${error.message}`,
      error.code,
      error,
    );
  }
}

function servingSamples(serving: Serving, workers: Workers | undefined): Sample[] {
  const { state, rendezvous, partners } = serving;
  const tallies = tally(serving, workers);
  const { relay } = tallies;
  return [
    ...tallySamples(tallies),
    gauge('processes', 'Processes that answer, this one included.', 1 + (workers?.ready ?? 0)),
    gauge('tcp_connections_open', 'TCP connections that are open.', state.streams.size),
    gauge('rooms', 'Rooms in memory.', rendezvous.rooms),
    gauge('meetings_in_progress', 'Rooms where two have met and have not both left.', rendezvous.inProgress),
    counter(
      'rendezvous_limited',
      'Packets of hosts that run connect, over the rate limit.',
      rendezvous.counters.limited,
    ),
    counter('rooms_evicted', 'Rooms that were given up for want of space.', rendezvous.counters.evicted),
    ...(partners
      ? [
          gauge('partner_up', 'Whether the partner is a second address now.', partners.up ? 1 : 0),
          counters('partner_answers', 'Answers that went to the partner, and that came from it.', 'what', {
            ...partners.counters,
          }),
        ]
      : []),
    ...(relay ? relaySamples(relay) : []),
  ];
}

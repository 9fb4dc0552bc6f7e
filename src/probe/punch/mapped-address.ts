/** The public side of one local port, as STUN servers see it, and whether it is the same towards all of them. */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { errorWords } from '../../net/error-words.ts';
import { Gate, scope, TimeoutError } from '../../net/wait.ts';
import { transact } from '../../stun/client.ts';
import { discover } from '../../stun/discovery.ts';
import { alternateAddress } from '../../stun/binding.ts';
import { mappedAddress } from '../../stun/message.ts';
import { briskSchedule } from '../../net/schedule.ts';
import { formatStunServer, type StunServerName } from '../../stun/uri.ts';
import { classifyMapping, type MappingVerdict, type Observation } from '../../nat/mapping.ts';
import type { LocalPort } from './local-port.ts';
import { toMicroseconds } from '../../net/round.ts';

export interface ServerView {
  /** As the user wrote it. */
  readonly server: string;
  /** Where it was asked; null when its name was not resolved. */
  readonly address: string | null;
  readonly mapped: string | null;
  readonly rttMs: number | null;
  readonly error: string | null;
}

export interface MappedAddress {
  readonly views: readonly ServerView[];
  /** In order of arrival. */
  readonly observations: readonly Observation[];
  readonly verdict: MappingVerdict;
}

/** An answer, while that which would only refine it may still be on its way. */
export interface MappedAddressSoFar extends MappedAddress {
  /** Ends the asking. With what has been learnt since; must be called. */
  settle(): Promise<MappedAddress>;
}

export interface MappedAddressOptions {
  readonly servers: readonly StunServerName[];
  /** Bound on everything, ms. */
  readonly timeoutMs: number;
  /** Called with the first observation, at once. */
  readonly onFirst?: ((observation: Observation) => void) | undefined;
  /** One observation is enough. */
  readonly first?: boolean | undefined;
}

/** After the first answer, how long one from another address is waited for, at least. */
const SECOND_MS = 300;
/** How much later than the answer from the other address the one from the other port may come, where both were asked at once. */
const PORT_GRACE_MS = 50;

/**
 * Never rejects for what the network does, nor when aborted. What a symmetric NAT depends on takes two ports of one server: unless that
 * is known as soon as the rest, it is left to `settle`.
 */
export async function learnMappedAddress(
  env: Pick<Env, 'clock' | 'random' | 'udp' | 'resolver'>,
  port: LocalPort,
  options: MappedAddressOptions,
  signal: AbortSignal,
): Promise<MappedAddressSoFar> {
  const { timeoutMs } = options;
  const bounds = scope(env.clock, signal, timeoutMs);
  const gate = new Gate(env.clock);
  const observations: Observation[] = [];
  const views: ServerView[] = [];
  let firstRttMs = 0;

  /** One server address; the other one that it names, or undefined. */
  const ask = async (server: string, remote: Endpoint): Promise<Endpoint | undefined> => {
    const view = (part: Partial<ServerView>): void =>
      void views.push({ server, address: formatEndpoint(remote), mapped: null, rttMs: null, error: null, ...part });
    const way = await port.towards(remote, bounds.signal);
    try {
      const outcome = await transact(
        way.mux,
        {},
        { to: remote, schedule: briskSchedule(timeoutMs), clock: env.clock, random: env.random, signal: bounds.signal },
      );
      if (outcome.kind === 'network-error') throw outcome.error;
      if (outcome.kind !== 'answered') {
        view({ error: outcome.kind === 'error-answer' ? `error ${outcome.code}` : 'no answer' });
        return undefined;
      }
      const mapped = mappedAddress(outcome.message);
      if (!mapped) {
        view({ error: 'the answer holds no address' });
        return undefined;
      }
      const observation = { local: way.local, remote, mapped };
      observations.push(observation);
      view({ mapped: formatEndpoint(mapped), rttMs: toMicroseconds(outcome.rttMs) });
      if (observations.length === 1) {
        firstRttMs = outcome.rttMs;
        options.onFirst?.(observation);
      }
      return alternateAddress(outcome.message, remote);
    } catch (error) {
      if (bounds.signal.aborted)
        view({ error: bounds.signal.reason instanceof TimeoutError ? 'no answer' : 'given up' });
      else if (error instanceof NetError) view({ error: errorWords(error) });
      else throw error;
      return undefined;
    } finally {
      way.release();
      gate.notify();
    }
  };

  const lane = async (name: StunServerName): Promise<void> => {
    const server = formatStunServer(name);
    let remote: Endpoint | undefined;
    try {
      [remote] = await discover(name, { ...env, transport: 'udp', family: port.family, signal: bounds.signal });
    } catch (error) {
      if (!bounds.signal.aborted && !(error instanceof NetError)) throw error;
      views.push({
        server,
        address: null,
        mapped: null,
        rttMs: null,
        error: error instanceof NetError ? errorWords(error) : 'given up',
      });
      return;
    }
    if (!remote) return;
    try {
      const other = await ask(server, remote);
      // Two addresses of one server tell as much as two servers, and two ports of one address tell symmetric NATs apart.
      if (other && (!enough() || undetermined())) {
        const otherPort = other.port === remote.port ? undefined : { address: remote.address, port: other.port };
        await Promise.all([otherPort && ask(server, otherPort), enough() ? undefined : ask(server, other)]);
      }
    } catch (error) {
      if (!bounds.signal.aborted && !(error instanceof NetError)) throw error;
      views.push({
        server,
        address: formatEndpoint(remote),
        mapped: null,
        rttMs: null,
        error: error instanceof NetError ? errorWords(error) : 'given up',
      });
    }
  };

  const enough = (): boolean =>
    options.first ? observations.length > 0 : new Set(observations.map(({ remote }) => remote.address)).size > 1;
  const result = (): MappedAddress => ({
    views: [...views],
    observations: [...observations],
    verdict: classifyMapping(withoutDoubles(observations)),
  });
  const undetermined = (): boolean => {
    const { dependent, mapping } = classifyMapping(observations);
    return dependent && mapping === 'unknown';
  };
  const settle = async (): Promise<MappedAddress> => {
    bounds.abort();
    await lanes;
    return result();
  };
  let open = options.servers.length;
  const lanes = Promise.all(
    options.servers.map((name) =>
      lane(name).finally(() => {
        open--;
        gate.notify();
      }),
    ),
  );
  lanes.catch(() => gate.notify());
  try {
    await gate.wait(() => observations.length > 0 || open === 0, timeoutMs, bounds.signal);
    await gate.wait(() => enough() || open === 0, Math.max(SECOND_MS, 3 * firstRttMs), bounds.signal);
    if (options.servers.length === 1 && undetermined())
      await gate.wait(() => !undetermined() || open === 0, PORT_GRACE_MS, bounds.signal);
  } catch (error) {
    if (!bounds.signal.aborted) {
      bounds.abort();
      throw error;
    }
  }
  return { ...(undetermined() && open > 0 ? result() : await settle()), settle };
}

const withoutDoubles = (all: readonly Observation[]): Observation[] =>
  all.filter(
    (each, i) =>
      all.findIndex((other) => sameEndpoint(each.remote, other.remote) && sameEndpoint(each.mapped, other.mapped)) ===
      i,
  );

/** What is found out before anybody opens the page: STUN servers that answer, this host's NAT, whether the TURN server relays. */
import { familyOf } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { TurnError } from '../../turn/failure.ts';
import { openRelay } from '../../turn/open.ts';
import type { Facts } from '../../probe/webrtc/facts.ts';
import type { WebrtcPeer } from '../../webrtc/peer.ts';
import { Waits } from '../../net/wait.ts';
import type { Profile } from '../../nat/profile.ts';
import { measureBehaviour } from '../../probe/detect/behaviour.ts';
import { conclude } from '../../probe/detect/conclude.ts';
import { findServers } from '../../probe/servers-lookup.ts';
import { defaultServers } from '../../probe/servers.ts';
import { checkTurn } from '../../probe/turn-check/check.ts';
import type { TurnResult } from '../../probe/turn-check/result.ts';
import { type StunPlaces, stunPlaces, stunUrl } from '../../probe/webrtc/stun-places.ts';
import type { Finding } from '../../report/finding.ts';
import { formatHostPort } from '../../net/host-port.ts';
import type { StunTransport } from '../../stun/uri.ts';
import { type TurnServerName, transportOf } from '../../turn/uri.ts';
import { checkFamily, demandedFamily, parseStun } from '../arguments.ts';
import type { Context } from '../command.ts';
import { turnLogin } from '../turn/login.ts';
import type { Args } from './options.ts';

/** Built-in servers that are looked up. */
const BATCH = 4;
const LOOKUP_MS = 3_000;
const MEASURE_MS = 8_000;
const TURN_MS = 2_500;
const RELAY_MS = 1_500;
/** How long a login that a browser is told is good, seconds. */
const LOGIN_TTL_S = 3_600;

export interface TurnGround {
  readonly name: TurnServerName;
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Those to try, the best first. */
  readonly transports: readonly StunTransport[];
  /** What became of each transport that has been tried. */
  readonly results: TurnResult[];
}

export interface Ground extends StunPlaces {
  /** As the browser is told of them. */
  readonly urls: readonly string[];
  readonly turn: TurnGround | undefined;
  /** This host's NAT, once measured. */
  profile: Profile | undefined;
  readonly findings: readonly Finding[];
  /** Hears that something more is known. */
  changed: () => void;
  readonly waits: Waits;
  close(): void;
}

/** Rejects with UsageError, or the signal's reason. */
export async function prepare(
  args: Args,
  context: Pick<Context, 'env' | 'signal' | 'environment' | 'progress'>,
): Promise<Ground> {
  const { env, signal, environment } = context;
  const credentials = args.turn && turnLogin(environment, env.clock, LOGIN_TTL_S);
  checkFamily('--stun', args.stun, args);
  const names =
    args.stun.length > 0
      ? args.stun
      : defaultServers(environment)
          .slice(0, BATCH)
          .map(({ server }) => parseStun(server, 'server'));
  context.progress('looking for STUN servers');
  const found =
    args.relayOnly && args.stun.length === 0
      ? { endpoints: [], spares: new Map(), findings: [] }
      : await findServers(
          env,
          names,
          { family: demandedFamily(args), timeoutMs: LOOKUP_MS, anyWillDo: args.stun.length === 0 },
          signal,
        );
  const { places, answered } = await stunPlaces(env, found.endpoints, args.source, signal);
  const waits = new Waits(signal);
  const ground: Ground = {
    places,
    answered,
    urls: places.map(stunUrl),
    turn: args.turn && {
      name: args.turn,
      credentials,
      transports: args.turn.secure || args.turn.carried ? [transportOf(args.turn)] : ['udp', 'tcp'],
      results: [],
    },
    profile: undefined,
    findings: args.stun.length > 0 ? found.findings : [],
    changed: () => {},
    waits,
    close: () => waits.end(),
  };
  const [first] = found.endpoints;
  if (first) {
    waits
      .run((within) =>
        measureBehaviour(
          env,
          familyOf(first.address),
          { servers: found.endpoints, spares: found.spares, source: args.source, timeoutMs: MEASURE_MS },
          within,
        ),
      )
      .then((facts) => {
        const { mapping, filtering, portAllocation } = conclude(facts).data;
        ground.profile = { mapping, filtering, allocation: portAllocation, complete: true };
        ground.changed();
      })
      .catch(unless(waits));
  }
  const { turn } = ground;
  if (turn) {
    waits
      .run(async (within) => {
        for (const transport of turn.transports) {
          const options = {
            transport,
            family: args.family,
            source: args.source,
            credentials,
            timeoutMs: TURN_MS,
            count: 3,
          };
          const result = await checkTurn(env, turn.name, options, within);
          turn.results.push(result);
          ground.changed();
          if (result.relayed !== null) return;
        }
      })
      .catch(unless(waits));
  }
  return ground;
}

/** What ends because all ends is no failure. */
const unless =
  (waits: Waits) =>
  (error: unknown): void => {
    if (!waits.ended) throw error;
  };

/** Both are told, where nothing says how the server is to be reached. */
export const turnUrls = ({ name, transports }: TurnGround): string[] =>
  transports.map(
    (each) =>
      `${each === 'tls' ? 'turns' : 'turn'}:${formatHostPort(name)}?transport=${each === 'udp' ? 'udp' : 'tcp'}`,
  );

/** A relay of our own for this peer, by the first transport that has it, beside all else. Ends with the ground. */
export function relayFor(ground: Ground, args: Args, peer: WebrtcPeer, env: Env): void {
  const { turn } = ground;
  if (!turn) return;
  const { credentials, name } = turn;
  void ground.waits
    .run(async (signal) => {
      for (const transport of turn.transports) {
        try {
          const options = { credentials, transport, family: args.family, source: args.source, timeoutMs: RELAY_MS };
          const relay = await openRelay(env, name, options, signal);
          if (peer.state === 'ended') return relay.close();
          return peer.addRelay(relay, relay.relay.allocated?.relayed ?? [relay.local]);
        } catch (error) {
          if (!(error instanceof TurnError || error instanceof NetError)) throw error;
        }
      }
    })
    .catch(unless(ground.waits));
}

/** Tells an attempt what the ground knows, now and whenever that is more. */
export function inform(facts: Facts, ground: Ground): void {
  const know = (): void => {
    facts.measured = ground.profile;
    const { turn } = ground;
    const good = turn?.results.some(({ relayed }) => relayed !== null);
    if (turn && (good || turn.results.length === turn.transports.length))
      facts.relay = good ? 'works' : (turn.results.at(-1)?.cause ?? 'no-answer');
    facts.gate.notify();
  };
  ground.changed = know;
  know();
}

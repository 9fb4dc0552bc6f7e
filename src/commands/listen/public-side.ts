/** The public side of the port that `listen --stun` shows and keeps. */
import { familyOf, formatEndpoint, sameButZone } from '../../net/address.ts';
import { NetError, type UdpSocket } from '../../net/env.ts';
import { findPrefixes } from '../../net/nat64.ts';
import { routedEndpoint } from '../../net/route.ts';
import { interleaved } from '../../net/stagger.ts';
import type { Ground } from '../../nat/evidence.ts';
import { keepaliveAt } from '../../probe/lifetime/memory.ts';
import { type Vantage, type PublicSideWatch, watchPublicSide } from '../../probe/punch/hole-keeping.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { ForwardingTable } from '../../report/forwarding.ts';
import type { Credentials } from '../../stun/client.ts';
import { discover } from '../../stun/discovery.ts';
import type { StunMux } from '../../stun/mux.ts';
import type { StunServerName } from '../../stun/uri.ts';
import { KEEPALIVE_MS } from '../arguments.ts';
import type { Context } from '../command.ts';
import { seconds } from '../datagrams/seconds.ts';
import type { ListenEvent } from './listener.ts';
import type { Args } from './options.ts';
import { pick } from './sockets.ts';

type Muxes = ReadonlyMap<UdpSocket, StunMux>;

type Settings = Pick<Args, 'family' | 'local'> & {
  readonly credentials: Credentials | undefined;
  /** ms; where it is absent it adapts. */
  readonly keepalive: number | undefined;
};

export class PublicSide {
  readonly table = new ForwardingTable();
  latest: string | null = null;
  readonly #context: Pick<Context, 'env' | 'note'>;
  readonly #args: Settings;
  readonly #tell: (event: Extract<ListenEvent, { event: 'public' | 'held' }>) => void;
  readonly #doubts = new Map<string, Finding>();
  /** ms */
  #forgotten: { readonly withinMs: number; readonly heldMs: number | null } | undefined;

  constructor(
    context: Pick<Context, 'env' | 'note'>,
    args: Settings,
    tell: (event: Extract<ListenEvent, { event: 'public' | 'held' }>) => void,
  ) {
    this.#context = context;
    this.#args = args;
    this.#tell = tell;
  }

  /** Rejects with NetError where there is no way to the server, or the signal's reason. */
  async watch(server: StunServerName, muxes: Muxes, signal: AbortSignal): Promise<void> {
    const { env, note } = this.#context;
    const { keepalive, credentials } = this.#args;
    const vantages = await this.#vantages(server, muxes, signal);
    let complained = false;
    await watchPublicSide(
      env,
      vantages,
      {
        everyMs: keepalive ?? KEEPALIVE_MS,
        ...(keepalive === undefined && { usualMs: ({ address }) => keepaliveAt(env, address, signal) }),
        adapts: keepalive === undefined,
        ground: this.#ground(vantages, signal),
        credentials,
        heard: (sight) => {
          complained = false;
          this.#heard(sight);
        },
        failed: (why, doubted) => {
          if (!complained) note(`nat-tool listen: the public side is unknown: ${why}; trying on`);
          complained = true;
          if (!doubted) return;
          const name = formatEndpoint(doubted.remote);
          const { doubt, words } = doubted;
          const said =
            doubt === 'inside'
              ? finding('server-inside', { server: name })
              : finding('answer-doubted', { server: name, doubt, words });
          this.#doubts.set(name, said);
        },
      },
      signal,
    );
  }

  findings(): Finding[] {
    const forgotten = this.#forgotten;
    return [
      ...this.#doubts.values(),
      ...(forgotten
        ? [
            finding('mapping-forgotten', {
              withinS: seconds(forgotten.withinMs, 'up'),
              keepaliveS: forgotten.heldMs === null ? null : seconds(forgotten.heldMs, 'down'),
            }),
          ]
        : []),
    ];
  }

  /** All addresses of the server, of the families that are listened on, and to which there is a route. */
  async #vantages(server: StunServerName, muxes: Muxes, signal: AbortSignal): Promise<Vantage[]> {
    const { env } = this.#context;
    const found = await discover(server, { ...env, transport: 'udp', family: this.#args.family, signal });
    const sockets = [...muxes.keys()];
    await pick(found, sockets, server.host);
    const vantages: Vantage[] = [];
    let trouble: unknown;
    for (const remote of interleaved(found, ({ address }) => familyOf(address))) {
      const socket = sockets.find(({ local }) => familyOf(local.address) === familyOf(remote.address));
      const mux = socket && muxes.get(socket);
      if (!mux) continue;
      try {
        vantages.push({ remote, mux, local: await routedEndpoint(env.udp, socket.local, remote, signal) });
      } catch (error) {
        if (!(error instanceof NetError)) throw error;
        trouble ??= error;
      }
    }
    if (vantages.length === 0) throw trouble;
    return vantages;
  }

  #ground(vantages: readonly Vantage[], signal: AbortSignal): Ground | Promise<Ground> {
    const { local } = this.#args;
    if (!vantages.some(({ remote }) => familyOf(remote.address) === 6)) return { local };
    const ground = findPrefixes(this.#context.env.resolver, signal).then((nat64) => ({ local, nat64 }));
    ground.catch(() => {});
    return ground;
  }

  readonly #heard: PublicSideWatch['heard'] = ({ local, remote, mapped, recollection }) => {
    const text = formatEndpoint(mapped);
    if (!sameButZone(mapped, local)) this.table.add(local, mapped, remote);
    if (text !== this.latest)
      this.#tell({
        event: 'public',
        private: formatEndpoint(local),
        public: text,
        remote: formatEndpoint(remote),
        ...('was' in recollection && { was: formatEndpoint(recollection.was) }),
        ...(recollection.kind === 'forgotten' && { forgottenWithinMs: recollection.withinMs }),
      });
    this.latest = text;
    if (recollection.kind === 'forgotten')
      this.#forgotten = {
        withinMs: Math.min(recollection.withinMs, this.#forgotten?.withinMs ?? recollection.withinMs),
        heldMs: this.#forgotten?.heldMs ?? null,
      };
    if (recollection.kind === 'held' && this.#forgotten) {
      this.#forgotten = { ...this.#forgotten, heldMs: recollection.silenceMs };
      this.#tell({ event: 'held', everyMs: recollection.silenceMs, kept: this.#args.keepalive === undefined });
    }
  };
}

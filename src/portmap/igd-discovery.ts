/**
 * Finding the router's UPnP service (UPnP Device Architecture 1.1 §1–2), and believing only the router.
 *
 * Two sockets ask: one the multicast group, and only what comes from the router's address is heard there; one the router alone, which
 * finds routers whose firewall drops answers to a multicast. Whoever answers the second was asked there, for nobody else was
 * sent its port: it may be another address of the router's own. Whatever place an answer names, it is asked for at the
 * router's address, and nowhere else: a router under two names has it there too, and an attacker gets no request of ours.
 */
import type { Endpoint } from '../net/address.ts';
import { formatEndpoint } from '../net/address.ts';
import { type Env, ignoreNetError, NetError, type UdpSocket } from '../net/env.ts';
import { hostOf, httpExchange, portOf } from '../net/http/request.ts';
import { HttpFormatError } from '../net/http/response.ts';
import { deferred, scope, TimeoutError } from '../net/wait.ts';
import { type IgdService, servicesIn } from './igd-description.ts';
import type { Oddity } from './oddity.ts';
import { PROBE_MS } from './protocol.ts';
import type { RouterAt } from './router.ts';
import { decodeSsdpAnswer, encodeSearch, IGD_TYPES, SSDP_GROUP, SSDP_PORT } from './ssdp.ts';
import { XmlError } from './xml.ts';

export type IgdEnv = Pick<Env, 'clock' | 'udp' | 'tcp'>;

export interface FoundIgd {
  /** Best first; their URLs lead to the router's address. */
  readonly services: readonly IgdService[];
  readonly software: string | undefined;
}

export interface Discovered {
  readonly igd: FoundIgd | undefined;
  readonly oddities: readonly Oddity[];
}

/** Devices answer to a multicast within a second of their own choice, most within 100 ms. */
const SENDS_MS = [0, 100, 300];
/** Of an exchange over HTTP, in milliseconds. */
export const HTTP_MS = 1_000;
/** Places that are looked at, whatever a flood of answers names. */
const MOST_PLACES = 4;

/** `heard`: the router has answered, and its description is asked for. Rejects with the signal's reason alone. */
export async function discoverIgd(
  env: IgdEnv,
  router: RouterAt,
  signal?: AbortSignal,
  heard?: () => void,
): Promise<Discovered> {
  const search = new GatewaySearch(env, router, heard);
  const bounds = scope(env.clock, signal);
  const sockets: UdpSocket[] = [];
  const cancels: (() => void)[] = [];
  const abort = (): void => search.found.reject(bounds.signal.reason);
  bounds.signal.addEventListener('abort', abort, { once: true });
  try {
    signal?.throwIfAborted();
    for (const alone of [false, true]) {
      const socket = await env.udp.open({ family: 4, address: router.local }, signal);
      sockets.push(socket);
      socket.listen({ datagram: ({ data, from }) => search.hear(data, from, alone, bounds.signal) });
    }
    const [group, one] = sockets as [UdpSocket, UdpSocket];
    const routerAt: Endpoint = { address: router.address, port: SSDP_PORT };
    const send = (toRouter: boolean): void => {
      for (const type of IGD_TYPES) {
        group.send(encodeSearch(type, SSDP_GROUP, true), toGroup).catch(ignoreNetError);
        if (toRouter) one.send(encodeSearch(type, router.address, false), routerAt).catch(ignoreNetError);
      }
    };
    // Where nothing listens each one to the router is refused by ICMP, of which it sends few.
    for (const [i, at] of SENDS_MS.entries()) cancels.push(env.clock.after(at, () => send(i < 2)));
    cancels.push(env.clock.after(PROBE_MS, () => search.end()));
    const igd = await search.found.promise;
    return { igd, oddities: search.oddities(igd) };
  } catch (error) {
    if (signal?.aborted || !(error instanceof NetError)) throw error;
    return { igd: undefined, oddities: [] };
  } finally {
    bounds.signal.removeEventListener('abort', abort);
    for (const cancel of cancels) cancel();
    for (const socket of sockets) socket.close();
    bounds.abort();
  }
}

const toGroup: Endpoint = { address: SSDP_GROUP, port: SSDP_PORT };

class GatewaySearch {
  readonly found = deferred<FoundIgd | undefined>();
  readonly #env: IgdEnv;
  readonly #router: RouterAt;
  readonly #places = new Set<string>();
  readonly #elsewhere = new Set<string>();
  readonly #unusable: string[] = [];
  readonly #heard: (() => void) | undefined;
  #strangers = 0;
  #firstStranger: string | undefined;
  #open = 0;
  #over = false;

  constructor(env: IgdEnv, router: RouterAt, heard: (() => void) | undefined) {
    this.#heard = heard;
    this.#env = env;
    this.#router = router;
    this.found.promise.catch(() => {});
  }

  /** `alone`: the router was the only one to be asked from this socket. */
  hear(data: Uint8Array, from: Endpoint, alone: boolean, signal: AbortSignal): void {
    const answer = decodeSsdpAnswer(data);
    if (!answer || !(answer.target === undefined || answer.target.includes(':InternetGatewayDevice:'))) return;
    if (from.address !== this.#router.address && !alone) {
      this.#strangers++;
      this.#firstStranger ??= from.address;
      return;
    }
    const { location, server } = answer;
    if (this.#over || this.#places.has(location) || this.#places.size >= MOST_PLACES) return;
    this.#heard?.();
    this.#places.add(location);
    this.#open++;
    this.#look(location, server, signal)
      .then((igd) => igd && this.found.resolve(igd))
      .catch((error: unknown) => this.found.reject(error))
      .finally(() => {
        this.#open--;
        this.#settle();
      });
  }

  /** No answer is waited for any more. */
  end(): void {
    this.#over = true;
    this.#settle();
  }

  oddities(igd: FoundIgd | undefined): Oddity[] {
    const odd: Oddity[] = [...this.#elsewhere].map((host) => ({
      kind: 'elsewhere',
      host,
      router: igd !== undefined,
    }));
    if (this.#firstStranger !== undefined)
      odd.push({ kind: 'strangers', count: this.#strangers, first: this.#firstStranger });
    if (!igd) odd.push(...this.#unusable.map((words): Oddity => ({ kind: 'unusable', words })));
    return odd;
  }

  #settle(): void {
    if (this.#over && this.#open === 0) this.found.resolve(undefined);
  }

  async #look(location: string, software: string | undefined, signal: AbortSignal): Promise<FoundIgd | undefined> {
    const place = URL.canParse(location) ? new URL(location) : undefined;
    if (place?.protocol !== 'http:') {
      this.#unusable.push('its description is at no http: address');
      return undefined;
    }
    try {
      const url = this.#atRouter(place);
      const { status, body } = await exchangeWith(this.#env, this.#router, { url }, HTTP_MS, signal);
      if (status !== 200) {
        this.#unusable.push(`its description is answered with status ${status}`);
        return undefined;
      }
      const services = servicesIn(body, url).map(({ type, control }) => ({ type, control: this.#atRouter(control) }));
      if (services.length > 0) return { services, software };
      this.#unusable.push('its description names no service that opens ports');
    } catch (error) {
      const words = trouble(error);
      if (words === undefined || signal.aborted) throw error;
      this.#unusable.push(words);
    }
    return undefined;
  }

  #atRouter(url: URL): URL {
    const { address } = this.#router;
    if (hostOf(url) === address) return url;
    this.#elsewhere.add(hostOf(url));
    return new URL(`http://${formatEndpoint({ address, port: portOf(url) })}${url.pathname}${url.search}`);
  }
}

/** One exchange over HTTP with the router. Rejects with what {@link trouble} knows, or the signal's reason. */
export async function exchangeWith(
  env: Pick<Env, 'clock' | 'tcp'>,
  router: RouterAt,
  request: Parameters<typeof httpExchange>[1],
  boundMs: number,
  signal: AbortSignal | undefined,
): ReturnType<typeof httpExchange> {
  const bounds = scope(env.clock, signal, boundMs);
  try {
    const remote = { address: router.address, port: portOf(request.url) };
    return await httpExchange(env, request, remote, { source: router.local, signal: bounds.signal });
  } finally {
    bounds.end();
  }
}

/** What a router, or what calls itself one, may do wrong, in words; undefined for a bug of ours. */
export function trouble(error: unknown): string | undefined {
  if (error instanceof TimeoutError) return `it gives ${error.message}`;
  if (error instanceof XmlError) return `it sends no usable XML: ${error.message}`;
  if (error instanceof HttpFormatError || error instanceof NetError) return error.message;
  return undefined;
}

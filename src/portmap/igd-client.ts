/** A UPnP internet gateway device (WANIPConnection:1 and :2, WANPPPConnection:1), as its control point. */
import { canonicalAddress, scopeOf } from '../net/address.ts';
import type { Random } from '../net/env.ts';
import type { IgdService } from './igd-description.ts';
import { exchangeWith, discoverIgd, type FoundIgd, HTTP_MS, type IgdEnv, trouble } from './igd-discovery.ts';
import {
  type Grant,
  isRefusal,
  type Listed,
  NO_ANSWER,
  type PortControl,
  type Probe,
  type Sign,
  type Wish,
} from './protocol.ts';
import { isBehindNat, type Refusal, UPNP_ERRORS, upnpRefusal } from './refusal.ts';
import type { RouterAt } from './router.ts';
import { decodeAnswer, encodeCall, type SoapAnswer, type SoapArguments, soapAction } from './soap.ts';

/** By which our own mappings are known in the router's list. */
const DESCRIPTION = 'nat-tool';
/** Some routers rebuild their firewall before they answer. */
const CHANGE_MS = 3_000;
/** External ports tried where the first one is taken. */
const MOST_PORTS = 4;
/** Of a router's list; the largest tables hold fewer. */
const MOST_LISTED = 512;

const SILENT: Refusal = { kind: 'silent', protocol: 'upnp' };

type Entry = Listed | 'none' | 'unknown';

export class IgdClient implements PortControl {
  readonly protocol = 'upnp';
  isHeard = false;
  readonly #env: IgdEnv & { readonly random: Random };
  readonly #router: RouterAt;
  #service: IgdService | undefined;
  /** The external address; empty where it told that there is none. */
  #external: string | undefined;
  /** External ports that were asked for: the router may hold any of them, whatever was heard. */
  readonly #asked = new Set<number>();

  constructor(env: IgdEnv & { readonly random: Random }, router: RouterAt) {
    this.#env = env;
    this.#router = router;
  }

  async probe(signal?: AbortSignal): Promise<Probe> {
    const { igd, oddities } = await discoverIgd(this.#env, this.#router, signal, () => {
      this.isHeard = true;
    });
    if (!igd) return { ...NO_ANSWER, oddities };
    const { software } = igd;
    const code = await this.#choose(igd, signal);
    if (!this.#service) {
      const refusal: Refusal = code === undefined ? SILENT : upnpRefusal(code);
      return { answer: 'refused', refusal, software, oddities };
    }
    if (this.#external === '')
      return { answer: 'refused', refusal: { kind: 'no-network', protocol: 'upnp' }, software, oddities };
    return { answer: 'yes', external: this.#external, software, oddities };
  }

  /** Never an external port that belongs to somebody else, and never without looking whether it is there. */
  async map(wish: Wish, signal?: AbortSignal): Promise<Grant | Refusal> {
    if (!(await this.#ready(signal))) return SILENT;
    let outcome = await this.#mapAt(wish, wish.externalPort, signal);
    for (let i = 1; i < MOST_PORTS && isRefusal(outcome) && outcome.kind === 'port-taken'; i++) {
      // 724: nothing but the internal port will do.
      if (outcome.code === UPNP_ERRORS.SAME_PORTS_REQUIRED && wish.externalPort === wish.internalPort) break;
      const other =
        outcome.code === UPNP_ERRORS.SAME_PORTS_REQUIRED ? wish.internalPort : 49_152 + this.#env.random.below(16_384);
      outcome = await this.#mapAt(wish, other, signal);
    }
    return outcome;
  }

  /** Nobody else's is removed: the router may have given the port away since. */
  async unmap(wish: Wish, signal?: AbortSignal): Promise<Refusal | undefined> {
    if (!(await this.#ready(signal))) return SILENT;
    let refusal: Refusal | undefined;
    for (const port of new Set([wish.externalPort, ...this.#asked])) {
      const there = await this.#entry(wish.transport, port, signal);
      if (typeof there === 'object' && !this.#isOurs(there, wish)) continue;
      const answer = await this.#call('DeletePortMapping', key(wish.transport, port), CHANGE_MS, signal);
      if (!answer) return SILENT;
      this.#asked.delete(port);
      if (answer.kind === 'fault' && answer.code !== UPNP_ERRORS.NO_SUCH_ENTRY && port === wish.externalPort)
        refusal = upnpRefusal(answer.code);
    }
    return refusal;
  }

  async check(wish: Wish, signal?: AbortSignal): Promise<Sign> {
    const before = this.#external;
    if (!this.#service || (await this.#askExternal(signal)) === 'silent') {
      // After a restart it answers at another port.
      this.#service = undefined;
      if (!(await this.#ready(signal))) return 'silent';
    }
    if (before !== this.#external) return 'restarted';
    const entry = await this.#entry(wish.transport, wish.externalPort, signal);
    return entry === 'unknown' || (entry !== 'none' && this.#isOurs(entry, wish)) ? 'alive' : 'restarted';
  }

  /** What the router's list holds, in its order; undefined where it does not tell. */
  async list(signal?: AbortSignal): Promise<Listed[] | undefined> {
    if (!(await this.#ready(signal))) return undefined;
    const found: Listed[] = [];
    while (found.length < MOST_LISTED) {
      const index = { NewPortMappingIndex: found.length };
      const answer = await this.#call('GetGenericPortMappingEntry', index, HTTP_MS, signal);
      const entry = answer?.kind === 'done' ? listed(answer.values) : undefined;
      // 713 is the end of the list; some say something else.
      if (!entry) return found.length > 0 || answer?.kind === 'fault' ? found : undefined;
      found.push(entry);
    }
    return found;
  }

  async #ready(signal: AbortSignal | undefined): Promise<boolean> {
    if (!this.#service) await this.probe(signal);
    return this.#service !== undefined;
  }

  /** The service with a public address, else the first that answers at all. Returns the error of the last that refused. */
  async #choose({ services }: FoundIgd, signal: AbortSignal | undefined): Promise<number | undefined> {
    let code: number | undefined;
    let chosen: { readonly service: IgdService; readonly external: string | undefined } | undefined;
    for (const service of services) {
      this.#service = service;
      const told = await this.#askExternal(signal);
      if (told === 'silent') continue;
      if (typeof told === 'number') {
        code = told;
        continue;
      }
      if (!chosen || (isPublic(this.#external) && !isPublic(chosen.external)))
        chosen = { service, external: this.#external };
      if (isPublic(this.#external)) break;
    }
    this.#service = chosen?.service;
    this.#external = chosen?.external;
    return code;
  }

  /** Keeps the external address; the error where there is one. */
  async #askExternal(signal: AbortSignal | undefined): Promise<'told' | 'silent' | number> {
    const answer = await this.#call('GetExternalIPAddress', {}, HTTP_MS, signal);
    if (!answer) return 'silent';
    if (answer.kind === 'fault') return answer.code ?? UPNP_ERRORS.ACTION_FAILED;
    const address = canonicalAddress(answer.values.get('NewExternalIPAddress') ?? '');
    this.#external = address === undefined || scopeOf(address) === 'unspecified' ? '' : address;
    return 'told';
  }

  async #mapAt(wish: Wish, externalPort: number, signal: AbortSignal | undefined): Promise<Grant | Refusal> {
    const { transport, internalPort, lifetimeS } = wish;
    const there = await this.#entry(transport, externalPort, signal);
    if (typeof there === 'object' && !this.#isOurs(there, wish))
      return { kind: 'port-taken', protocol: 'upnp', code: UPNP_ERRORS.CONFLICT };
    const add = (leaseS: number): Promise<SoapAnswer | undefined> =>
      this.#call(
        'AddPortMapping',
        {
          ...key(transport, externalPort),
          NewInternalPort: internalPort,
          NewInternalClient: this.#router.local,
          NewEnabled: 1,
          NewPortMappingDescription: DESCRIPTION,
          NewLeaseDuration: leaseS,
        },
        CHANGE_MS,
        signal,
      );
    this.#asked.add(externalPort);
    let answer = await add(lifetimeS);
    const permanent = answer?.kind === 'fault' && answer.code === UPNP_ERRORS.ONLY_PERMANENT_LEASES;
    if (permanent) answer = await add(0);
    if (!answer) return SILENT;
    if (answer.kind === 'fault') {
      this.#asked.delete(externalPort);
      return upnpRefusal(answer.code, this.#external);
    }
    const kept = await this.#entry(transport, externalPort, signal);
    if (kept === 'none' || (kept !== 'unknown' && !this.#isOurs(kept, wish)))
      return { kind: 'not-kept', protocol: 'upnp' };
    const given = kept === 'unknown' ? lifetimeS : kept.lifetimeS;
    return {
      external: { address: this.#external || undefined, port: externalPort },
      lifetimeS: permanent || given === 0 ? 0 : Math.min(given, lifetimeS),
    };
  }

  async #entry(transport: Wish['transport'], externalPort: number, signal: AbortSignal | undefined): Promise<Entry> {
    const answer = await this.#call('GetSpecificPortMappingEntry', key(transport, externalPort), HTTP_MS, signal);
    if (answer?.kind === 'fault' && answer.code === UPNP_ERRORS.NO_SUCH_ENTRY) return 'none';
    if (answer?.kind !== 'done') return 'unknown';
    return (
      listed(
        new Map([
          ...answer.values,
          ['NewExternalPort', String(externalPort)],
          ['NewProtocol', transport.toUpperCase()],
        ]),
      ) ?? 'unknown'
    );
  }

  #isOurs({ internal }: Listed, { internalPort }: Wish): boolean {
    return internal.address === this.#router.local && internal.port === internalPort;
  }

  /** Undefined where no answer could be used. Rejects with the signal's reason. */
  async #call(
    action: string,
    values: SoapArguments,
    boundMs: number,
    signal: AbortSignal | undefined,
  ): Promise<SoapAnswer | undefined> {
    const service = this.#service;
    if (!service) return undefined;
    const { type, control } = service;
    const headers = { 'Content-Type': 'text/xml; charset="utf-8"', SOAPAction: soapAction(type, action) };
    const request = { url: control, method: 'POST', headers, body: encodeCall(type, action, values) } as const;
    try {
      const { body } = await exchangeWith(this.#env, this.#router, request, boundMs, signal);
      return decodeAnswer(body, action);
    } catch (error) {
      if (signal?.aborted || trouble(error) === undefined) throw error;
      return undefined;
    }
  }
}

const key = (transport: Wish['transport'], externalPort: number): SoapArguments => ({
  NewRemoteHost: '',
  NewExternalPort: externalPort,
  // In capitals: some routers know no other.
  NewProtocol: transport.toUpperCase(),
});

const isPublic = (address: string | undefined): boolean =>
  address !== undefined && address !== '' && !isBehindNat(address);

/** Undefined where the entry is none. */
function listed(values: ReadonlyMap<string, string>): Listed | undefined {
  const number = (name: string, most: number): number | undefined => {
    const text = values.get(name) ?? '';
    return /^\d{1,10}$/.test(text) && Number(text) <= most ? Number(text) : undefined;
  };
  const transport = values.get('NewProtocol')?.toLowerCase();
  const externalPort = number('NewExternalPort', 65_535);
  const port = number('NewInternalPort', 65_535);
  const client = values.get('NewInternalClient') ?? '';
  if ((transport !== 'udp' && transport !== 'tcp') || externalPort === undefined || port === undefined)
    return undefined;
  return {
    transport,
    externalPort,
    // Some tell a host's name.
    internal: { address: canonicalAddress(client) ?? client, port },
    description: values.get('NewPortMappingDescription') ?? '',
    lifetimeS: number('NewLeaseDuration', 2 ** 32 - 1) ?? 0,
  };
}

/** The port of the main socket that the router keeps open, as far as the peer can use it. */
import { type Endpoint, formatEndpoint, sameEndpoint, scopeOf } from '../net/address.ts';
import type { HeldMapping, MappingOptions, NoMapping } from '../portmap/mapper.ts';
import { PROTOCOL_NAMES, refusalWords } from '../portmap/refusal.ts';
import type { PortNews, RouterPort } from '../portmap/router-port.ts';
import { type Description, openPort } from './signalling/description.ts';

export interface OpenedPortOptions {
  /** Where servers see the main socket, once one has told. */
  readonly reflexive: () => Endpoint | undefined;
  /** For the peer; undefined: there is none, or none any more. */
  readonly tell: (mapped: Description['mapped']) => void;
  readonly note: (event: string, details: Readonly<Record<string, unknown>>) => void;
}

export class OpenedPort {
  readonly #options: OpenedPortOptions;
  #mapping: HeldMapping | undefined;
  #told: Description['mapped'];
  #release: () => void = () => {};

  constructor(options: OpenedPortOptions) {
    this.#options = options;
  }

  ask(routerPort: RouterPort, wish: MappingOptions): void {
    this.#announce('asked');
    this.#release = routerPort.open(wish, (news) => this.#heard(news));
  }

  close(): void {
    this.#release();
  }

  /** Servers have told where they see us: a router that tells no address of its own is there. */
  sighted(): void {
    if (this.#mapping) this.#tell(this.#mapping);
  }

  #heard(news: PortNews): void {
    const { note } = this.#options;
    switch (news.kind) {
      case 'open': {
        const { protocol, public: at, lifetimeS } = (this.#mapping = news.mapping);
        note('router', { answer: 'opened', by: protocol, address: at.address ?? null, port: at.port, lifetimeS });
        return this.#tell(news.mapping);
      }
      case 'none':
        this.#refused(news.why);
        return this.#announce(undefined);
      case 'lost':
        note('router', { answer: 'lost', by: news.refusal.protocol, why: refusalWords(news.refusal) });
        this.#mapping = undefined;
        return this.#announce(undefined);
      case 'left':
        note('router', { answer: 'left', by: news.refusal.protocol, why: refusalWords(news.refusal) });
    }
  }

  #tell({ public: { address = this.#options.reflexive()?.address, port } }: HeldMapping): void {
    if (address === undefined) return;
    // Nobody outside reaches an address that only another NAT gives, or none at all.
    if (scopeOf(address) !== 'public') return this.#announce(undefined);
    this.#announce({ address, port });
  }

  #refused({ router, refusals }: NoMapping): void {
    const { note } = this.#options;
    if (!router) return note('router', { answer: 'none', why: 'no router is known' });
    if (refusals.length === 0)
      return note('router', { answer: 'none', why: `${router.address} speaks neither PCP nor NAT-PMP nor UPnP` });
    for (const each of refusals)
      note('router', {
        answer: 'refused',
        by: each.protocol,
        why: `${PROTOCOL_NAMES[each.protocol]}: ${refusalWords(each)}`,
      });
  }

  #announce(mapped: Description['mapped']): void {
    const [before, open] = [openPort(this.#told), openPort(mapped)];
    if (mapped === this.#told || (before && open && sameEndpoint(before, open))) return;
    this.#told = mapped;
    if (open) this.#options.note('candidate', { type: 'mapped', address: formatEndpoint(open) });
    this.#options.tell(mapped);
  }
}

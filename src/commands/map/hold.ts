/** `map` itself: opens the port, tries it, and holds it. */
import { familyOf, formatEndpoint } from '../../net/address.ts';
import { scope } from '../../net/wait.ts';
import { type HeldMapping, type MappingEvent, openMapping } from '../../portmap/mapper.ts';
import { PROTOCOL_NAMES, refusalWords } from '../../portmap/refusal.ts';
import type { Openness } from '../../probe/openness/openness.ts';
import { publicAddress } from '../../probe/openness/public-address.ts';
import { type Finding, finding } from '../../report/finding.ts';
import type { Completeness } from '../../report/report.ts';
import type { Context } from '../command.ts';
import type { Args } from './options.ts';
import { prove, serversOf } from './prove.ts';
import { type Mapped, noMappingFindings, oddityFindings, openFindings, publicOf, refusalData } from './report.ts';

export type MapEvent =
  | {
      readonly event: 'mapped' | 'renewed' | 'restored' | 'changed';
      readonly protocol: Mapped['protocol'];
      readonly private: string;
      readonly public: string | null;
      readonly lifetimeS: number;
    }
  | { readonly event: 'tried'; readonly open: Openness['open']; readonly from: string | null }
  | { readonly event: 'lost'; readonly reason: string }
  | { readonly event: 'removed' };

export interface Outcome {
  readonly outcome: Completeness;
  readonly data: Mapped;
  readonly findings: readonly Finding[];
}

export async function hold(args: Args, port: number, context: Context<MapEvent>): Promise<Outcome> {
  const { env, signal } = context;
  const transport = args.tcp ? 'tcp' : 'udp';
  const options = {
    transport,
    internalPort: port,
    externalPort: args.external,
    lifetimeS: args.lease,
    via: args.via,
    family: args.family ?? (args.source === undefined ? 4 : familyOf(args.source)),
    source: args.source,
  } as const;
  const nothing: Mapped = {
    protocol: null,
    transport,
    private: null,
    public: null,
    lifetimeS: null,
    open: 'no',
    triedFrom: null,
    router: null,
    refusals: [],
    removed: null,
  };
  context.progress('asking the router by PCP, NAT-PMP and UPnP');
  const bounds = scope(env.clock, signal, args.timeout);
  const opened = await openMapping(env, options, bounds.signal)
    .catch((error: unknown) => {
      if (bounds.signal.aborted) return undefined;
      throw error;
    })
    .finally(bounds.end);
  if (!opened) {
    const why = finding(signal.aborted ? 'interrupted' : 'out-of-time');
    return { outcome: 'partial', data: { ...nothing, open: 'unknown' }, findings: [why] };
  }
  const odd = oddityFindings(opened.oddities);
  if (!opened.mapping) {
    const { router, refusals } = opened;
    const isOffline = refusals.some(({ kind }) => kind === 'no-network' || kind === 'second-nat');
    const servers = isOffline ? await serversOf(context, args, options.family, signal).catch(() => []) : [];
    const seen = await publicAddress(env, { family: options.family, source: args.source, servers }, signal).catch(
      () => undefined,
    );
    return {
      outcome: signal.aborted ? 'partial' : 'complete',
      data: { ...nothing, router: router?.address ?? null, refusals: refusals.map(refusalData) },
      findings: [...noMappingFindings(opened, seen), ...odd],
    };
  }
  const holding = new Holding(args, context, opened.mapping);
  const { tried, findings } = await holding.run();
  const { mapping } = opened;
  const data: Mapped = {
    ...nothing,
    protocol: mapping.protocol,
    private: formatEndpoint(mapping.private),
    public: publicOf(mapping),
    lifetimeS: mapping.lifetimeS,
    open: tried.open,
    triedFrom: tried.by ?? null,
    router: mapping.router.address,
    removed: holding.removed,
  };
  return { outcome: signal.aborted ? 'partial' : 'complete', data, findings: [...findings, ...odd] };
}

class Holding {
  removed = false;
  readonly #args: Args;
  readonly #context: Context<MapEvent>;
  readonly #mapping: HeldMapping;
  readonly #findings: Finding[] = [];
  #tried: Openness = { open: 'unknown', why: 'no-server', by: undefined, seen: undefined };

  constructor(args: Args, context: Context<MapEvent>, mapping: HeldMapping) {
    this.#args = args;
    this.#context = context;
    this.#mapping = mapping;
  }

  async run(): Promise<{ readonly tried: Openness; readonly findings: readonly Finding[] }> {
    const { env, signal } = this.#context;
    const bounds = scope(env.clock, signal, this.#args.for);
    try {
      await this.#tellMapping('mapped');
      const holding = this.#mapping.hold((event) => void this.#heard(event), bounds.signal);
      holding.catch(() => {});
      await this.#try(bounds.signal);
      this.#context.progress('holding the port open until interrupted');
      await holding;
    } catch (error) {
      if (!bounds.signal.aborted) throw error;
    } finally {
      bounds.end();
      const refusal = await this.#mapping.remove();
      this.removed = refusal === undefined;
      if (refusal) this.#findings.push(finding('mapping-left', { words: refusalWords(refusal) }));
      else await this.#tell({ event: 'removed' });
    }
    if (this.#mapping.lifetimeS === 0) this.#findings.push(finding('mapping-permanent'));
    return { tried: this.#tried, findings: this.#findings };
  }

  async #try(signal: AbortSignal): Promise<void> {
    if (this.#args.noStun) return;
    if (this.#args.tcp) {
      this.#findings.push(finding('mapping-untried', { why: 'no STUN server connects to a TCP port' }));
      return;
    }
    this.#context.progress('trying the port from outside');
    this.#tried = await prove(this.#context, this.#args, this.#mapping, signal);
    this.#findings.push(...openFindings(this.#tried, this.#mapping));
    await this.#tell({ event: 'tried', open: this.#tried.open, from: this.#tried.by ?? null });
  }

  async #heard(event: MappingEvent): Promise<void> {
    if (event.kind !== 'lost') return this.#tellMapping(event.kind);
    const words = refusalWords(event.refusal);
    this.#findings.push(finding('mapping-lost', { words }));
    await this.#tell({ event: 'lost', reason: words });
  }

  /** What goes on goes beside the answer, as in `listen`. */
  async #tell(event: MapEvent): Promise<void> {
    if (this.#context.form === 'json') await this.#context.emit(event);
    else this.#context.note(inWords(event));
  }

  async #tellMapping(event: 'mapped' | 'renewed' | 'restored' | 'changed'): Promise<void> {
    const { protocol, lifetimeS } = this.#mapping;
    const shown = publicOf(this.#mapping);
    if (this.#context.form === 'short' && (event === 'mapped' || event === 'changed'))
      await this.#context.io.stdout.write(`${shown ?? this.#mapping.public.port}\n`);
    await this.#tell({
      event,
      protocol,
      private: formatEndpoint(this.#mapping.private),
      public: shown,
      lifetimeS,
    });
  }
}

/** An event for people. */
function inWords(event: MapEvent): string {
  switch (event.event) {
    case 'mapped':
    case 'renewed':
    case 'restored':
    case 'changed': {
      const by = event.protocol === null ? '' : ` by ${PROTOCOL_NAMES[event.protocol]}`;
      const life = event.lifetimeS === 0 ? 'for good' : `for ${event.lifetimeS} s`;
      const verb = { mapped: 'open', renewed: 'renewed', restored: 'opened again', changed: 'moved' }[event.event];
      return `${verb}: ${event.private} | ${event.public ?? 'unknown address'}${by}, ${life}`;
    }
    case 'tried':
      return event.open === 'yes'
        ? `open to everybody: a datagram came in from ${event.from}, where nobody had sent to`
        : event.open === 'no'
          ? 'not open: what was sent to it from outside did not come in'
          : 'whether it is open could not be tried';
    case 'lost':
      return `lost: ${event.reason}; asking on`;
    case 'removed':
      return 'removed';
  }
}

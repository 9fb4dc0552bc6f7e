/** `--map` of `listen` and `punch`: the router opens the port too, beside the rest and never waited for; it is closed at the end. */
import { familyOf, formatEndpoint } from '../../net/address.ts';
import { type HeldMapping, openMapping } from '../../portmap/mapper.ts';
import { isBehindNat, type Protocol, PROTOCOL_NAMES, refusalWords } from '../../portmap/refusal.ts';
import { type Finding, finding } from '../../report/finding.ts';
import type { LocalDemand } from '../arguments.ts';
import type { Context } from '../command.ts';

export const MAP = {
  type: 'boolean',
  describe: 'open the port in the router too (PCP, NAT-PMP or UPnP), and close it at the end',
} as const;

/** A port that the router keeps open. */
export interface MappedPort {
  readonly protocol: Protocol;
  readonly private: string;
  /** Null where the router does not tell its address. */
  readonly public: string | null;
  /** Seconds; 0 for good. */
  readonly lifetimeS: number;
}

export const mappedInWords = ({ protocol, private: own, public: at }: MappedPort): string =>
  `the router opened the port by ${PROTOCOL_NAMES[protocol]}: ${own} | ${at ?? 'unknown address'} | any`;

export class PortMapping {
  latest: MappedPort | null = null;
  readonly #context: Pick<Context, 'env' | 'note'>;
  readonly #tell: (mapped: MappedPort) => void;
  readonly #findings: Finding[] = [];
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  /** `tell`: it is open, or has another public side. */
  constructor(context: Pick<Context, 'env' | 'note'>, tell: (mapped: MappedPort) => void) {
    this.#context = context;
    this.#tell = tell;
  }

  start(port: number, { family, source }: LocalDemand): void {
    this.#running = this.#run(port, {
      family: family ?? (source === undefined ? undefined : familyOf(source)),
      source,
    });
    this.#running.catch(() => {});
  }

  /** Closes it in the router, within 1.5 s. Rejects with a bug's error alone. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  findings(): readonly Finding[] {
    return this.#findings;
  }

  async #run(port: number, which: LocalDemand): Promise<void> {
    const { env, note } = this.#context;
    const { signal } = this.#stop;
    let mapping: HeldMapping | undefined;
    try {
      const opened = await openMapping(env, { transport: 'udp', internalPort: port, ...which }, signal);
      mapping = opened.mapping;
      if (!opened.mapping) {
        const { router, refusals } = opened;
        for (const each of refusals)
          this.#findings.push(
            finding('port-refused', { protocol: PROTOCOL_NAMES[each.protocol], words: refusalWords(each) }),
          );
        if (!router) this.#findings.push(finding('no-router'));
        else if (refusals.length === 0) this.#findings.push(finding('no-port-control', { router: router.address }));
        return;
      }
      this.#opened(opened.mapping);
      await opened.mapping.hold((event) => {
        if (event.kind === 'lost') note(`nat-tool: the router's mapping is lost: ${refusalWords(event.refusal)}`);
        else if (event.kind !== 'renewed') this.#opened(opened.mapping);
      }, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      const refusal = await mapping?.remove();
      if (refusal) this.#findings.push(finding('mapping-left', { words: refusalWords(refusal) }));
    }
  }

  #opened({ protocol, private: own, public: at, lifetimeS }: HeldMapping): void {
    this.latest = {
      protocol,
      private: formatEndpoint(own),
      public: at.address === undefined ? null : formatEndpoint({ address: at.address, port: at.port }),
      lifetimeS,
    };
    if (at.address !== undefined && isBehindNat(at.address))
      this.#findings.push(finding('second-nat', { wan: at.address, seen: null }));
    this.#tell(this.latest);
  }
}

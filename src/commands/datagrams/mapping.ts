/** `--map` of `listen`, `punch` and `connect`: the router opens the port too, beside the rest and never waited for; it is closed at the end. */
import { familyOf, formatEndpoint } from '../../net/address.ts';
import type { HeldMapping, NoMapping } from '../../portmap/mapper.ts';
import { isBehindNat, type Protocol, PROTOCOL_NAMES, refusalWords } from '../../portmap/refusal.ts';
import { type PortNews, RouterPort } from '../../portmap/router-port.ts';
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
  readonly port: RouterPort;
  readonly #context: Pick<Context, 'env' | 'note'>;
  readonly #tell: (mapped: MappedPort) => void;
  #findings: Finding[] = [];

  /** `tell`: it is open, or has another public side. */
  constructor(context: Pick<Context, 'env' | 'note'>, tell: (mapped: MappedPort) => void) {
    this.#context = context;
    this.#tell = tell;
    this.port = new RouterPort(context.env, (news) => this.#heard(news));
  }

  start(port: number, { family, source }: LocalDemand): void {
    this.port.open({
      transport: 'udp',
      internalPort: port,
      family: family ?? (source === undefined ? undefined : familyOf(source)),
      source,
    });
  }

  /** Closes it in the router, within 1.5 s. Rejects with a bug's error alone. */
  end(): Promise<void> {
    return this.port.close();
  }

  findings(): readonly Finding[] {
    return this.#findings;
  }

  #heard(news: PortNews): void {
    switch (news.kind) {
      case 'open':
        return this.#opened(news.mapping);
      case 'none':
        // Of one that was asked for again, the latest answer counts.
        this.#findings = refused(news.why);
        return;
      case 'lost':
        return this.#context.note(`nat-tool: the router's mapping is lost: ${refusalWords(news.refusal)}`);
      case 'left':
        this.#findings.push(finding('mapping-left', { words: refusalWords(news.refusal) }));
    }
  }

  #opened({ protocol, private: own, public: at, lifetimeS }: HeldMapping): void {
    this.latest = {
      protocol,
      private: formatEndpoint(own),
      public: at.address === undefined ? null : formatEndpoint({ address: at.address, port: at.port }),
      lifetimeS,
    };
    this.#findings =
      at.address !== undefined && isBehindNat(at.address)
        ? [finding('second-nat', { wan: at.address, seen: null })]
        : [];
    this.#tell(this.latest);
  }
}

function refused({ router, refusals }: NoMapping): Finding[] {
  if (!router) return [finding('no-router')];
  if (refusals.length === 0) return [finding('no-port-control', { router: router.address })];
  return refusals.map((each) =>
    finding('port-refused', { protocol: PROTOCOL_NAMES[each.protocol], words: refusalWords(each) }),
  );
}

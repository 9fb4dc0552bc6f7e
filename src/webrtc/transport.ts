/** DTLS, SCTP in it, and the channels on that (RFC 8261, RFC 8831), over datagrams that ICE finds a way for. */
import type { Clock, Random } from '../net/env.ts';
import { type Driver, drive } from '../net/machine.ts';
import type { DtlsAction, DtlsCounters, DtlsEvent, Role } from '../dtls/api.ts';
import type { Fingerprint, Identity } from '../dtls/certificate.ts';
import { DtlsConnection } from '../dtls/connection.ts';
import { Association } from '../sctp/association.ts';
import type { AssociationAction, AssociationEnd, AssociationEvent } from '../sctp/association-api.ts';
import type { Channels } from './channels.ts';
import type { PeerEnd } from './peer-api.ts';

export interface TransportOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly role: Role;
  readonly identity: Identity;
  readonly expected: readonly Fingerprint[];
  /** Of SCTP, on both sides. */
  readonly port: number;
  readonly dtlsMs: number;
  readonly sctpMs: number;
  readonly channels: Channels;
  readonly send: (datagram: Uint8Array) => void;
  /** Sees each SCTP packet before it is sealed. */
  readonly watch: ((packet: Uint8Array) => void) | undefined;
  /** A step was reached. */
  readonly reached: (step: 'dtls-up' | 'sctp-up') => void;
  readonly note: (event: string, details?: Readonly<Record<string, unknown>>) => void;
  readonly ended: (end: PeerEnd) => void;
}

/** As much as comes before a stall: with megabytes a browser overruns queues, and then repairs one packet a round trip. */
const WINDOW = 1 << 19;
/** Bytes of a packet: 1,200 less what DTLS has beside it (37), in fours. */
const PACKET = 1160;
const RETRANSMISSION = { initialMs: 500, leastMs: 50, mostMs: 2_000 } as const;
/** Timeouts of SCTP in a row, after which the peer no longer acknowledges: 20 seconds. */
const PATIENCE = 12;

export class Transport {
  readonly #options: TransportOptions;
  readonly #dtls: DtlsConnection;
  readonly #association: Association;
  readonly #lower: Driver<DtlsEvent>;
  readonly #upper: Driver<AssociationEvent>;
  #heard = false;
  #over = false;
  #cancelDeadline = (): void => {};

  /** Begins at once. */
  constructor(options: TransportOptions) {
    const { clock, random, role, identity, expected, port, dtlsMs } = options;
    this.#options = options;
    this.#dtls = new DtlsConnection({ role, identity, expected, random, patienceMs: dtlsMs });
    this.#association = new Association({
      random,
      start: 'handshake',
      port,
      packet: PACKET,
      window: WINDOW,
      // Browsers want true checksums (RFC 9653 is not spoken).
      zeroChecksum: false,
      retransmission: RETRANSMISSION,
      patience: PATIENCE,
    });
    this.#lower = drive(this.#dtls, clock, (action) => this.#below(action));
    this.#upper = drive(this.#association, clock, (action) => this.#above(action));
    options.note('dtls-hello', { role });
    this.#lower.feed({ kind: 'start' });
  }

  get counters(): DtlsCounters {
    return this.#dtls.counters;
  }

  get buffered(): { readonly bytes: number; readonly wanted: number } {
    return this.#association.buffered;
  }

  /** Of the data's path: milliseconds, by SCTP; undefined until measured. */
  get rttMs(): number | undefined {
    return this.#association.measured.rttMs;
  }

  /** A datagram of DTLS. */
  heard(data: Uint8Array): void {
    if (!this.#heard) {
      this.#heard = true;
      this.#options.note('dtls-heard');
    }
    this.#lower.feed({ kind: 'datagram', data });
  }

  feed(event: Extract<AssociationEvent, { kind: 'send' | 'reset' }>): void {
    this.#upper.feed(event);
  }

  /** Another pair carries it from now on. */
  pathChanged(): void {
    this.#upper.feed({ kind: 'path' });
  }

  /** Says goodbye, and ends. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelDeadline();
    this.#upper.feed({ kind: 'abort' });
    this.#lower.feed({ kind: 'close' });
    this.#stop();
  }

  #stop(): void {
    this.#upper.stop();
    this.#lower.stop();
  }

  #below(action: DtlsAction): void {
    switch (action.kind) {
      case 'transmit':
        return this.#options.send(action.data);
      case 'connected': {
        const { clock, reached, sctpMs } = this.#options;
        reached('dtls-up');
        this.#cancelDeadline = clock.after(sctpMs, () => this.#end({ kind: 'sctp-stalled' }));
        return this.#upper.feed({ kind: 'open' });
      }
      case 'data':
        return this.#upper.feed({ kind: 'packet', data: action.data });
      case 'closed':
        return action.by === 'peer' ? this.#end({ kind: 'closed-by-peer', how: 'dtls' }) : undefined;
      case 'failed': {
        const { error } = action;
        if (error.kind !== 'timeout') return this.#end({ kind: 'dtls-failed', error });
        return this.#end({ kind: 'dtls-silent', heard: this.#dtls.counters.records > 0 });
      }
    }
  }

  #above(action: AssociationAction): void {
    const { role, channels, reached, watch } = this.#options;
    switch (action.kind) {
      case 'transmit':
        watch?.(action.data);
        return this.#lower.feed({ kind: 'send', data: action.data });
      case 'connected':
        this.#cancelDeadline();
        reached('sctp-up');
        return channels.begin(role);
      case 'closed':
        return this.#end(ENDS[action.why]);
      default:
        return channels.take(action);
    }
  }

  #end(end: PeerEnd): void {
    if (this.#over) return;
    this.close();
    this.#options.ended(end);
  }
}

const ENDS: Readonly<Record<AssociationEnd, PeerEnd>> = {
  shutdown: { kind: 'closed-by-peer', how: 'sctp' },
  aborted: { kind: 'closed-by-peer', how: 'sctp' },
  lost: { kind: 'sctp-stalled' },
  protocol: { kind: 'sctp-failed' },
};

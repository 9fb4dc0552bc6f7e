/**
 * DTLS 1.2 (RFC 6347) as data channels use it (RFC 8827): one cipher suite, both sides with a certificate of their own,
 * which is proven by its fingerprint alone. No resumption, no renegotiation, no compression.
 *
 * A machine: feed it what happened, carry out its actions in their order, wake it when it asks.
 */
import type { Machine } from '../net/machine.ts';
import type { DtlsAction, DtlsCounters, DtlsEvent, DtlsOptions } from './api.ts';
import type { PeerCertificate } from './certificate.ts';
import { ClientSide } from './client.ts';
import { ALERT, alertOf, DtlsError } from './error.ts';
import { Flight, type Part, type RetransmissionTimes } from './flight.ts';
import { Fragments, fragmentsOf } from './fragments.ts';
import { HANDSHAKE } from './messages.ts';
import type { Role, WriteKey } from './prf.ts';
import { CONTENT, MOST_PLAIN, RECORD_HEADER, type RawRecord, recordsOf, SEAL_BYTES } from './record.ts';
import { Reading, Writing } from './epochs.ts';
import { ServerSide } from './server.ts';
import type { Host, Side } from './side.ts';

const MTU = 1_200;
const USUAL: RetransmissionTimes = { firstMs: 100, mostMs: 1_600 };
const PATIENCE_MS = 30_000;
/** Records that came before what makes them readable or believable: a flight, and some data. */
const MOST_EARLY = 16;
/** Answers to renegotiation: whoever asks more often knows them. */
const MOST_REFUSALS = 8;
const WARNING = 1;
const FATAL = 2;

export class DtlsConnection implements Machine<DtlsEvent, DtlsAction> {
  readonly counters: DtlsCounters = { handshakes: 0, records: 0, dropped: 0, replayed: 0 };
  readonly #options: DtlsOptions;
  readonly #mtu: number;
  readonly #flight: Flight;
  readonly #fragments = new Fragments();
  readonly #reading = new Reading();
  readonly #writing = new Writing();
  /** Sealed, before there were keys. */
  #early: RawRecord[] = [];
  /** Open, before the peer was proven. */
  #unproven: Uint8Array[] = [];
  #side: Side | undefined;
  #state: 'new' | 'handshake' | 'connected' | 'over' = 'new';
  #giveUpAt: number | undefined;
  #refusals = 0;
  #now = 0;
  #actions: DtlsAction[] = [];

  constructor(options: DtlsOptions) {
    this.#options = options;
    this.#mtu = options.mtu ?? MTU;
    this.#flight = new Flight({ ...USUAL, ...options.retransmission });
  }

  get state(): 'new' | 'handshake' | 'connected' | 'over' {
    return this.#state;
  }

  handle(event: DtlsEvent, now: number): DtlsAction[] {
    this.#now = now;
    if (this.#state !== 'over') {
      try {
        this.#take(event);
      } catch (error) {
        if (!(error instanceof DtlsError)) throw error;
        this.#fail(error);
      }
    }
    return this.#flush();
  }

  wakeAt(): number | undefined {
    if (this.#state === 'over') return undefined;
    const { dueAt } = this.#flight;
    return this.#giveUpAt === undefined || dueAt === undefined
      ? (dueAt ?? this.#giveUpAt)
      : Math.min(dueAt, this.#giveUpAt);
  }

  wake(now: number): DtlsAction[] {
    this.#now = now;
    if (this.#state === 'over') return [];
    const { dueAt } = this.#flight;
    if (this.#giveUpAt !== undefined && now >= this.#giveUpAt) {
      const heard = this.counters.records > 0 ? 'did not come to its end' : 'was not answered';
      this.#fail(new DtlsError('timeout', `the handshake ${heard}`));
    } else if (dueAt !== undefined && now >= dueAt) {
      this.#flight.repeated(now);
      this.#sendFlight();
    }
    return this.#flush();
  }

  #take(event: DtlsEvent): void {
    switch (event.kind) {
      case 'start':
        return this.#start();
      case 'datagram':
        return this.#datagram(event.data);
      case 'send':
        if (this.#state === 'connected') this.#seal(CONTENT.data, event.data.subarray(0, MOST_PLAIN));
        return;
      case 'close':
        this.#alert(WARNING, ALERT.closeNotify);
        return this.#over({ kind: 'closed', by: 'us' });
    }
  }

  #start(): void {
    if (this.#state !== 'new') return;
    const { role, identity, random, expected, cookie = false, patienceMs = PATIENCE_MS } = this.#options;
    this.#state = 'handshake';
    this.#giveUpAt = this.#now + patienceMs;
    const host: Host = {
      identity,
      random,
      expected,
      flight: (parts, answered) => {
        this.#flight.begin(parts, answered, this.#now);
        this.#sendFlight();
      },
      secure: (keys) => this.#secure(keys),
      finished: (peer) => this.#finished(peer),
    };
    this.#side = role === 'client' ? new ClientSide(host) : new ServerSide(host, cookie);
  }

  /* ---- what comes in ---- */

  #datagram(data: Uint8Array): void {
    if (this.#state === 'new') return;
    const { records, whole } = recordsOf(data);
    if (!whole) this.counters.dropped++;
    this.counters.records += records.length;
    this.#records(records);
    if (this.#reading.key) this.#records(this.#early.splice(0));
  }

  #records(records: readonly RawRecord[]): void {
    for (const record of records) {
      if (this.#isOver()) return;
      this.#record(record);
    }
  }

  #record(record: RawRecord): void {
    if (record.epoch === 0) return this.#content(record.type, 0, record.body);
    if (record.epoch !== 1) return this.#drop();
    if (!this.#reading.key) {
      if (this.#early.length >= MOST_EARLY) return this.#drop();
      this.#early.push({ ...record, body: Uint8Array.from(record.body) });
      return;
    }
    const plain = this.#reading.open(record);
    if (plain === 'replayed') this.counters.replayed++;
    else if (!plain) this.#drop();
    else this.#content(record.type, 1, plain);
  }

  #content(type: number, epoch: 0 | 1, body: Uint8Array): void {
    switch (type) {
      case CONTENT.handshake:
        return this.#handshake(body, epoch);
      case CONTENT.alert:
        return this.#alerted(body, epoch);
      case CONTENT.data:
        return epoch === 1 ? this.#data(body) : this.#drop();
      default:
        // ChangeCipherSpec: the epoch of each record says as much.
        return;
    }
  }

  #handshake(body: Uint8Array, epoch: 0 | 1): void {
    if (this.#state === 'connected') return this.#handshakeAfter(body, epoch);
    const { again, whole } = this.#fragments.add(body, epoch);
    if (!whole) this.#drop();
    if (again.some((type) => this.#side?.ends.includes(type))) this.#again();
    for (let message = this.#fragments.shift(); message; message = this.#fragments.shift()) {
      this.#side?.take(message);
      if (this.#state !== 'handshake') return;
    }
  }

  /** The peer lacks our last flight, or wants to renegotiate. */
  #handshakeAfter(body: Uint8Array, epoch: 0 | 1): void {
    const [type] = body;
    // Without proof nobody makes us send anything.
    if (epoch === 0) return this.#drop();
    if (type === HANDSHAKE.finished) return this.#again();
    const asks = type === HANDSHAKE.clientHello || type === HANDSHAKE.helloRequest;
    if (asks && this.#refusals++ < MOST_REFUSALS) this.#alert(WARNING, ALERT.noRenegotiation);
  }

  #again(): void {
    if (this.#flight.asked(this.#now)) this.#sendFlight();
  }

  #data(data: Uint8Array): void {
    if (this.#state !== 'connected') {
      if (this.#unproven.length >= MOST_EARLY) return this.#drop();
      this.#unproven.push(data);
      return;
    }
    // Whoever sends data has our last flight.
    this.#flight.end(true);
    this.#actions.push({ kind: 'data', data });
  }

  #alerted(body: Uint8Array, epoch: 0 | 1): void {
    // What is not sealed may be anybody's, once the peer is proven.
    if (body.length !== 2 || (epoch === 0 && this.#state === 'connected')) return this.#drop();
    const [level, alert] = body as Uint8Array & readonly [number, number];
    if (alert === ALERT.closeNotify) {
      this.#alert(WARNING, ALERT.closeNotify);
      return this.#over({ kind: 'closed', by: 'peer' });
    }
    if (level === FATAL)
      this.#over({ kind: 'failed', error: new DtlsError('alert', `the peer sent alert ${alert}`, alert) });
  }

  /* ---- what the role decides ---- */

  #secure(keys: Readonly<Record<Role, WriteKey>>): void {
    const { role } = this.#options;
    this.#reading.key = keys[role === 'client' ? 'server' : 'client'];
    this.#writing.key = keys[role];
  }

  #finished({ der }: PeerCertificate): void {
    this.#state = 'connected';
    this.#giveUpAt = undefined;
    this.#flight.end(this.#options.role === 'client');
    this.#side = undefined;
    this.#actions.push({ kind: 'connected', certificate: der });
    for (const data of this.#unproven.splice(0)) this.#data(data);
  }

  /* ---- what goes out ---- */

  #sendFlight(): void {
    const datagrams: Uint8Array[][] = [];
    let room = 0;
    const add = (record: Uint8Array): void => {
      if (record.length > room) {
        datagrams.push([]);
        room = this.#mtu;
      }
      datagrams.at(-1)?.push(record);
      room -= record.length;
    };
    for (const part of this.#flight.parts) for (const record of this.#encode(part)) add(record);
    for (const records of datagrams) this.#transmit(Buffer.concat(records));
    this.counters.handshakes += datagrams.length;
  }

  #encode(part: Part): Uint8Array[] {
    if (part === 'change-cipher-spec') return [this.#writing.encode(CONTENT.changeCipherSpec, 0, Uint8Array.of(1))];
    const most = this.#mtu - RECORD_HEADER - (part.epoch === 1 ? SEAL_BYTES : 0);
    return fragmentsOf(part, most).map((piece) => this.#writing.encode(CONTENT.handshake, part.epoch, piece));
  }

  #seal(type: number, body: Uint8Array): void {
    this.#transmit(this.#writing.encode(type, this.#writing.epoch, body));
  }

  #alert(level: number, alert: number): void {
    if (this.#state !== 'new') this.#seal(CONTENT.alert, Uint8Array.of(level, alert));
  }

  #transmit(data: Uint8Array): void {
    this.#actions.push({ kind: 'transmit', data });
  }

  /* ---- the end ---- */

  #drop(): void {
    this.counters.dropped++;
  }

  #isOver(): boolean {
    return this.#state === 'over';
  }

  #fail(error: DtlsError): void {
    this.#alert(FATAL, alertOf(error));
    this.#over({ kind: 'failed', error });
  }

  #over(action: DtlsAction): void {
    this.#state = 'over';
    this.#side = undefined;
    this.#early = [];
    this.#unproven = [];
    this.#giveUpAt = undefined;
    this.#flight.end(true);
    this.#actions.push(action);
  }

  #flush(): DtlsAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }
}

/** Streams over a connection: the association, driven, and what rides on it. It outlives the paths of the connection. */
import { NetError, type Env } from '../../net/env.ts';
import { type Driver, drive } from '../../net/machine.ts';
import { deferred, type Deferred } from '../../net/wait.ts';
import { Association } from '../../sctp/association.ts';
import type { AssociationAction, AssociationEvent } from '../../sctp/association-api.ts';
import { CHUNK } from '../../sctp/chunks.ts';
import { COMMON_HEADER } from '../../sctp/packet.ts';
import type { Connection } from '../connection.ts';
import { Multiplexer } from './multiplexer.ts';
import { halves, Parts } from './parts.ts';
import type { Stream } from './stream.ts';

/** Packets, in bytes, that fit into 1,500 bytes over IPv4 and IPv6, and into what tunnels leave of that. */
const LARGER: readonly number[] = [1280, 1384, 1424, 1444];
/** Before anything was measured; the least, so that a late scheduler is no loss; the most, so that the end of an outage is noticed. */
const RETRANSMISSION = { initialMs: 1_000, leastMs: 50, mostMs: 2_000 } as const;
/** Bytes that wait for a packet that was lost: a gigabit for a tenth of a second. */
const WINDOW = 1 << 24;

type Carrier = Pick<Connection, 'send' | 'onData' | 'onRepair' | 'first'>;

export class Transport {
  readonly #association: Association;
  readonly #driver: Driver<AssociationEvent>;
  readonly #streams: Multiplexer;
  readonly #connection: Carrier;
  readonly #parts = new Parts();
  #number = 0;
  #idle: Deferred<void> | undefined;
  #closed = false;

  /** Both sides have one. `accept`: the other side has opened a stream. */
  constructor(env: Pick<Env, 'clock' | 'random'>, connection: Carrier, accept?: (stream: Stream) => void) {
    this.#connection = connection;
    this.#association = new Association({
      random: env.random,
      start: 'agreed',
      // What carries them tells what is damaged.
      zeroChecksum: true,
      larger: LARGER,
      window: WINDOW,
      // How long an outage may last is the connection's to say.
      patience: Number.POSITIVE_INFINITY,
      retransmission: RETRANSMISSION,
    });
    this.#streams = new Multiplexer({
      first: connection.first,
      send: (stream, ppid, data) => this.#driver.feed({ kind: 'send', message: { stream, ppid, data } }),
      room: () => {
        const { bytes, wanted } = this.#association.buffered;
        return wanted - bytes;
      },
      payload: () => this.#association.payload,
      accept: accept ?? ((stream) => stream.reset()),
    });
    this.#driver = drive(this.#association, env.clock, (action) => this.#perform(action));
    this.#driver.feed({ kind: 'open' });
    connection.onData((data) => this.#heard(data), 'packet');
    connection.onData((part) => {
      const packet = this.#parts.take(part);
      if (packet) this.#heard(packet);
    }, 'part');
    connection.onRepair(() => this.#driver.feed({ kind: 'path' }));
  }

  /** The stream that both sides have from the beginning. */
  main(): Stream {
    return this.#streams.main();
  }

  /** Undefined where too many are open. */
  open(port: number): Stream | undefined {
    return this.#streams.open(port);
  }

  /** Of the path: milliseconds, and bytes a millisecond; undefined until measured. */
  get measured(): { readonly rttMs: number | undefined; readonly bandwidth: number | undefined } {
    return this.#association.measured;
  }

  /** Resolves when the other side has acknowledged everything that was sent, or this is closed. */
  idle(): Promise<void> {
    if (this.#closed || this.#association.idle) return Promise.resolve();
    this.#idle ??= deferred();
    return this.#idle.promise;
  }

  /** The connection is gone, or no longer wanted: every stream breaks. */
  close(reason = 'the connection is closed'): void {
    this.#closed = true;
    this.#streams.fail(new NetError('closed', reason));
    this.#driver.stop();
    this.#idle?.resolve();
  }

  #heard(data: Uint8Array): void {
    this.#driver.feed({ kind: 'packet', data });
    if (!this.#idle || !this.#association.idle) return;
    this.#idle.resolve();
    this.#idle = undefined;
  }

  #perform(action: AssociationAction): void {
    switch (action.kind) {
      case 'transmit':
        return this.#transmit(action.data);
      case 'message':
        return this.#streams.heard(action.stream, action.ppid, action.data);
      case 'drained':
        return this.#streams.pump();
      case 'closed':
        return this.close('the other host broke the protocol');
      default:
    }
  }

  #transmit(packet: Uint8Array): void {
    // A probe shall not pass a path that is too narrow for it.
    if (packet.length <= this.#association.packet || packet[COMMON_HEADER] === CHUNK.heartbeat) {
      this.#connection.send(packet, 'packet');
      return;
    }
    this.#number = (this.#number + 1) & 0xffff;
    for (const half of halves(packet, this.#number)) this.#connection.send(half, 'part');
  }
}

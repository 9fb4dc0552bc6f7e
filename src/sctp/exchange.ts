/** Between two that are established: data both ways, what is told of it, larger packets, and the end of streams. */
import type { AssociationAction, Outgoing } from './association-api.ts';
import { CHUNK, DATA_HEADER, parseShutdown, u32 } from './chunks.ts';
import type { PeerSide, Side } from './handshake.ts';
import type { Outbox } from './outbox.ts';
import { CHUNK_HEADER, COMMON_HEADER, type RawChunk } from './packet.ts';
import type { PathMtu } from './path-mtu.ts';
import type { Message } from './reassembly.ts';
import { Receiver } from './receiver.ts';
import type { RoundTrip } from './round-trip.ts';
import { Sender } from './sender.ts';
import { unwrap32 } from './serial.ts';
import { StreamReset } from './stream-reset.ts';
import type { Timer, Timers } from './timers.ts';

export interface ExchangeOptions {
  readonly ours: Side;
  readonly peer: PeerSide;
  readonly timers: Timers;
  readonly roundTrip: RoundTrip;
  readonly mtu: PathMtu;
  readonly window: number;
  readonly outbox: Outbox;
  readonly act: (action: AssociationAction) => void;
}

/** In one turn, so that what comes in is heard. */
const MOST_PACKETS = 64;
/** Room that an acknowledgement may take in a packet with data. */
const SACK_ROOM = 100;
const HEARTBEAT_INFO = 1;

export class Exchange {
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly #options: ExchangeOptions;
  readonly #reset: StreamReset;
  #sackDue = false;
  #drained = false;

  constructor(options: ExchangeOptions) {
    const { ours, peer, timers, roundTrip, mtu, window, act } = options;
    this.#options = options;
    const sender = new Sender({ timers, roundTrip, packet: mtu.size, tsn: ours.tsn, window: peer.window });
    const receiver = new Receiver({ timers, tsn: peer.tsn, window });
    this.sender = sender;
    this.receiver = receiver;
    this.#reset = new StreamReset(
      {
        waits: (stream) => sender.has(stream),
        lastTsn: () => sender.nextTsn - 1,
        received: () => receiver.cumulative,
        incoming: (streams) => {
          receiver.reset(streams);
          act({ kind: 'reset', side: 'theirs', streams });
        },
        outgoing: (streams) => {
          sender.restart(streams);
          act({ kind: 'reset', side: 'ours', streams });
        },
      },
      ours.tsn,
      peer.tsn,
    );
  }

  /** Bytes of data that one packet carries. */
  get payload(): number {
    return this.#options.mtu.size - COMMON_HEADER - DATA_HEADER;
  }

  send(message: Outgoing, now: number): void {
    this.sender.push(message, now);
  }

  endStreams(streams: readonly number[]): void {
    this.#reset.want(streams);
  }

  /** Packets go another way from now on. */
  pathChanged(now: number): void {
    this.#options.mtu.restart();
    this.sender.pathChanged(now);
    this.#options.timers.set('path-mtu', now);
  }

  /** Throws SctpFormatError. */
  heard(chunk: RawChunk, now: number): void {
    switch (chunk.type) {
      case CHUNK.data:
        return this.#deliver(this.receiver.data(chunk, now));
      case CHUNK.forwardTsn:
        return this.#deliver(this.receiver.forward(chunk, now));
      case CHUNK.sack:
        return this.sender.acknowledge(chunk, now);
      case CHUNK.shutdown:
        return this.sender.acknowledgeAll(unwrap32(parseShutdown(chunk), this.sender.nextTsn), now);
      case CHUNK.heartbeat:
        return this.#options.outbox.tell(CHUNK.heartbeatAck, chunk.value);
      case CHUNK.heartbeatAck: {
        const { value } = chunk;
        if (value.length < 8) return;
        const size = new DataView(value.buffer, value.byteOffset, value.length).getUint32(4);
        return this.#options.mtu.answered(size);
      }
      case CHUNK.reconfig:
        for (const value of this.#reset.heard(chunk.value)) this.#options.outbox.tell(CHUNK.reconfig, value);
        return;
      default:
    }
  }

  /** Sends what may leave now. */
  flush(now: number): void {
    const { outbox, timers, mtu } = this.#options;
    this.#ask(now);
    outbox.flush();
    const { sender, receiver, payload } = this;
    for (let packets = 0; ; packets++) {
      const ready = sender.ready(now);
      if (ready && packets >= MOST_PACKETS) {
        timers.set('pacing', now);
        break;
      }
      const acknowledges = this.#sackDue || (ready && receiver.owes && sender.fits(payload - SACK_ROOM));
      if (!ready && !acknowledges) break;
      const writer = outbox.writer(Math.max(mtu.size, COMMON_HEADER + sender.oversize));
      if (acknowledges) receiver.acknowledge(writer);
      this.#sackDue = false;
      if (ready) sender.fill(writer, payload, now);
      if (!writer.empty) outbox.send(writer);
      else if (!acknowledges) break;
    }
    sender.settled();
    const drained = sender.waiting < sender.wanted / 2;
    if (drained && !this.#drained) this.#options.act({ kind: 'drained' });
    this.#drained = drained;
  }

  due(timer: Timer, now: number): void {
    const { timers, mtu, outbox } = this.#options;
    switch (timer) {
      case 'retransmission':
      case 'reordering':
        this.sender.due(timer, now);
        if (mtu.silent(this.sender.timeouts)) timers.clear('path-mtu');
        return;
      case 'sack':
        this.#sackDue = true;
        return;
      case 'reset': {
        const value = this.#reset.request(true);
        if (value) this.#asked(value, now);
        return;
      }
      case 'path-mtu': {
        const { sizes, again } = mtu.probe(now);
        for (const size of sizes) {
          const writer = outbox.writer(size);
          // RFC 9260 §3.3.5, RFC 4820: what is to be told back, and padding.
          writer.add(CHUNK.heartbeat, 0, u32((HEARTBEAT_INFO << 16) | 8, size));
          writer.add(CHUNK.pad, 0, new Uint8Array(writer.room - CHUNK_HEADER));
          outbox.send(writer);
        }
        if (again !== undefined) timers.set('path-mtu', again);
        return;
      }
      default:
    }
  }

  #deliver(messages: readonly Message[]): void {
    for (const message of messages) this.#options.act({ kind: 'message', ...message });
  }

  /** What is to be asked of the peer before anything else. */
  #ask(now: number): void {
    const { peer, outbox } = this.#options;
    const forward = peer.forwardTsn ? this.sender.forward() : undefined;
    if (forward) outbox.tell(CHUNK.forwardTsn, forward);
    const value = this.#reset.pending ? this.#reset.request(false) : undefined;
    if (value) this.#asked(value, now);
  }

  #asked(value: Uint8Array, now: number): void {
    const { outbox, timers, roundTrip } = this.#options;
    outbox.tell(CHUNK.reconfig, value);
    timers.set('reset', now + roundTrip.timeout());
  }
}

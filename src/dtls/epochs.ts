/** The two states of a connection's records: open, and sealed since both have keys (RFC 6347 §4.1). */
import { ReplayWindow } from '../net/replay-window.ts';
import type { WriteKey } from './prf.ts';
import { encodeRecord, open, type RawRecord, seal } from './record.ts';

/** What the peer seals. */
export class Reading {
  key: WriteKey | undefined;
  readonly #window = new ReplayWindow();

  /** The plain text of a record of epoch 1; undefined where it is not authentic. */
  open(record: RawRecord): Uint8Array | 'replayed' | undefined {
    if (!this.key) return undefined;
    if (!this.#window.isFresh(record.sequence)) return 'replayed';
    const plain = open(this.key, record);
    if (plain) this.#window.remember(record.sequence);
    return plain;
  }
}

/** What we seal. */
export class Writing {
  key: WriteKey | undefined;
  readonly #next: [number, number] = [0, 0];
  #epoch: 0 | 1 = 0;

  /** Of what was written last. */
  get epoch(): 0 | 1 {
    return this.#epoch;
  }

  encode(type: number, epoch: 0 | 1, body: Uint8Array): Uint8Array {
    const record: RawRecord = { type, epoch, sequence: this.#next[epoch]++, body };
    if (epoch === 0 || !this.key) return encodeRecord(record);
    this.#epoch = 1;
    return seal(this.key, record);
  }
}

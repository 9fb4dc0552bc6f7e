/**
 * How much may be under way, and how fast it leaves: by a model of the path, its bandwidth and its shortest round trip,
 * as BBR has it (draft-cardwell-iccrg-bbr-congestion-control-00). Loss alone says nothing of a path with a radio on it,
 * and a queue is not filled to find its end. Beyond the draft: where much more is lost than any radio loses, the model
 * was wrong, and begins anew with what has arrived.
 *
 * Pure: bytes and milliseconds.
 */
import type { RateSample } from './delivery-rate.ts';

type Phase = 'startup' | 'drain' | 'probe-bandwidth' | 'probe-round-trip';

/** 2/ln 2: doubles what is sent each round trip. */
const STARTUP_GAIN = 2.885;
/** One round trip each: more to see whether there is more, less to drain what that has left in a queue. */
const CYCLE = [1.25, 0.75, 1, 1, 1, 1, 1, 1] as const;
const GAINS = { startup: STARTUP_GAIN, drain: 1 / STARTUP_GAIN, 'probe-round-trip': 1 } as const;
const WINDOW_GAIN = 2;
/** Round trips for which a measured bandwidth counts. */
const BANDWIDTH_ROUNDS = 10;
/** For so long the shortest round trip counts; then the queue is emptied to see it again. */
const ROUND_TRIP_MS = 10_000;
const PROBE_MS = 200;
/** Packets, RFC 6928. */
const INITIAL_PACKETS = 10;
const LEAST_PACKETS = 4;
/** The least window leaves within a round trip, or this. */
const LEAST_PACE_MS = 250;
/** Shares of a round's packets: a radio loses less. */
const MUCH = 0.3;
const MUCH_PACKETS = 16;
/** Bytes a millisecond, 1.2 Mbit/s: below, packets go one by one. */
const SLOW = 150;
/** Timers and schedulers are late by so much. */
const QUANTUM_MS = 2;

export class Congestion {
  readonly #packet: number;
  #phase: Phase = 'startup';
  #window: number;
  #round = 0;
  #roundEnds = 0;
  #roundBegan: { readonly at: number; readonly delivered: number } | undefined;
  #roundLost = 0;
  /** Falling, the oldest first: the first is the most of the last rounds. */
  #rates: { round: number; rate: number }[] = [];
  #shortest: { ms: number; at: number } | undefined;
  #full = { rate: 0, rounds: 0, reached: false };
  #cycle = 2;
  #cycleAt = 0;
  #probeUntil: number | undefined;
  #extra: { round: number; bytes: number }[] = [];
  #epoch = { at: 0, bytes: 0 };

  /** `packet`: bytes of a full one. */
  constructor(packet: number) {
    this.#packet = packet;
    this.#window = INITIAL_PACKETS * packet;
  }

  /** Bytes that may be under way. */
  get window(): number {
    const least = LEAST_PACKETS * this.#packet;
    if (this.#phase === 'probe-round-trip') return Math.max(least, Math.min(this.#window, this.#product(0.5)));
    return Math.max(least, this.#window);
  }

  /** Bytes a millisecond; undefined before anything was measured. */
  get pace(): number | undefined {
    const rate = this.#rates[0]?.rate;
    const known = this.#shortest;
    if (rate === undefined) return known && (STARTUP_GAIN * this.#window) / Math.max(known.ms, 1);
    // The least window is not held back: a rate that was measured over a silence would last for ever.
    const least = (LEAST_PACKETS * this.#packet) / Math.max(known?.ms ?? 0, LEAST_PACE_MS);
    return Math.max(rate * this.#gain, least);
  }

  get #gain(): number {
    return this.#phase === 'probe-bandwidth' ? (CYCLE[this.#cycle] as number) : GAINS[this.#phase];
  }

  /** The shortest round trip of late, milliseconds. */
  get shortestMs(): number | undefined {
    return this.#shortest?.ms;
  }

  /** Bytes a millisecond that the path has carried of late. */
  get bandwidth(): number | undefined {
    return this.#rates[0]?.rate;
  }

  roundTrip(ms: number, now: number): void {
    const known = this.#shortest;
    if (!known || ms <= known.ms) {
      this.#shortest = { ms, at: now };
      return;
    }
    if (now - known.at <= ROUND_TRIP_MS) return;
    this.#shortest = { ms, at: now };
    if (this.#phase === 'probe-bandwidth') {
      this.#phase = 'probe-round-trip';
      this.#probeUntil = undefined;
    }
  }

  lost(bytes: number): void {
    this.#roundLost += bytes;
  }

  /** `delivered`: in all; `bytes`: of those, what was acknowledged now; `flying`: what is still under way. */
  acknowledged(
    sample: RateSample | undefined,
    { delivered, bytes, flying }: { readonly delivered: number; readonly bytes: number; readonly flying: number },
    now: number,
  ): void {
    const begins = sample !== undefined && sample.deliveredBefore >= this.#roundEnds;
    if (begins) this.#beginRound(delivered, sample.limited, now);
    if (sample?.rate !== undefined) this.#measured(sample.rate, sample.limited);
    this.#aggregate(bytes, now);
    if (begins && !sample.limited) this.#look();
    this.#move(flying, now);
    this.#grow(bytes, delivered);
  }

  /** Nothing that was sent for several timeouts has arrived, or the path is another one. */
  restart(): void {
    this.#phase = 'startup';
    this.#window = INITIAL_PACKETS * this.#packet;
    this.#rates = [];
    this.#shortest = undefined;
    this.#full = { rate: 0, rounds: 0, reached: false };
    this.#extra = [];
    this.#roundLost = 0;
    this.#roundBegan = undefined;
  }

  #beginRound(delivered: number, limited: boolean, now: number): void {
    const began = this.#roundBegan;
    if (began) {
      const arrived = delivered - began.delivered;
      const much = this.#roundLost > MUCH * (this.#roundLost + arrived);
      if (much && this.#roundLost >= MUCH_PACKETS * this.#packet && now > began.at) {
        this.#full.reached = true;
        if (!limited) this.#rates = [{ round: this.#round, rate: arrived / (now - began.at) }];
        if (this.#phase === 'startup') this.#phase = 'drain';
      }
    }
    this.#round++;
    this.#roundEnds = delivered;
    this.#roundLost = 0;
    this.#roundBegan = { at: now, delivered };
  }

  #measured(rate: number, limited: boolean): void {
    const most = this.#rates[0]?.rate ?? 0;
    // What there was not enough to send for is a lower bound alone.
    if (limited && rate < most) return;
    while (this.#rates.length > 0 && (this.#rates.at(-1)?.rate as number) <= rate) this.#rates.pop();
    this.#rates.push({ round: this.#round, rate });
    while ((this.#rates[0]?.round ?? this.#round) < this.#round - BANDWIDTH_ROUNDS && this.#rates.length > 1)
      this.#rates.shift();
  }

  /** Acknowledgements come in bursts; what a burst brings beyond the bandwidth must be under way beside the rest. */
  #aggregate(bytes: number, now: number): void {
    const rate = this.#rates[0]?.rate ?? 0;
    const expected = rate * (now - this.#epoch.at);
    if (this.#epoch.bytes <= expected) this.#epoch = { at: now, bytes: 0 };
    this.#epoch.bytes += bytes;
    const extra = Math.min(this.#epoch.bytes - rate * (now - this.#epoch.at), this.#window);
    while (this.#extra.length > 0 && (this.#extra.at(-1)?.bytes as number) <= extra) this.#extra.pop();
    this.#extra.push({ round: this.#round, bytes: extra });
    while ((this.#extra[0]?.round ?? this.#round) < this.#round - BANDWIDTH_ROUNDS) this.#extra.shift();
  }

  /** Whether the pipe is full: three rounds without a quarter more. */
  #look(): void {
    if (this.#full.reached) return;
    const rate = this.#rates[0]?.rate ?? 0;
    if (rate >= this.#full.rate * 1.25) {
      this.#full.rate = rate;
      this.#full.rounds = 0;
      return;
    }
    if (++this.#full.rounds >= 3) this.#full.reached = true;
  }

  #move(flying: number, now: number): void {
    switch (this.#phase) {
      case 'startup':
        if (this.#full.reached) this.#phase = 'drain';
        return;
      case 'drain':
        if (flying <= this.#product(1)) this.#probeBandwidth(now);
        return;
      case 'probe-bandwidth': {
        const gain = CYCLE[this.#cycle] as number;
        const long = now - this.#cycleAt > (this.#shortest?.ms ?? 0);
        const over =
          gain > 1
            ? long && (this.#roundLost > 0 || flying >= this.#product(gain))
            : gain < 1
              ? long || flying <= this.#product(1)
              : long;
        if (!over) return;
        this.#cycle = (this.#cycle + 1) % CYCLE.length;
        this.#cycleAt = now;
        return;
      }
      case 'probe-round-trip':
        if (this.#probeUntil === undefined) {
          if (flying <= this.window) this.#probeUntil = now + PROBE_MS;
        } else if (now >= this.#probeUntil) this.#probeBandwidth(now);
    }
  }

  #probeBandwidth(now: number): void {
    this.#phase = 'probe-bandwidth';
    this.#cycle = 2;
    this.#cycleAt = now;
  }

  #grow(bytes: number, delivered: number): void {
    const gain = this.#full.reached ? WINDOW_GAIN : STARTUP_GAIN;
    const rate = this.#rates[0]?.rate ?? 0;
    const quantum = Math.max(rate < SLOW ? this.#packet : 2 * this.#packet, rate * QUANTUM_MS);
    const target = this.#product(gain) + 3 * quantum + (this.#full.reached ? (this.#extra[0]?.bytes ?? 0) : 0);
    if (this.#full.reached) this.#window = Math.min(this.#window + bytes, target);
    else if (this.#window < target || delivered < INITIAL_PACKETS * this.#packet) this.#window += bytes;
  }

  /** Of bandwidth and round trip: what fills the path and no queue. */
  #product(gain: number): number {
    const rate = this.#rates[0]?.rate;
    if (rate === undefined || !this.#shortest) return gain * INITIAL_PACKETS * this.#packet;
    return gain * rate * this.#shortest.ms;
  }
}

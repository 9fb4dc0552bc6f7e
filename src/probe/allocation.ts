/** How a NAT picks the public port of a new mapping (RFC 4787 §4.2), from the order of the flows that we opened. Pure. */
import type { Endpoint } from '../net/address.ts';

export type AllocationPattern = 'preserving' | 'sequential' | 'random' | 'block' | 'unknown';

export interface PortAllocation {
  readonly pattern: AllocationPattern;
  /** Ports from one new mapping to the next; negative when the NAT counts down. Only for `sequential`. */
  readonly step?: number;
  /** First and last port of the estimated block. Only for `block`. */
  readonly range?: readonly [from: number, to: number];
}

/** A new mapping: which local port asked, what it was given. In the order in which the flows were opened. */
export interface AllocationSample {
  readonly localPort: number;
  readonly mapped: Endpoint;
}

/** Below this many mappings chance looks like a pattern. */
const FEWEST = 5;
/** Eight random ports lie within such a span with a chance of 2.5e-10. */
const WIDEST_BLOCK = 2048;

/**
 * `first` holds each socket's first mapping, `all` every mapping. Preservation is judged on the first ones alone: a NAT that
 * preserves ports but maps by destination has to fall back for the second destination.
 */
export function classifyAllocation(first: readonly AllocationSample[], all: readonly AllocationSample[] = first): PortAllocation {
  const preserved = first.filter((each) => each.mapped.port === each.localPort).length;
  // A collision with another host's port makes an exception; three matches by chance are 1 in 2⁴⁷.
  if (preserved >= 3 && preserved * 2 > first.length) return { pattern: 'preserving' };
  const pools = groupByAddress(all);
  const ports = [...pools.values()].sort((a, b) => b.length - a.length)[0] ?? [];
  if (ports.length < FEWEST) return { pattern: 'unknown' };
  const step = sequentialStep(ports);
  if (step !== undefined) return { pattern: 'sequential', step };
  const range = blockOf(ports);
  return range ? { pattern: 'block', range } : { pattern: 'random' };
}

/** Ports by public address: with pooling each address counts for itself. A port that returns (one mapping, seen twice) counts once. */
function groupByAddress(samples: readonly AllocationSample[]): Map<string, number[]> {
  const pools = new Map<string, number[]>();
  for (const { mapped } of samples) {
    const ports = pools.get(mapped.address) ?? [];
    if (!ports.includes(mapped.port)) ports.push(mapped.port);
    pools.set(mapped.address, ports);
  }
  return pools;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/**
 * The step of a counter, or undefined. A counter fills a dense run whatever the order of arrival; where other hosts'
 * flows lie between ours the run is looser, and then it must also be monotone.
 */
function sequentialStep(ports: readonly number[]): number | undefined {
  const { sorted, wrapped } = unwrap(ports);
  const gaps = sorted.slice(1).map((port, i) => port - (sorted[i] as number));
  const unit = gaps.reduce(gcd);
  const span = (sorted[sorted.length - 1] as number) - (sorted[0] as number);
  const deltas = ports.slice(1).map((port, i) => wrapped(port) - wrapped(ports[i] as number));
  const rising = deltas.filter((delta) => delta > 0).length;
  const steady = Math.max(rising, deltas.length - rising) / deltas.length;
  const sign = rising * 2 >= deltas.length ? 1 : -1;
  const dense = span / unit <= ports.length + 3 && span <= 64 * ports.length;
  const loose = steady >= 0.75 && span / unit <= 4 * ports.length + 16;
  const crowded = steady >= 0.95 && ports.length >= 8 && span <= WIDEST_BLOCK;
  if (!dense && !loose && !crowded) return undefined;
  return sign * mode(dense || loose ? gaps : deltas.map(Math.abs));
}

/** Ports laid out on a line cut at the widest gap of the circle 0…65535, so that a counter that wrapped round stays one run. */
function unwrap(ports: readonly number[]): { sorted: number[]; wrapped: (port: number) => number } {
  const sorted = [...ports].sort((a, b) => a - b);
  const low = sorted[0] as number;
  const high = sorted[sorted.length - 1] as number;
  let cut = 0;
  let widest = 0;
  sorted.slice(1).forEach((port, i) => {
    const gap = port - (sorted[i] as number);
    if (gap > widest) [widest, cut] = [gap, port];
  });
  // NATs count within a range such as 1024–65535: a counter wraps only from near its top to near its bottom.
  const wraps = high > 60_000 && low < 6_000 && widest > 32_768;
  // Past the wrap, ports go on above the top that was seen; the size of the unused range below does not matter.
  const wrapped = (port: number) => (wraps && port < cut ? port + 65_536 - 1024 : port);
  return { sorted: sorted.map(wrapped).sort((a, b) => a - b), wrapped };
}

function mode(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0] ?? 0;
}

/** The aligned block that the ports lie in: the unbiased estimate of its size, span·(n+1)/(n−1), snapped to the next power of two that holds them all. */
function blockOf(ports: readonly number[]): readonly [number, number] | undefined {
  if (ports.length < 8) return undefined;
  const low = Math.min(...ports);
  const high = Math.max(...ports);
  const span = high - low;
  if (span > WIDEST_BLOCK) return undefined;
  const estimate = (span * (ports.length + 1)) / (ports.length - 1);
  for (let size = 16; size <= 2 * WIDEST_BLOCK; size *= 2) {
    const start = low - (low % size);
    if (size >= estimate * 0.8 && high < start + size) return [start, start + size - 1];
  }
  const slack = Math.round((estimate - span) / 2);
  return [Math.max(1, low - slack), Math.min(65_535, high + slack)];
}

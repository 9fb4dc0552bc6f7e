/** How a NAT picks the public port of a new mapping (RFC 4787 §4.2), from the order of the flows that we opened. Pure. */
import type { Endpoint } from '../net/address.ts';

export type AllocationPattern = 'preserving' | 'sequential' | 'random' | 'block' | 'unknown';

export interface PortAllocation {
  readonly pattern: AllocationPattern;
  /** Ports from one new mapping to the next; negative when the NAT counts down. Only for `sequential`. */
  readonly step?: number;
  /** There is a counter for each destination, so that what one server sees does not tell the port towards a peer. Only for `sequential`. */
  readonly perDestination?: true;
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
/** Carriers give out blocks of 64 to some thousands of ports (RFC 7422); what spans more is no block. */
const LARGEST_BLOCK = 8192;
/** The chance we accept that random ports pass for a block. */
const ACCEPTED = 1e-7;
const MOST_PORT = 65_535;
const LEAST_PORT = 1024;

/** The span that `n` random ports stay within with a chance of {@link ACCEPTED}: n·w^(n−1) for a share w of all ports. */
const widestBlock = (n: number): number =>
  Math.min(LARGEST_BLOCK, (MOST_PORT - LEAST_PORT) * (ACCEPTED / n) ** (1 / (n - 1)));

/**
 * Preservation is judged on each local port's first mapping alone: a NAT that preserves ports but maps by destination has to
 * fall back for the second destination.
 */
export function classifyAllocation(all: readonly AllocationSample[]): PortAllocation {
  const first = all.filter(({ localPort }, i) => all.findIndex((each) => each.localPort === localPort) === i);
  const preserved = first.filter((each) => each.mapped.port === each.localPort).length;
  // A collision with another host's port makes an exception; three matches by chance are 1 in 2⁴⁷.
  if (preserved >= 3 && preserved * 2 > first.length) return { pattern: 'preserving' };
  const pools = groupByAddress(all);
  const ports = [...pools.values()].sort((a, b) => b.length - a.length)[0] ?? [];
  if (ports.length < FEWEST) return { pattern: 'unknown' };
  const step = sequentialStep(ports);
  // Where flows to further servers took the next ports of a NAT that preserves, it looks like a counter that began at our own port.
  const nearOwn = all.every(({ localPort, mapped }) => Math.abs(mapped.port - localPort) <= 4 * all.length);
  if (step !== undefined) return preserved > 0 && nearOwn ? { pattern: 'unknown' } : { pattern: 'sequential', step };
  const towardsOne = [...groupByAddress(first).values()].sort((a, b) => b.length - a.length)[0] ?? [];
  const stepTowardsOne =
    towardsOne.length < FEWEST || first.length === all.length ? undefined : sequentialStep(towardsOne);
  if (stepTowardsOne !== undefined) return { pattern: 'sequential', step: stepTowardsOne, perDestination: true };
  const span = Math.max(...ports) - Math.min(...ports);
  if (span <= widestBlock(ports.length)) return { pattern: 'block', range: blockOf(ports, span) };
  return { pattern: span > LARGEST_BLOCK ? 'random' : 'unknown' };
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
 * flows lie between ours the run is looser, and then it must also be monotone. One that wrapped round its range shows as two runs.
 */
function sequentialStep(ports: readonly number[]): number | undefined {
  return stepOf(ports, 0) ?? stepOf(joined(ports), 0.9);
}

function stepOf(line: readonly number[], leastSteady: number): number | undefined {
  const { gaps, sorted } = spread(line);
  const unit = gaps.reduce(gcd, 0);
  const span = (sorted[sorted.length - 1] as number) - (sorted[0] as number);
  const rising = line.slice(1).filter((port, i) => port > (line[i] as number)).length;
  const steady = Math.max(rising, line.length - 1 - rising) / (line.length - 1);
  const dense = span / unit <= line.length + 3 && span <= 64 * line.length;
  const loose = steady >= 0.75 && span / unit <= 4 * line.length + 16;
  const crowded = steady >= 0.95 && line.length >= 8 && span <= LARGEST_BLOCK / 4;
  if (steady < leastSteady || !(dense || loose || crowded)) return undefined;
  return rising * 2 >= line.length - 1 ? unit : -unit;
}

function spread(ports: readonly number[]): { sorted: readonly number[]; gaps: readonly number[] } {
  const sorted = [...ports].sort((a, b) => a - b);
  return { sorted, gaps: sorted.slice(1).map((port, i) => port - (sorted[i] as number)) };
}

/** The ports as if the range of the counter, whatever it is, had no end: the lower run goes on a step above the upper one. */
function joined(ports: readonly number[]): readonly number[] {
  const { sorted, gaps } = spread(ports);
  const widest = gaps.indexOf(Math.max(...gaps));
  const unit = gaps.filter((_, i) => i !== widest).reduce(gcd, 0);
  const cut = sorted[widest + 1] as number;
  const lift = (sorted[sorted.length - 1] as number) + unit - (sorted[0] as number);
  return ports.map((port) => (port < cut ? port + lift : port));
}

/** The aligned block that the ports lie in: the unbiased estimate of its size, span·(n+1)/(n−1), snapped to the next power of two that holds them all. */
function blockOf(ports: readonly number[], span: number): readonly [number, number] {
  const low = Math.min(...ports);
  const high = Math.max(...ports);
  const estimate = (span * (ports.length + 1)) / (ports.length - 1);
  for (let size = 16; size <= LARGEST_BLOCK; size *= 2) {
    const start = low - (low % size);
    if (size > 2 * estimate) break; // no block that is aligned, then
    if (size >= estimate * 0.8 && high < start + size) return [start, start + size - 1];
  }
  const slack = Math.round((estimate - span) / 2);
  return [Math.max(1, low - slack), Math.min(MOST_PORT, high + slack)];
}

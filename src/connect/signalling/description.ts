/** What a peer tells of itself through the signalling, sealed: candidates, its NAT, and the ports it aims at. Always the whole state. */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import { toMicroseconds } from '../../net/round.ts';
import { parseEndpoint } from '../../net/host-port.ts';
import type { AllocationPattern, PortAllocation } from '../../nat/allocation.ts';
import { MOST_PAYLOAD } from '../../rendezvous/protocol.ts';
import { ENVELOPE_OVERHEAD } from '../channel/envelope.ts';
import { formatParty, type Party, readParty } from '../kept/party.ts';
import { SHARE_BYTES } from '../channel/key-exchange.ts';
import type { Profile } from '../../nat/profile.ts';

/** Public ports that a side's next mapping will have, likely: `from`, `from + step`, … */
export interface Aim {
  /** Grows with each new attempt. */
  readonly round: number;
  readonly address: string;
  readonly from: number;
  readonly step: number;
  readonly count: number;
}

/** Ports of one side that have sent to nobody but the server, for one instant. */
export interface Fresh {
  /** Grows with each attempt. */
  readonly round: number;
  /** When their first packet leaves, by the clock of the side that says so; the next ones each a little later. Undefined: the other side says. */
  readonly at: number | undefined;
  readonly address: string;
  readonly ports: readonly number[];
}

export interface Description {
  /** Of the main socket, on its own interfaces. */
  readonly hosts: readonly Endpoint[];
  /** Our public half of the exchange, 32 bytes; not where the keys come of another one. */
  readonly share?: Uint8Array | undefined;
  /** Of the main socket, as STUN servers saw it. */
  readonly reflexive: readonly Endpoint[];
  /** Of the socket of the other family, where that is translated. */
  readonly beside?: Endpoint | undefined;
  /** Of the socket whose first packets die on the way. */
  readonly late: Endpoint | undefined;
  /** Of the main socket: a port that its router keeps open, whoever comes; `asked`: the router may still answer. */
  readonly mapped?: Endpoint | 'asked' | undefined;
  /** Once it is measured. */
  readonly profile: Profile | undefined;
  readonly aim: Aim | undefined;
  readonly fresh?: Fresh | undefined;
  readonly clocks?: ClockReading | undefined;
  /** Relayed addresses of its own; `refused`: it takes no relayed path, whoever relays. */
  readonly relayed?: readonly Endpoint[] | 'refused' | undefined;
  /** UDP does not pass its network. */
  readonly blocked?: boolean | undefined;
  /** Who it is in a pairing that lasts. */
  readonly party?: Party | undefined;
}

/** Of the side that tells it, milliseconds. */
export interface ClockReading {
  /** Its clock when it told this. */
  readonly now: number;
  /** The least that its clock was ahead of the reader's in what it heard of it, the time on the way included; undefined before it heard. */
  readonly least: number | undefined;
}

/** 2: with a share of the exchange that the keys of the data follow from. */
const VERSION = 2;
const MOST_HOSTS = 8;
/** One of each family, and of a second relay. */
const MOST_RELAYED = 4;
const MOST_AIMED = 64;
/** Ports of one instant. */
export const MOST_FRESH = 8;
/** A year. */
const MOST_MS = 3.2e10;

const DEPENDENCES = {
  ei: 'endpoint-independent',
  ad: 'address-dependent',
  apd: 'address-and-port-dependent',
  none: 'none',
  unknown: 'unknown',
} as const;
const PATTERNS: readonly AllocationPattern[] = ['preserving', 'sequential', 'random', 'block', 'unknown'];
type Short = keyof typeof DEPENDENCES;
const short = (word: string): string => Object.entries(DEPENDENCES).find(([, long]) => long === word)?.[0] ?? 'unknown';

/** Addresses of its own beyond the first are left out where they do not fit. */
export function encodeDescription(description: Description): Uint8Array {
  for (let hosts = MOST_HOSTS; hosts > 0; hosts--) {
    const bytes = encoded({ ...description, hosts: description.hosts.slice(0, hosts) });
    if (bytes.length + ENVELOPE_OVERHEAD <= MOST_PAYLOAD) return bytes;
  }
  throw new RangeError('a description does not fit');
}

function encoded({
  hosts,
  share,
  reflexive,
  beside,
  late,
  mapped,
  profile,
  aim,
  fresh,
  clocks,
  relayed,
  blocked,
  party,
}: Description): Uint8Array {
  const { allocation } = profile ?? {};
  const open = openPort(mapped);
  return new TextEncoder().encode(
    JSON.stringify({
      v: VERSION,
      ...(share && { k: Buffer.from(share).toString('base64url') }),
      h: hosts.map(formatEndpoint),
      // To those who know of no such ports, it is one more public side.
      r: (open ? [...reflexive.slice(0, 1), open] : reflexive.slice(0, 2)).map(formatEndpoint),
      ...(mapped && { u: open ? 1 : 0 }),
      ...(beside && { x: formatEndpoint(beside) }),
      ...(late && { l: formatEndpoint(late) }),
      ...(relayed && { y: relayed === 'refused' ? false : relayed.slice(0, MOST_RELAYED).map(formatEndpoint) }),
      ...(blocked && { b: true }),
      ...(party && { w: formatParty(party) }),
      ...(profile && {
        m: short(profile.mapping),
        f: short(profile.filtering),
        p: [allocation?.pattern, allocation?.step ?? 0, ...(allocation?.range ?? [])],
        c: profile.complete,
      }),
      ...(clocks && {
        t: [toMicroseconds(clocks.now), ...(clocks.least === undefined ? [] : [toMicroseconds(clocks.least)])],
      }),
      // Ports that are met at one instant need no aim.
      ...(fresh && {
        n: [
          fresh.round,
          fresh.at === undefined ? null : toMicroseconds(fresh.at),
          fresh.address,
          ...fresh.ports.slice(0, MOST_FRESH),
        ],
      }),
      ...(aim && !fresh && { a: [aim.round, aim.address, aim.from, aim.step, aim.count] }),
    }),
  );
}

/** Where it is open. */
export const openPort = (mapped: Description['mapped']): Endpoint | undefined =>
  mapped === 'asked' ? undefined : mapped;

function recordIn(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Written by a nat-tool of another version. */
export const isOfOtherVersion = (bytes: Uint8Array): boolean => {
  const version = recordIn(bytes)?.['v'];
  return isWhole(version, 1, 99) && version !== VERSION;
};

/** Undefined for anything that {@link encodeDescription} did not write. */
export function decodeDescription(bytes: Uint8Array): Description | undefined {
  const value = recordIn(bytes);
  if (value?.['v'] !== VERSION) return undefined;
  const hosts = endpoints(value['h'], MOST_HOSTS);
  const outside = endpoints(value['r'], 2);
  if (!hosts || !outside) return undefined;
  const open = value['u'] === 1 ? outside.at(-1) : undefined;
  return {
    hosts,
    share: readShare(value['k']),
    reflexive: open ? outside.slice(0, -1) : outside,
    beside: typeof value['x'] === 'string' ? usable(value['x']) : undefined,
    late: typeof value['l'] === 'string' ? usable(value['l']) : undefined,
    mapped: open ?? (value['u'] === 0 ? 'asked' : undefined),
    profile: readProfile(value),
    aim: readAim(value['a']),
    fresh: readFresh(value['n']),
    clocks: readClocks(value['t']),
    relayed: value['y'] === false ? 'refused' : endpoints(value['y'], MOST_RELAYED),
    blocked: value['b'] === true || undefined,
    party: readParty(value['w']),
  };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An address that packets may be sent to. */
function usable(text: string): Endpoint | undefined {
  const endpoint = parseEndpoint(text);
  return endpoint && endpoint.port > 0 ? endpoint : undefined;
}

function endpoints(value: unknown, most: number): Endpoint[] | undefined {
  if (!Array.isArray(value) || value.length > most) return undefined;
  const all = value
    .map((each) => (typeof each === 'string' ? usable(each) : undefined))
    .filter((each) => each !== undefined);
  return all.length === value.length ? all : undefined;
}

function readShare(value: unknown): Uint8Array | undefined {
  const share = typeof value === 'string' && value.length === 43 ? Buffer.from(value, 'base64url') : undefined;
  return share?.length === SHARE_BYTES ? new Uint8Array(share) : undefined;
}

function readProfile({ m, f, p, c }: Readonly<Record<string, unknown>>): Profile | undefined {
  if (
    typeof m !== 'string' ||
    typeof f !== 'string' ||
    !Object.hasOwn(DEPENDENCES, m) ||
    !Object.hasOwn(DEPENDENCES, f) ||
    f === 'none'
  )
    return undefined;
  const allocation = readAllocation(p);
  return (
    allocation && {
      mapping: DEPENDENCES[m as Short],
      filtering: DEPENDENCES[f as Exclude<Short, 'none'>],
      allocation,
      complete: c === true,
    }
  );
}

function readAllocation(value: unknown): PortAllocation | undefined {
  if (!Array.isArray(value)) return undefined;
  const [pattern, step, low, high] = value as unknown[];
  const known = PATTERNS.find((each) => each === pattern);
  if (!known) return undefined;
  if (known === 'sequential') return isWhole(step, -4096, 4096) && step !== 0 ? { pattern: known, step } : undefined;
  if (known === 'block')
    return isWhole(low, 1, 65_535) && isWhole(high, low, 65_535) ? { pattern: known, range: [low, high] } : undefined;
  return { pattern: known };
}

/** A step of minus zero, which JSON knows, is none. */
function readAim(value: unknown): Aim | undefined {
  if (!Array.isArray(value)) return undefined;
  const [round, address, from, step, count] = value as unknown[];
  if (
    !isWhole(round, 1, 1000) ||
    typeof address !== 'string' ||
    !isWhole(from, 1, 65_535) ||
    !isWhole(step, -4096, 4096) ||
    !isWhole(count, 1, MOST_AIMED)
  )
    return undefined;
  return usable(formatEndpoint({ address, port: from })) && { round, address, from, step: step || 0, count };
}

function readFresh(value: unknown): Fresh | undefined {
  if (!Array.isArray(value)) return undefined;
  const [round, at, address, ...ports] = value as unknown[];
  const isPort = (port: unknown): port is number => isWhole(port, 1, 65_535);
  if (!isWhole(round, 1, 1000) || !(at === null || isTime(at)) || typeof address !== 'string') return undefined;
  if (ports.length > MOST_FRESH || !ports.every(isPort) || !usable(formatEndpoint({ address, port: 1 })))
    return undefined;
  return { round, at: at ?? undefined, address, ports };
}

function readClocks(value: unknown): ClockReading | undefined {
  if (!Array.isArray(value)) return undefined;
  const [now, least] = value as unknown[];
  return isTime(now) && (least === undefined || isTime(least)) ? { now, least } : undefined;
}

const isTime = (value: unknown): value is number => typeof value === 'number' && Math.abs(value) <= MOST_MS;

const isWhole = (value: unknown, least: number, most: number): value is number =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;

/** The ports of an aim, wrapped into 1024–65535 as NATs do. */
export function portsOf({ from, step, count }: Aim): number[] {
  return [...new Set(Array.from({ length: count }, (_, i) => wrapPort(from + i * step)))];
}

export const wrapPort = (port: number): number => 1024 + ((((port - 1024) % 64_512) + 64_512) % 64_512);

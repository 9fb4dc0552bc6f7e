/**
 * A description for a token that people paste: binary, as short as may be. It holds what does not change any more once it is pasted; ports that are
 * aimed at and clocks need news. Pure.
 */
import { addressBytes, type Endpoint, formatAddress } from '../../net/address.ts';
import type { AllocationPattern } from '../../nat/allocation.ts';
import type { Profile } from '../../nat/profile.ts';
import { Reader } from '../../rendezvous/protocol.ts';
import { type Description, openPort } from './description.ts';

/** As many as one byte has bits. */
const MOST_ENDPOINTS = 8;
const MAPPINGS: readonly Profile['mapping'][] = [
  'unknown',
  'none',
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
];
const FILTERS: readonly Profile['filtering'][] = [
  'unknown',
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
];
const PATTERNS: readonly AllocationPattern[] = ['unknown', 'preserving', 'sequential', 'random', 'block'];
const HAS = { profile: 1, late: 2, beside: 4, open: 8, asked: 16, refused: 32, blocked: 64, relayed: 128 } as const;

/** Addresses of its own are left out from the last one on, until it is no longer than `most` bytes; the first one and all that is public stay. */
export function packDescription(description: Description, most: number): Uint8Array {
  for (let hosts = MOST_ENDPOINTS; ; hosts--) {
    const bytes = packed({ ...description, hosts: description.hosts.slice(0, hosts) });
    if (bytes.length <= most || hosts <= 1) return bytes;
  }
}

function packed({ hosts, reflexive, beside, late, mapped, profile, relayed, blocked }: Description): Uint8Array {
  const open = openPort(mapped);
  const flags =
    (profile ? HAS.profile : 0) |
    (late ? HAS.late : 0) |
    (beside ? HAS.beside : 0) |
    (open ? HAS.open : 0) |
    (mapped === 'asked' ? HAS.asked : 0) |
    (relayed === 'refused' ? HAS.refused : 0) |
    (blocked ? HAS.blocked : 0) |
    (Array.isArray(relayed) ? HAS.relayed : 0);
  const single = [late, beside, open].filter((each) => each !== undefined);
  return Uint8Array.from([
    flags,
    ...list(hosts),
    ...list(reflexive),
    ...list(single),
    ...(Array.isArray(relayed) ? list(relayed) : []),
    ...(profile ? nat(profile) : []),
  ]);
}

/** How many, which of them are IPv6, and each as address and port. */
function list(endpoints: readonly Endpoint[]): number[] {
  const each = endpoints.slice(0, MOST_ENDPOINTS).map(({ address, port }) => {
    const bytes = addressBytes(address) ?? new Uint8Array(4);
    return { six: bytes.length === 16, bytes: [...bytes, port >> 8, port & 255] };
  });
  if (each.length === 0) return [0];
  return [
    each.length,
    each.reduce((mask, { six }, i) => mask | (six ? 1 << i : 0), 0),
    ...each.flatMap(({ bytes }) => bytes),
  ];
}

function nat({ mapping, filtering, allocation, complete }: Profile): number[] {
  const { pattern, step = 0, range = [0, 0] } = allocation;
  return [
    MAPPINGS.indexOf(mapping) | (FILTERS.indexOf(filtering) << 3) | (complete ? 32 : 0),
    PATTERNS.indexOf(pattern),
    ...(pattern === 'sequential' ? [(step >> 8) & 255, step & 255] : []),
    ...(pattern === 'block' ? range.flatMap((port) => [port >> 8, port & 255]) : []),
  ];
}

/** Undefined for anything that {@link packDescription} did not write. */
export function unpackDescription(bytes: Uint8Array): Description | undefined {
  const reader = new Reader(bytes, 0);
  const flags = reader.u8();
  const has = (what: keyof typeof HAS): boolean => (flags & HAS[what]) !== 0;
  const [hosts, reflexive, single] = [endpoints(reader), endpoints(reader), endpoints(reader)];
  const relayed = has('relayed') ? endpoints(reader) : undefined;
  const profile = has('profile') ? profileIn(reader) : undefined;
  const one = (what: 'late' | 'beside' | 'open'): Endpoint | undefined => (has(what) ? single.shift() : undefined);
  const count = (['late', 'beside', 'open'] as const).filter(has).length;
  if (reader.failed || !reader.atEnd || single.length !== count || (has('profile') && !profile)) return undefined;
  const [late, beside, open] = [one('late'), one('beside'), one('open')];
  return {
    hosts,
    reflexive,
    late,
    beside,
    mapped: open ?? (has('asked') ? 'asked' : undefined),
    profile,
    aim: undefined,
    relayed: has('refused') ? 'refused' : relayed,
    blocked: has('blocked') || undefined,
  };
}

/** Marks the reader as failed where there is one that nobody can be sent to. */
function endpoints(reader: Reader): Endpoint[] {
  const count = reader.u8();
  if (count > MOST_ENDPOINTS) reader.failed = true;
  const mask = count > 0 ? reader.u8() : 0;
  const found: Endpoint[] = [];
  for (let i = 0; i < count && !reader.failed; i++) {
    const address = reader.bytes(mask & (1 << i) ? 16 : 4);
    const port = reader.u16();
    if (port === 0) reader.failed = true;
    if (!reader.failed) found.push({ address: formatAddress(address), port });
  }
  return found;
}

function profileIn(reader: Reader): Profile | undefined {
  const bits = reader.u8();
  const [mapping, filtering] = [MAPPINGS[bits & 7], FILTERS[(bits >> 3) & 3]];
  const pattern = PATTERNS[reader.u8()];
  if (!mapping || !filtering || !pattern || bits >= 64) return undefined;
  const rest = { mapping, filtering, complete: (bits & 32) !== 0 };
  if (pattern === 'sequential') {
    const step = (reader.u16() << 16) >> 16;
    return step === 0 || Math.abs(step) > 4096 ? undefined : { ...rest, allocation: { pattern, step } };
  }
  if (pattern === 'block') {
    const [low, high] = [reader.u16(), reader.u16()];
    return low === 0 || high < low ? undefined : { ...rest, allocation: { pattern, range: [low, high] } };
  }
  return { ...rest, allocation: { pattern } };
}

/** Messages of the NAT Port Mapping Protocol (RFC 6886), both directions. Pure. */
import { addressBytes, formatAddress } from '../net/address.ts';
import type { Transport } from './pcp.ts';

const VERSION = 0;
const RESPONSE = 0x80;
const OPCODES = { udp: 1, tcp: 2 } as const satisfies Record<Transport, number>;

/** RFC 6886 §3.5. */
export const NAT_PMP_RESULTS = {
  SUCCESS: 0,
  UNSUPPORTED_VERSION: 1,
  NOT_AUTHORIZED: 2,
  NETWORK_FAILURE: 3,
  OUT_OF_RESOURCES: 4,
  UNSUPPORTED_OPCODE: 5,
} as const;

export interface NatPmpMapping {
  readonly transport: Transport;
  readonly internalPort: number;
  /** Suggested in a request (0: no wish), given in a response. */
  readonly externalPort: number;
  /** Seconds; in a request 0 deletes. */
  readonly lifetimeS: number;
}

/** A request for the external address has no mapping. */
export type NatPmpRequest = { readonly map?: NatPmpMapping | undefined };

export interface NatPmpResponse {
  /** What it answers: `address`, or a mapping of this transport. */
  readonly to: 'address' | Transport;
  /** {@link NAT_PMP_RESULTS}. */
  readonly result: number;
  /** Seconds since the router last lost its mappings. */
  readonly epoch: number;
  /** Of a success. */
  readonly address?: string | undefined;
  /** Of a success. */
  readonly map?: NatPmpMapping | undefined;
}

export function encodeNatPmpRequest({ map }: NatPmpRequest): Uint8Array {
  if (!map) return Uint8Array.of(VERSION, 0);
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  bytes.set([VERSION, OPCODES[map.transport]]);
  view.setUint16(4, map.internalPort);
  view.setUint16(6, map.externalPort);
  view.setUint32(8, map.lifetimeS);
  return bytes;
}

export function encodeNatPmpResponse({ to, result, epoch, address, map }: NatPmpResponse): Uint8Array {
  const bytes = new Uint8Array(to === 'address' ? 12 : 16);
  const view = new DataView(bytes.buffer);
  bytes.set([VERSION, RESPONSE | (to === 'address' ? 0 : OPCODES[to])]);
  view.setUint16(2, result);
  view.setUint32(4, epoch);
  if (to === 'address' && address !== undefined) bytes.set(addressBytes(address) ?? [], 8);
  if (map) {
    view.setUint16(8, map.internalPort);
    view.setUint16(10, map.externalPort);
    view.setUint32(12, map.lifetimeS);
  }
  return bytes;
}

/** Undefined for whatever is no response of this version. An error may be as short as its result and epoch. */
export function decodeNatPmpResponse(bytes: Uint8Array): NatPmpResponse | undefined {
  if (bytes.length < 8 || bytes[0] !== VERSION) return undefined;
  const to = toOf((bytes[1] as number) ^ RESPONSE);
  if (to === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [result, epoch] = [view.getUint16(2), view.getUint32(4)];
  if (result !== NAT_PMP_RESULTS.SUCCESS) return { to, result, epoch };
  if (to === 'address')
    return bytes.length < 12 ? undefined : { to, result, epoch, address: formatAddress(bytes.subarray(8, 12)) };
  if (bytes.length < 16) return undefined;
  const map = {
    transport: to,
    internalPort: view.getUint16(8),
    externalPort: view.getUint16(10),
    lifetimeS: view.getUint32(12),
  };
  return { to, result, epoch, map };
}

/** Undefined for whatever is no request of this version. */
export function decodeNatPmpRequest(bytes: Uint8Array): NatPmpRequest | undefined {
  const to = bytes.length >= 2 && bytes[0] === VERSION ? toOf(bytes[1] as number) : undefined;
  if (to === undefined) return undefined;
  if (to === 'address') return {};
  if (bytes.length < 12) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [internalPort, externalPort, lifetimeS] = [view.getUint16(4), view.getUint16(6), view.getUint32(8)];
  return { map: { transport: to, internalPort, externalPort, lifetimeS } };
}

const toOf = (opcode: number): 'address' | Transport | undefined =>
  opcode === 0 ? 'address' : opcode === OPCODES.udp ? 'udp' : opcode === OPCODES.tcp ? 'tcp' : undefined;

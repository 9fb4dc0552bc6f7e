/** Messages of the Port Control Protocol (RFC 6887), both directions. Pure. */
import { addressBytes, formatAddress, unmapped } from '../net/address.ts';

/** Of the router, for PCP and NAT-PMP alike (RFC 6887 §19.1). */
export const PORT_CONTROL_PORT = 5351;
const VERSION = 2;
const RESPONSE = 0x80;
export const PCP_OPCODES = { announce: 0, map: 1, peer: 2 } as const;
const [HEADER, MAP_BYTES, PEER_BYTES] = [24, 36, 56];
export const PCP_NONCE_BYTES = 12;
/** RFC 6887 §7: a message is no longer, and a multiple of four. */
const MOST_BYTES = 1100;

/** IANA protocol numbers. */
export const IP_PROTOCOLS = { tcp: 6, udp: 17 } as const;
export type Transport = keyof typeof IP_PROTOCOLS;

/** RFC 6887 §7.4. */
export const PCP_RESULTS = {
  SUCCESS: 0,
  UNSUPP_VERSION: 1,
  NOT_AUTHORIZED: 2,
  MALFORMED_REQUEST: 3,
  UNSUPP_OPCODE: 4,
  UNSUPP_OPTION: 5,
  MALFORMED_OPTION: 6,
  NETWORK_FAILURE: 7,
  NO_RESOURCES: 8,
  UNSUPP_PROTOCOL: 9,
  USER_EX_QUOTA: 10,
  CANNOT_PROVIDE_EXTERNAL: 11,
  ADDRESS_MISMATCH: 12,
  EXCESSIVE_REMOTE_PEERS: 13,
} as const;

/** The body of MAP (§11.1). In a response the external side is the assigned one. */
export interface PcpMap {
  /** {@link PCP_NONCE_BYTES} long; whoever renews or deletes must know it. */
  readonly nonce: Uint8Array;
  readonly transport: Transport;
  readonly internalPort: number;
  /** 0 in a request that has no wish. */
  readonly externalPort: number;
  /** The unspecified address of a family in a request that has no wish. */
  readonly externalAddress: string;
}

export interface PcpRequest {
  readonly opcode: number;
  /** Seconds; 0 deletes. */
  readonly lifetimeS: number;
  /** The client's address as it knows it: where a NAT stands between, the server sees another one. */
  readonly client: string;
  readonly map?: PcpMap | undefined;
  /** Of PEER (§12.1): the remote end of the flow. */
  readonly remote?: { readonly address: string; readonly port: number } | undefined;
}

export interface PcpResponse {
  readonly opcode: number;
  /** {@link PCP_RESULTS}. */
  readonly result: number;
  /** Seconds that the mapping was given; with an error for how long the same answer is to be expected. */
  readonly lifetimeS: number;
  /** Seconds since the server last lost its mappings. */
  readonly epoch: number;
  readonly map?: PcpMap | undefined;
}

/** 24, 60 or 80 bytes: ANNOUNCE without a body, MAP, or PEER where there is a `remote`. */
export function encodePcpRequest({ opcode, lifetimeS, client, map, remote }: PcpRequest): Uint8Array {
  const bytes = new Uint8Array(HEADER + (map ? (remote ? PEER_BYTES : MAP_BYTES) : 0));
  const view = new DataView(bytes.buffer);
  bytes.set([VERSION, opcode]);
  view.setUint32(4, lifetimeS);
  bytes.set(sixteen(client), 8);
  if (map) writeMap(bytes, map);
  if (remote) {
    view.setUint16(HEADER + MAP_BYTES, remote.port);
    bytes.set(sixteen(remote.address), HEADER + MAP_BYTES + 4);
  }
  return bytes;
}

export function encodePcpResponse({ opcode, result, lifetimeS, epoch, map }: PcpResponse): Uint8Array {
  const bytes = new Uint8Array(HEADER + (map ? MAP_BYTES : 0));
  const view = new DataView(bytes.buffer);
  bytes.set([VERSION, RESPONSE | opcode, 0, result]);
  view.setUint32(4, lifetimeS);
  view.setUint32(8, epoch);
  if (map) writeMap(bytes, map);
  return bytes;
}

/** Undefined for whatever is no response of this version. Options are not asked for, and passed over. */
export function decodePcpResponse(bytes: Uint8Array): PcpResponse | undefined {
  if (!isPcp(bytes) || ((bytes[1] as number) & RESPONSE) === 0) return undefined;
  const view = viewOf(bytes);
  const opcode = (bytes[1] as number) & ~RESPONSE;
  const body = readMap(bytes, opcode);
  if (body === 'malformed') return undefined;
  return {
    opcode,
    result: bytes[3] as number,
    lifetimeS: view.getUint32(4),
    epoch: view.getUint32(8),
    map: body,
  };
}

/** Undefined for whatever is no request of this version. */
export function decodePcpRequest(bytes: Uint8Array): PcpRequest | undefined {
  if (!isPcp(bytes) || ((bytes[1] as number) & RESPONSE) !== 0) return undefined;
  const view = viewOf(bytes);
  const opcode = bytes[1] as number;
  const map = readMap(bytes, opcode);
  if (map === 'malformed' || (opcode === PCP_OPCODES.peer && bytes.length < HEADER + PEER_BYTES)) return undefined;
  const at = HEADER + MAP_BYTES;
  return {
    opcode,
    lifetimeS: view.getUint32(4),
    client: addressIn(bytes, 8),
    map,
    ...(opcode === PCP_OPCODES.peer && { remote: { port: view.getUint16(at), address: addressIn(bytes, at + 4) } }),
  };
}

/**
 * Whether this is how a box that knows NAT-PMP alone answers to PCP: "version not supported" in a message of its own
 * version 0 (RFC 6887 Appendix A).
 */
export const isNatPmpOnly = (bytes: Uint8Array): boolean =>
  bytes.length >= 8 && bytes[0] === 0 && bytes[2] === 0 && bytes[3] === PCP_RESULTS.UNSUPP_VERSION;

const isPcp = (bytes: Uint8Array): boolean =>
  bytes.length >= HEADER && bytes.length <= MOST_BYTES && bytes.length % 4 === 0 && bytes[0] === VERSION;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** §5: an IPv4 address in its IPv4-mapped form; the zone of a link-local one is not carried. */
function sixteen(address: string): Uint8Array {
  const bytes = addressBytes(address);
  if (!bytes) throw new RangeError(`not an IP address: ${address}`);
  if (bytes.length === 16) return bytes;
  const mapped = new Uint8Array(16).fill(0xff, 10, 12);
  mapped.set(bytes, 12);
  return mapped;
}

const addressIn = (bytes: Uint8Array, at: number): string => formatAddress(unmapped(bytes.subarray(at, at + 16)));

function writeMap(bytes: Uint8Array, { nonce, transport, internalPort, externalPort, externalAddress }: PcpMap): void {
  const view = viewOf(bytes);
  bytes.set(nonce, HEADER);
  bytes[HEADER + 12] = IP_PROTOCOLS[transport];
  view.setUint16(HEADER + 16, internalPort);
  view.setUint16(HEADER + 18, externalPort);
  bytes.set(sixteen(externalAddress), HEADER + 20);
}

/** Undefined where the opcode has no such body, or an error came without one. */
function readMap(bytes: Uint8Array, opcode: number): PcpMap | undefined | 'malformed' {
  if (opcode !== PCP_OPCODES.map && opcode !== PCP_OPCODES.peer) return undefined;
  const isError = ((bytes[1] as number) & RESPONSE) !== 0 && bytes[3] !== PCP_RESULTS.SUCCESS;
  if (bytes.length < HEADER + MAP_BYTES) return isError ? undefined : 'malformed';
  const view = viewOf(bytes);
  const transport = bytes[HEADER + 12] === IP_PROTOCOLS.tcp ? 'tcp' : 'udp';
  if (bytes[HEADER + 12] !== IP_PROTOCOLS[transport]) return isError ? undefined : 'malformed';
  return {
    nonce: bytes.slice(HEADER, HEADER + PCP_NONCE_BYTES),
    transport,
    internalPort: view.getUint16(HEADER + 16),
    externalPort: view.getUint16(HEADER + 18),
    externalAddress: addressIn(bytes, HEADER + 20),
  };
}

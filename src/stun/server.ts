/**
 * A STUN server with NAT behaviour discovery (RFC 8489, RFC 5780, and RFC 3489 for classic clients): one pure
 * function over up to four socket roles. The same function answers on real sockets and in the simulated network.
 *
 * Towards a source that a forged packet could name (UDP) it never sends more than it received, except the plain answer.
 */
import { type Endpoint, scopeOf, unmappedV4, v4Number } from '../net/address.ts';
import type { Random } from '../net/env.ts';
import type { RateLimit } from '../net/rate-limit.ts';
import { type Attribute, type AttributeName, ATTRIBUTES, attribute } from './attributes.ts';
import { encodeBinding, reflexive } from './binding.ts';
import { checkFingerprint } from './integrity.ts';
import { attributeLength, encodedLength, get, MOST_BYTES, tryDecode, unknownRequired } from './message.ts';
import {
  type Advertised,
  changedRole,
  type Endpoints,
  isInside,
  type Role,
  ROLES,
  type View,
  type Views,
  viewsOf,
} from './roles.ts';
import { createServerState, type ServerState } from './server-state.ts';
import { utf8Length } from './text.ts';

/** Of {@link createStunServer}. */
export interface ServerOptions {
  /** The sockets there are. With all four roles it does RFC 5780; with both ports of one address it honours a change of port. Clients are never told a wildcard address, public ones none that is not public, and none is told that of a server on one address. */
  readonly endpoints: Endpoints;
  /** How the outside knows them, where that is otherwise; see {@link advertise}. */
  readonly advertised?: Advertised | undefined;
  /** Sent over TCP, and over UDP where the request was at least as long as the answer with it. */
  readonly software?: string | undefined;
  /** Of each source; {@link DEFAULT_LIMIT} when absent. */
  readonly limit?: RateLimit | undefined;
  readonly random: Random;
  /** What it shares with servers on other addresses, so that a limit is one limit; a fresh one when absent, and `limit` counts only then. */
  readonly state?: ServerState | undefined;
}

export { changedRole, type Role, ROLES } from './roles.ts';

/** A server: its settings, prepared, and its state. */
export interface StunServer extends ServerState {
  /** Its sockets. */
  readonly endpoints: Endpoints;
  readonly software: Attribute | undefined;
  /** How clients know it. */
  views: Views;
  /** By view: the plain answer of each role to an IPv4 source, with zeros where transaction and source go. */
  templates: ReadonlyMap<View, ReadonlyMap<Role, Uint8Array>>;
}

/** A datagram that reached one of the server's sockets, or a message over TCP. */
export interface ServerPacket {
  readonly role: Role;
  readonly from: Endpoint;
  readonly data: Uint8Array;
  /** ms on any monotonic scale. */
  readonly now: number;
  /** `udp` when absent. */
  readonly transport?: 'udp' | 'tcp';
}

/** What to send, where to, and by which socket. */
export interface ServerAnswer {
  readonly data: Uint8Array;
  readonly to: Endpoint;
  readonly viaRole: Role;
}

/** A STUN server as a value, for {@link respond}. Throws StunFormatError for a `software` that does not fit its attribute. */
export function createStunServer(options: ServerOptions): StunServer {
  const { endpoints, software, limit, random, advertised } = options;
  const server: StunServer = {
    ...(options.state ?? createServerState(random, limit)),
    endpoints,
    software: software === undefined ? undefined : checked(attribute('SOFTWARE', software)),
    views: viewsOf(endpoints),
    templates: new Map(),
  };
  advertise(server, advertised);
  return server;
}

/** From now on clients are told this of it. */
export function advertise(server: StunServer, advertised: Advertised | undefined): void {
  const { endpoints } = server;
  const views = viewsOf(endpoints, advertised);
  const blank = { address: '0.0.0.0', port: 0 };
  const answer = (view: View, role: Role): Uint8Array =>
    encodeBinding('success', new Uint8Array(12), plainAttributes(view, role, role, blank));
  const roles = ROLES.filter((role) => endpoints[role]);
  server.views = views;
  server.templates = new Map(
    [views.inside, views.outside].map((view) => [view, new Map(roles.map((role) => [role, answer(view, role)]))]),
  );
}

/** How a client at this address knows the server. */
export const viewFor = ({ views }: StunServer, address: string): View =>
  views.inside !== views.outside && isInside(unmappedV4(address)) ? views.inside : views.outside;

function checked(of: Attribute): Attribute {
  attributeLength(of);
  return of;
}

/** Whether a datagram claims to be a Binding request, of today or of RFC 3489. Anything else on the port belongs to another protocol, if to any. */
const isBindingRequest = (data: Uint8Array): boolean => data.length >= 20 && data[0] === 0 && data[1] === 1;

/** A Binding request without any attribute. */
export const isBareRequest = (data: Uint8Array): boolean => data.length === 20 && isBindingRequest(data);

/**
 * The server's answer to a datagram (RFC 8489, RFC 5780, RFC 3489), or undefined where it gets none: what is no Binding request, is
 * malformed, or comes too often. Never throws; changes only the server's counters and rate limits.
 *
 * @example
 * ```js
 * import { createStunServer, decode, encode, mappedAddress, METHOD, respond } from 'nat-tool';
 * import { createLab } from 'nat-tool/lab';
 *
 * const { random } = createLab().host('S');
 * const server = createStunServer({ endpoints: { A1P1: { address: '192.0.2.1', port: 3478 } }, random });
 * const data = encode({ class: 'request', method: METHOD.binding, transactionId: random.bytes(12), attributes: [] });
 * const answer = respond(server, { role: 'A1P1', from: { address: '203.0.113.7', port: 4000 }, data, now: 0 });
 * console.log(mappedAddress(decode(answer.data)).address, answer.viaRole); // 203.0.113.7 A1P1
 * ```
 */
export function respond(server: StunServer, packet: ServerPacket): ServerAnswer | undefined {
  const { counters } = server;
  counters.received++;
  if (!isBindingRequest(packet.data)) {
    counters.ignored++;
    return undefined;
  }
  const v4 = v4Number(packet.from.address);
  if (!server.limiter.allow(v4 ?? server.limiter.keyOf(packet.from.address), packet.now)) {
    counters.limited++;
    return undefined;
  }
  const template =
    packet.data.length === 20 && v4 !== undefined && packet.transport !== 'tcp'
      ? server.templates.get(viewFor(server, packet.from.address))?.get(packet.role)
      : undefined;
  if (template && hasCookie(packet.data) && packet.data[2] === 0 && packet.data[3] === 0) {
    counters.answered++;
    return { data: fill(template, packet.data, v4 as number, packet.from.port), to: packet.from, viaRole: packet.role };
  }
  return respondFully(server, packet);
}

/** Most requests are a bare header from an IPv4 source; their answer is a template with ID, port and address put in. */
function fill(template: Uint8Array, request: Uint8Array, address: number, port: number): Uint8Array {
  // From Buffer's pool: a small array of its own would be moved off the heap when it is sent, which costs more than all the rest.
  const answer = Buffer.allocUnsafe(template.length);
  answer.set(template);
  for (let i = 8; i < 20; i++) answer[i] = request[i] as number;
  put(answer, 26, port ^ 0x2112, address ^ 0x2112a442); // XOR-MAPPED-ADDRESS, the first attribute
  put(answer, 38, port, address); // MAPPED-ADDRESS, the second
  return answer;
}

function put(bytes: Uint8Array, at: number, port: number, address: number): void {
  bytes[at] = port >> 8;
  bytes[at + 1] = port;
  bytes[at + 2] = address >> 24;
  bytes[at + 3] = address >> 16;
  bytes[at + 4] = address >> 8;
  bytes[at + 5] = address;
}

/** What a Binding request may carry; credentials are understood and not asked for (RFC 8489 §9). RESPONSE-ADDRESS, which let a client aim answers anywhere, is not served. */
const UNDERSTOOD: ReadonlySet<AttributeName> = new Set<AttributeName>([
  'CHANGE-REQUEST',
  'RESPONSE-PORT',
  'PADDING',
  'USERNAME',
  'USERHASH',
  'REALM',
  'NONCE',
  'PASSWORD-ALGORITHM',
  'MESSAGE-INTEGRITY',
  'MESSAGE-INTEGRITY-SHA256',
]);

function respondFully(server: StunServer, packet: ServerPacket): ServerAnswer | undefined {
  const { role, from, data, transport = 'udp' } = packet;
  const { counters } = server;
  const request = tryDecode(data, true);
  const fingerprint = request && checkFingerprint(request);
  if (!request || fingerprint === 'invalid') {
    counters.malformed++;
    return undefined;
  }
  const seal = { fingerprint: fingerprint === 'valid' };
  const size = (attributes: readonly Attribute[]): number => encodedLength(attributes, seal);
  const finish = (
    cls: 'success' | 'error',
    attributes: readonly Attribute[],
    to = from,
    viaRole = role,
  ): ServerAnswer => {
    const room = transport === 'tcp' ? MOST_BYTES : data.length;
    const { software } = server;
    const fitting =
      software && size(attributes) + attributeLength(software) <= room ? [...attributes, software] : attributes;
    const all = request.classic ? fitting.map(evened) : fitting;
    if (cls === 'success') counters.answered++;
    else counters.refused++;
    return { data: encodeBinding(cls, request.transactionId, all, seal), to, viaRole };
  };
  const refuse = (code: number, reason: string, ...more: Attribute[]) =>
    finish('error', [attribute('ERROR-CODE', { code, reason }), ...more]);

  const change = get(request, 'CHANGE-REQUEST');
  const changes = change !== undefined && (change.ip || change.port);
  const responsePort = get(request, 'RESPONSE-PORT');
  const padding = get(request, 'PADDING');
  const unknown = unknownRequired(request, UNDERSTOOD);
  // Classic clients send CHANGE-REQUEST with no flag set in plain requests, so its presence alone is no reason to refuse.
  const viaRole = changes ? changedRole(role, change.ip, change.port) : role;
  const view = viewFor(server, from.address);
  const possible = change?.ip ? view.behaviour : server.endpoints[viaRole];
  if (changes && (!possible || transport === 'tcp')) unknown.push(ATTRIBUTES['CHANGE-REQUEST'].type);
  if (unknown.length > 0) return refuse(420, 'Unknown Attribute', attribute('UNKNOWN-ATTRIBUTES', unknown));
  if (padding !== undefined && responsePort !== undefined) return refuse(400, 'PADDING with RESPONSE-PORT');

  const attributes = request.classic
    ? classicAttributes(view, role, viaRole, from)
    : plainAttributes(view, role, viaRole, from);
  if (padding !== undefined) {
    const room = data.length - size(attributes) - 4;
    if (room > 0) attributes.push(attribute('PADDING', new Uint8Array(room & ~3)));
  }
  if (responsePort === undefined || responsePort === from.port) return finish('success', attributes, from, viaRole);
  if (responsePort < 1024) return refuse(400, 'RESPONSE-PORT below 1024');
  if (transport === 'tcp') return refuse(400, 'RESPONSE-PORT over TCP');
  const limiter = server.responsePortLimiter;
  if (!limiter.allow(limiter.keyOf(from.address), packet.now)) {
    counters.limited++;
    return undefined;
  }
  return finish('success', attributes, { address: from.address, port: responsePort }, viaRole);
}

/** XOR-MAPPED-ADDRESS and MAPPED-ADDRESS come first: {@link fill} relies on it. */
function plainAttributes(view: View, role: Role, viaRole: Role, from: Endpoint): Attribute[] {
  const mapped = reflexive(from);
  const origin = told(view, viaRole);
  const other = view.behaviour ? told(view, changedRole(role, true, true)) : undefined;
  return [
    attribute('XOR-MAPPED-ADDRESS', mapped),
    attribute('MAPPED-ADDRESS', mapped),
    ...(origin ? [attribute('RESPONSE-ORIGIN', origin)] : []),
    ...(other ? [attribute('OTHER-ADDRESS', other)] : []),
  ];
}

/** RFC 3489 §11.2. Without a second address there is nothing true to say in CHANGED-ADDRESS. */
function classicAttributes(view: View, role: Role, viaRole: Role, from: Endpoint): Attribute[] {
  const source = told(view, viaRole);
  const changed = view.behaviour ? told(view, changedRole(role, true, true)) : undefined;
  return [
    attribute('MAPPED-ADDRESS', reflexive(from)),
    ...(source ? [attribute('SOURCE-ADDRESS', source)] : []),
    ...(changed ? [attribute('CHANGED-ADDRESS', changed)] : []),
  ];
}

/** RFC 3489 pads no attribute: texts grow by spaces, and a list repeats one of its types (§11.2.9, §11.2.10). */
function evened(of: Attribute): Attribute {
  const filled = (text: string): string => text + ' '.repeat(-utf8Length(text) & 3);
  switch (of.name) {
    case 'ERROR-CODE':
      return attribute(of.name, { ...of.value, reason: filled(of.value.reason) });
    case 'SOFTWARE':
      return attribute(of.name, filled(of.value));
    case 'UNKNOWN-ATTRIBUTES':
      return attribute(of.name, of.value.length % 2 === 0 ? of.value : [...of.value, ...of.value.slice(-1)]);
    default:
      return of;
  }
}

/** One on one address alone that is not public is not told: behind a NAT of its own the server knows no better. */
function told({ endpoints, behaviour }: View, role: Role): Endpoint | undefined {
  const endpoint = endpoints[role];
  return endpoint && (behaviour || scopeOf(endpoint.address) === 'public') ? endpoint : undefined;
}

const hasCookie = (data: Uint8Array): boolean =>
  data[4] === 0x21 && data[5] === 0x12 && data[6] === 0xa4 && data[7] === 0x42;

/** Registers and answers as they go over the wire, and a server to send them to. */
import { decodeState, encodeRegister, type Register, type RoomState } from '../../src/rendezvous/protocol.ts';
import { type RendezvousAction, type RendezvousOptions, RendezvousServer } from '../../src/rendezvous/server.ts';
import type { RoomLimits, Spot } from '../../src/rendezvous/rooms.ts';
import { seededRandom } from '../../src/lab/random.ts';
import type { Endpoint } from '../../src/net/address.ts';
import type { ServerSockets } from '../../src/stun/listener.ts';
import type { Role } from '../../src/stun/server.ts';
import { type Decoded, decode, encode, METHOD } from '../../src/stun/message.ts';

const random = seededRandom(1, 'rendezvous');
export const endpoints = {
  A1P1: { address: '40.30.20.10', port: 3478 },
  A1P2: { address: '40.30.20.10', port: 3479 },
  A2P1: { address: '40.30.20.11', port: 3478 },
  A2P2: { address: '40.30.20.11', port: 3479 },
};
export const A: Endpoint = { address: '12.13.14.15', port: 24604 };
export const B: Endpoint = { address: '22.23.24.25', port: 24604 };
export const C: Endpoint = { address: '32.33.34.35', port: 1 };

export const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
export const text = (of: string): Uint8Array => new TextEncoder().encode(of);
export const [one, two, three] = [bytes(16, 1), bytes(16, 2), bytes(16, 3)] as const;

export const register = (over: Partial<Register> = {}): Register => ({
  room: bytes(16, 1),
  member: one,
  sequence: 1,
  heard: 0,
  cookie: bytes(8, 0),
  bye: false,
  payload: text('a'),
  ...over,
});

export const packet = (of: Register): Uint8Array =>
  encode({
    class: 'request',
    method: METHOD.binding,
    transactionId: random.bytes(12),
    attributes: [encodeRegister(of)],
  });

/** A socket of a server on these endpoints; what it sends goes nowhere. */
export const spot = (role: Role = 'A1P1', at: ServerSockets['endpoints'] = endpoints): Spot => ({
  role,
  sockets: { endpoints: at, send: () => {} },
});

/** So many rooms, whoever holds them. */
export const roomLimits = (total: number): RoomLimits => ({ total, ofSource: total, ofNetwork: total });

export interface Told {
  readonly to: Endpoint;
  readonly viaRole: string;
  readonly message: Decoded;
  readonly state: RoomState;
  readonly length: number;
}

export const read = (actions: readonly RendezvousAction[]): Told[] =>
  actions.map(({ to, spot: { role: viaRole }, data }) => {
    const message = decode(data);
    const state = decodeState(message);
    if (!state) throw new Error('an answer without a state');
    return { to, viaRole, message, state, length: data.length };
  });

export class Desk {
  readonly server: RendezvousServer;
  constructor(options: Partial<RendezvousOptions> = {}) {
    this.server = new RendezvousServer({ random: seededRandom(2, 'server'), ...options });
  }
  send(from: Endpoint, of: Partial<Register>, now = 0): Told[] {
    return read(this.server.handle({ spot: spot(), from, data: packet(register(of)) }, now));
  }
  /** Shows that it hears us; what it is told then, and the cookie. */
  confirm(from: Endpoint, of: Partial<Register>, now = 0): { told: Told[]; cookie: Uint8Array } {
    const cookie = this.send(from, of, now)[0]?.state.cookie ?? bytes(8, 0);
    return { told: this.send(from, { ...of, cookie }, now), cookie };
  }
}

import { seededRandom } from '../../../src/lab/random.ts';
import { type Endpoint, formatEndpoint } from '../../../src/net/address.ts';
import { type ClientAction, type ClientEvent, RendezvousClient } from '../../../src/rendezvous/client.ts';
import { decodeRegister, decodeState, encodeState } from '../../../src/rendezvous/protocol.ts';
import { RendezvousServer } from '../../../src/rendezvous/server.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { tryDecode } from '../../../src/stun/message.ts';
import { bytes, endpoints, one, packet, register, roomLimits, spot, two } from '../../rendezvous/wire.ts';
import { inBytes, type Step, stepsOf } from '../steps.ts';
import { demand, type Target, text } from '../target.ts';

const SERVER: Endpoint = endpoints.A1P1;
const PEERS: readonly Endpoint[] = [
  { address: '12.13.14.15', port: 24604 },
  { address: '22.23.24.25', port: 24604 },
  { address: '22.23.24.25', port: 1 },
  { address: '2001:db8::5', port: 5 },
];
const peerOf = ({ argument }: Step): Endpoint => PEERS[argument % PEERS.length] as Endpoint;

const ROOMS = 4;

/** Steps: 0 a datagram, 1 a register with the cookie that belongs to its source, 2 time goes by. */
export const rendezvousServer: Target = {
  name: 'rendezvous-server',
  seeds: [
    inBytes(
      [0, 0, packet(register())],
      [1, 0, packet(register({ sequence: 2 }))],
      [0, 1, packet(register({ member: two }))],
    ),
    inBytes(
      [0, 0, packet(register())],
      [1, 1, packet(register({ member: two, payload: bytes(900, 7) }))],
      [2, 10],
      [1, 0, packet(register({ heard: 1 }))],
      [0, 2, packet(register({ bye: true, sequence: 0 }))],
      [2, 255],
      [1, 3, packet(register({ room: bytes(16, 9) }))],
    ),
  ],
  run: (input) => {
    const limit = { perSecond: Number.POSITIVE_INFINITY, burst: 1 };
    const machine = new RendezvousServer({ random: seededRandom(1, 'server'), rooms: roomLimits(ROOMS), limit });
    const [received, sent] = [new Map<string, number>(), new Map<string, number>()];
    const cookies = new Map<string, Uint8Array>();
    const add = (to: Map<string, number>, name: string, by: number) => to.set(name, (to.get(name) ?? 0) + by);
    let now = 0;
    const perform = (actions: ReturnType<RendezvousServer['handle']>): void => {
      for (const { to, data } of actions) {
        const name = formatEndpoint(to);
        add(sent, name, data.length);
        const message = tryDecode(data);
        const state = message && decodeState(message);
        demand(state !== undefined, 'it says what it can read itself');
        cookies.set(name, state.cookie);
        demand(
          (sent.get(name) ?? 0) <= (received.get(name) ?? 0),
          'never more bytes to an address than came from there',
        );
      }
      demand(machine.size <= ROOMS, 'a bounded number of rooms');
    };
    for (const step of stepsOf(input)) {
      if (step.op % 3 === 2) {
        for (const until = now + step.argument * 300; now < until; ) {
          now = Math.min(until, machine.wakeAt() ?? until);
          perform(machine.wake(now));
        }
        continue;
      }
      const from = peerOf(step);
      const message = step.op % 3 === 1 ? tryDecode(step.body) : undefined;
      const asked = message && decodeRegister(message);
      const cookie = cookies.get(formatEndpoint(from));
      const data = asked && cookie ? packet({ ...asked, cookie }) : step.body;
      add(received, formatEndpoint(from), data.length);
      perform(machine.handle({ spot: spot(), from, data }, now));
    }
    return machine.counters.answered > 0;
  },
};

const told = (over: Partial<Parameters<typeof encodeState>[0]> = {}): Uint8Array =>
  encodeBinding('success', new Uint8Array(12), [
    attribute('XOR-MAPPED-ADDRESS', PEERS[0] as Endpoint),
    encodeState({
      status: 'waiting',
      stored: 1,
      cookie: bytes(8, 5),
      alternates: [endpoints.A1P2],
      peer: undefined,
      ...over,
    }),
  ]);
const peer = { member: two, sequence: 1, observed: PEERS[1] as Endpoint, payload: text('b') };

/** Steps: 0 a message as it is, 1 one that answers a register of ours, 2 time goes by, 3 what its own side wants. From the server, or from somebody. */
export const rendezvousClient: Target = {
  name: 'rendezvous-client',
  seeds: [
    inBytes([3, 0, text('a')], [1, 0, told()], [2, 40], [1, 1, told({ status: 'paired', peer })], [2, 255]),
    inBytes(
      [3, 0, text('a')],
      [2, 5],
      [1, 0, encodeBinding('error', bytes(12, 0), [attribute('ERROR-CODE', { code: 420, reason: 'x' })])],
    ),
    inBytes(
      [3, 0, text('a')],
      [1, 0, told({ status: 'paired', peer })],
      [1, 0, told({ status: 'left', peer: undefined })],
      [3, 3],
    ),
  ],
  run: (input) => {
    const machine = new RendezvousClient({ server: SERVER, room: one, member: one, random: seededRandom(1, 'client') });
    let [now, heard, registers, events] = [0, 0, 0, 0];
    const requests: Uint8Array[] = [];
    let sequence = 0;
    const perform = (actions: readonly ClientAction[]): void => {
      demand(actions.length <= 6, 'a few things to do at a time');
      for (const action of actions) {
        if (action.kind === 'send') {
          registers++;
          requests.unshift(tryDecode(action.data)?.transactionId ?? bytes(12, 0));
        } else if (action.kind === 'peer') {
          demand(action.peer.sequence > sequence, "each of the peer's news once");
          sequence = action.peer.sequence;
        } else heard++;
      }
    };
    for (const step of stepsOf(input)) {
      events++;
      const kind = step.op % 4;
      if (kind === 2) {
        for (const until = now + step.argument * 100; now < until; ) {
          now = Math.min(until, machine.wakeAt() ?? until);
          perform(machine.wake(now));
        }
      } else if (kind === 3) {
        const wants: readonly ClientEvent[] = [
          { kind: 'publish', payload: step.body.subarray(0, 900) },
          { kind: 'refresh' },
          { kind: 'unreachable' },
          { kind: 'close' },
        ];
        perform(machine.handle(wants[step.argument % 4] as ClientEvent, now));
      } else {
        const message = tryDecode(step.body);
        if (!message) continue;
        const transactionId =
          kind === 1 ? (requests[step.argument % 4] ?? message.transactionId) : message.transactionId;
        const from = step.argument < 250 ? SERVER : peerOf(step);
        perform(machine.handle({ kind: 'message', message: { ...message, transactionId }, from, at: now }, now));
      }
    }
    demand(registers <= 2 * events + now / 100, 'registers answer what came, and time');
    return heard > 0;
  },
};

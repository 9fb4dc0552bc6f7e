/** The TURN server: lives of its clients and of their peers, spoilt as a whole. What must be sealed is sealed again where a step asks for it. */
import type { Endpoint } from '../../../src/net/address.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { type Decoded, encode, get, METHOD, tryDecode } from '../../../src/stun/message.ts';
import { encodeChannelData } from '../../../src/turn/channel-data.ts';
import { PeerPolicy } from '../../../src/turn/peer-policy.ts';
import { FakeClient, FakeLine, newId, PEER, Relays, SERVER } from '../../turn/server-wire.ts';
import { inBytes, type Step, stepsOf } from '../steps.ts';
import { demand, type Target, text } from '../target.ts';

const CLIENTS: readonly Endpoint[] = [
  { address: '12.13.14.15', port: 24604 },
  { address: '22.23.24.25', port: 1 },
  { address: '2001:db8::5', port: 5 },
];
const PEERS: readonly Endpoint[] = [
  PEER,
  { ...PEER, port: 80 },
  { address: '10.0.0.1', port: 5000 },
  { address: '2001:db8:9::9', port: 5000 },
];
const QUOTA = { allocations: 2, bytesPerSecond: 10_000 };

const request = (method: number, ...attributes: ReturnType<typeof attribute>[]): Uint8Array =>
  encode({ class: 'request', method, transactionId: newId(), attributes });
const ALLOCATE = request(METHOD.allocate, attribute('REQUESTED-TRANSPORT', 17));
const permission = (peer: Endpoint): Uint8Array =>
  request(METHOD.createPermission, attribute('XOR-PEER-ADDRESS', peer));
const bind = (number: number, peer: Endpoint): Uint8Array =>
  request(METHOD.channelBind, attribute('CHANNEL-NUMBER', number), attribute('XOR-PEER-ADDRESS', peer));
const indication = (peer: Endpoint): Uint8Array =>
  encode({
    class: 'indication',
    method: METHOD.send,
    transactionId: newId(),
    attributes: [attribute('XOR-PEER-ADDRESS', peer), attribute('DATA', text('data'))],
  });

/** Steps: 0 a datagram as it is, 1 a request of somebody who is logged in, 2 time goes by, 3 a peer sends to a relay, 4 the line is cut. */
export const turnServer: Target = {
  name: 'turn-server',
  seeds: [
    inBytes(
      [0, 0, ALLOCATE],
      [1, 0, ALLOCATE],
      [1, 0, permission(PEER)],
      [0, 0, indication(PEER)],
      [3, 0, text('back')],
    ),
    inBytes(
      [1, 0, ALLOCATE],
      [1, 1, ALLOCATE],
      [1, 0, bind(0x4000, PEER)],
      [0, 0, encodeChannelData(0x4000, text('data'), false)],
      [3, 0, text('back')],
      [2, 255],
      [1, 0, request(METHOD.refresh, attribute('LIFETIME', 0))],
      [4, 0],
    ),
    inBytes(
      [1, 2, request(METHOD.allocate, attribute('REQUESTED-TRANSPORT', 17), attribute('ADDITIONAL-ADDRESS-FAMILY', 6))],
      [1, 2, permission({ address: '::ffff:10.0.0.1', port: 5000 })],
      [1, 2, permission({ address: '2001:db8:9::9', port: 5000 })],
      [3, 7, text('six')],
      [1, 1, request(METHOD.allocate, attribute('REQUESTED-TRANSPORT', 17), attribute('EVEN-PORT', true))],
      [2, 60],
      [1, 1, request(METHOD.refresh, attribute('LIFETIME', 3600))],
    ),
    inBytes(
      [1, 0, ALLOCATE],
      [1, 0, bind(0x7ffe, { address: SERVER.address, port: SERVER.port })],
      [1, 0, bind(0, PEERS[2] as Endpoint)],
    ),
  ],
  run: (input) => {
    const relays = new Relays({ quota: QUOTA, limit: { perSecond: Number.POSITIVE_INFINITY, burst: 1 }, most: 4 });
    const cut = new FakeLine('tcp');
    const clients = CLIENTS.map((from, i) => new FakeClient(relays, { from, line: i === 1 ? cut : relays.line }));
    const policy = new PeerPolicy();
    let taken = false;
    const step = ({ op, argument, body }: Step): void => {
      const client = clients[argument % clients.length] as FakeClient;
      const message = tryDecode(body);
      if (op % 5 === 0) {
        if (body.length > 0 && (body[0] as number) >> 6 === 1) client.channelData(body);
        else {
          const answer = client.raw(body);
          const loggedIn = answer !== undefined && get(answer, 'MESSAGE-INTEGRITY') !== undefined;
          demand(
            !answer || loggedIn || answer.bytes.length <= 3 * body.length,
            'at most three times what strangers sent',
          );
        }
      } else if (op % 5 === 1 && message?.class === 'request') {
        taken = sealed(client, message) || taken;
      } else if (op % 5 === 2) {
        relays.now += argument * argument * 20;
        const at = relays.server.wakeAt();
        if (at !== undefined && at <= relays.now) relays.wake();
        demand((relays.server.wakeAt() ?? Number.POSITIVE_INFINITY) > relays.now, 'no deadline stays behind');
      } else if (op % 5 === 3) {
        const open = relays.sockets.filter(({ closed }) => !closed);
        open[argument % (open.length || 1)]?.receive?.(PEERS[argument % PEERS.length] as Endpoint, body, relays.now);
      } else if (op % 5 === 4) relays.perform(relays.server.handle({ kind: 'gone', line: cut }, relays.now));
    };
    for (const each of stepsOf(input)) step(each);
    for (const { posted } of relays.sockets)
      for (const { to } of posted)
        demand(to.port >= 1024 && policy.allows(to.address), 'nothing goes to who is denied');
    demand(relays.server.size <= 4, 'no more allocations than it may have');
    const open = relays.sockets.filter(({ closed }) => !closed).length;
    demand(open <= 2 * 4 + 4, 'no socket is left behind');
    return taken;
  },
};

/** The same request, by somebody who can log in. */
function sealed(client: FakeClient, { method, attributes }: Decoded): boolean {
  const known = attributes.filter(({ name }) => name !== 'USERNAME' && name !== 'REALM' && name !== 'NONCE');
  if (![METHOD.allocate, METHOD.refresh, METHOD.createPermission, METHOD.channelBind].includes(method as 3))
    return false;
  try {
    return client.ask(method, known).class === 'success';
  } catch (error) {
    if (error instanceof Error && error.message === 'no answer') return false;
    throw error;
  }
}

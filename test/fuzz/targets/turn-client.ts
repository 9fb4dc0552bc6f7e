/** A TURN client's allocation: a life of steps, in which the server says what it likes. What must be sealed is made so again where a step asks for it. */
import { seededRandom } from '../../../src/lab/random.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { NetError } from '../../../src/net/env.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { longTermKey } from '../../../src/stun/credentials.ts';
import { encode, METHOD, tryDecode } from '../../../src/stun/message.ts';
import { Allocation } from '../../../src/turn/allocation.ts';
import type { AllocationAction, AllocationEvent } from '../../../src/turn/allocation-api.ts';
import { encodeChannelData, looksLikeChannelData } from '../../../src/turn/channel-data.ts';
import { inBytes, stepsOf } from '../steps.ts';
import { demand, type Target } from '../target.ts';

const KEY = longTermKey('alice', 'r', 'secret', 'MD5');
const PEERS: readonly Endpoint[] = [
  { address: '50.60.70.80', port: 9 },
  { address: '50.60.70.80', port: 10 },
  { address: '1.2.3.4', port: 5 },
  { address: '2001:db8::5', port: 5 },
];
const ID = new Uint8Array(12);
const message = (
  cls: 'success' | 'error' | 'indication',
  method: number,
  ...attributes: ReturnType<typeof attribute>[]
) => encode({ class: cls, method, transactionId: ID, attributes });
const CHALLENGE = message(
  'error',
  METHOD.allocate,
  attribute('ERROR-CODE', { code: 401, reason: '' }),
  attribute('REALM', 'r'),
  attribute('NONCE', 'n'),
);
const STALE = message(
  'error',
  METHOD.refresh,
  attribute('ERROR-CODE', { code: 438, reason: '' }),
  attribute('NONCE', 'm'),
);
const ALLOCATED = message(
  'success',
  METHOD.allocate,
  attribute('XOR-RELAYED-ADDRESS', { address: '70.60.50.40', port: 50_000 }),
  attribute('LIFETIME', 600),
  attribute('XOR-MAPPED-ADDRESS', PEERS[0] as Endpoint),
);
const DATA = message(
  'indication',
  METHOD.data,
  attribute('XOR-PEER-ADDRESS', PEERS[0] as Endpoint),
  attribute('DATA', Uint8Array.of(1, 2)),
);
const OURS: readonly AllocationEvent[] = [
  { kind: 'send', data: Uint8Array.of(1), to: PEERS[0] as Endpoint },
  { kind: 'send', data: Uint8Array.of(1), to: PEERS[1] as Endpoint },
  { kind: 'bind', to: PEERS[2] as Endpoint },
  { kind: 'permit', addresses: PEERS.map(({ address }) => address) },
  { kind: 'permit', addresses: ['1.2.3.4'], anew: true },
  { kind: 'refresh', timeoutMs: 1000 },
  { kind: 'release' },
  { kind: 'broken', error: new NetError('closed', 'closed') },
];

/** Steps: 0 a message as it is, 1 one that answers the nth last request, 2 the same with the seal of the login, 3 time goes by, 4 what its own side does. */
export const turnClient: Target = {
  name: 'turn client',
  seeds: [
    inBytes(
      [1, 0, CHALLENGE],
      [2, 0, ALLOCATED],
      [4, 0],
      [2, 0, message('success', METHOD.channelBind)],
      [0, 0, DATA],
      [3, 255],
    ),
    inBytes([1, 0, CHALLENGE], [2, 0, ALLOCATED], [4, 3], [4, 5], [2, 0, STALE], [3, 255], [3, 255], [4, 6]),
    inBytes(
      [1, 0, CHALLENGE],
      [4, 2],
      [2, 1, ALLOCATED],
      [0, 0, encodeChannelData(0x4000, Uint8Array.of(5), false)],
      [4, 4],
    ),
    inBytes(
      [1, 0, CHALLENGE],
      [
        2,
        0,
        message(
          'error',
          METHOD.allocate,
          attribute('ERROR-CODE', { code: 300, reason: '' }),
          attribute('ALTERNATE-SERVER', PEERS[0] as Endpoint),
        ),
      ],
    ),
    inBytes(
      [1, 0, CHALLENGE],
      [2, 0, message('error', METHOD.allocate, attribute('ERROR-CODE', { code: 437, reason: '' }))],
    ),
  ],
  run: (input) => {
    const allocation = new Allocation({
      credentials: { kind: 'long-term', username: 'alice', password: 'secret' },
      reliable: (input[0] ?? 0) > 127,
      random: seededRandom(1, 'fuzz'),
      peers: [PEERS[0] as Endpoint],
      timeoutMs: 3000,
    });
    let [now, sends, steps, over] = [0, 0, 0, false];
    const asked: Uint8Array[] = [];
    const perform = (actions: readonly AllocationAction[]): void => {
      for (const action of actions) {
        demand(!over, 'nothing follows the end');
        if (action.kind === 'over') over = true;
        if (action.kind !== 'transmit') continue;
        sends++;
        const sent = looksLikeChannelData(action.data) ? undefined : tryDecode(action.data);
        demand(sent !== undefined || looksLikeChannelData(action.data), 'what is sent can be read');
        if (sent?.class === 'request') asked.unshift(sent.transactionId);
      }
    };
    const feed = (event: AllocationEvent): void => perform(allocation.handle(event, now));
    feed({ kind: 'start' });
    for (const step of stepsOf(input)) {
      steps++;
      switch (step.op % 5) {
        case 3: {
          let wakes = 0;
          for (const until = now + step.argument * 2000; ; ) {
            const at = allocation.wakeAt();
            if (at === undefined || at > until) {
              now = until;
              break;
            }
            now = Math.max(now, at);
            perform(allocation.wake(now));
            demand(++wakes < 5000, 'time goes on');
          }
          break;
        }
        case 4:
          feed(OURS[step.argument % OURS.length] as AllocationEvent);
          break;
        default: {
          const plain = tryDecode(step.body);
          const answers = step.op % 5 > 0 && plain;
          const transactionId = asked[step.argument % 8] ?? ID;
          const seal = step.op % 5 === 2 ? { key: KEY } : {};
          feed({
            kind: 'received',
            data: answers
              ? encode({ ...plain, transactionId: transactionId.length === 12 ? transactionId : ID }, seal)
              : step.body,
          });
        }
      }
    }
    if (over) demand(allocation.wakeAt() === undefined, 'the end wants no waking');
    demand(sends <= 60 + 60 * steps + now / 200, 'requests answer what came, and time');
    return allocation.heard;
  },
};

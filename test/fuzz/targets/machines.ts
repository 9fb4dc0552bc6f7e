/** The ICE agent, and the channel between two that have met: each input is a life of steps, spoilt as a whole. What is sealed or must match is made so again where a step asks for it. */
import { Channel } from '../../../src/connect/channel/channel.ts';
import { Sealer } from '../../../src/connect/channel/envelope.ts';
import { IceAgent, type IceEvent } from '../../../src/ice/agent.ts';
import { IceInputError } from '../../../src/ice/credentials.ts';
import { parseCandidate, SdpError } from '../../../src/ice/sdp.ts';
import { seededRandom } from '../../../src/lab/random.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { type Decoded, encode, tryDecode } from '../../../src/stun/message.ts';
import { bytes } from '../../rendezvous/wire.ts';
import { inBytes, type Step, StepClock, stepsOf } from '../steps.ts';
import { demand, type Target, takes, text } from '../target.ts';

const PEERS: readonly Endpoint[] = [
  { address: '12.13.14.15', port: 24604 },
  { address: '22.23.24.25', port: 24604 },
  { address: '22.23.24.25', port: 1 },
  { address: '2001:db8::5', port: 5 },
];
const peerOf = ({ argument }: Step): Endpoint => PEERS[argument % PEERS.length] as Endpoint;

/* ---- the ICE agent ---- */

const OURS = { ufrag: 'ours', pwd: 'o'.repeat(22) };
const THEIRS = { ufrag: 'peer', pwd: 'p'.repeat(22) };
const ID = bytes(12, 3);
const check = (more: readonly ReturnType<typeof attribute>[] = []): Uint8Array =>
  encodeBinding('request', ID, [
    attribute('USERNAME', `${OURS.ufrag}:${THEIRS.ufrag}`),
    attribute('PRIORITY', 1853824767),
    attribute('ICE-CONTROLLED', 1n),
    ...more,
  ]);
const answer = (cls: 'success' | 'error', ...attributes: ReturnType<typeof attribute>[]): Uint8Array =>
  encodeBinding(cls, ID, attributes);
const LINE = 'candidate:1 1 udp 2130706431 22.23.24.25 24604 typ srflx';

/** As the peer seals it: a request with our password, an answer to one of ours with its own. */
function sealed(message: Decoded, asked: readonly Uint8Array[], nth: number): Uint8Array {
  const request = message.class === 'request';
  const transactionId = request ? message.transactionId : (asked[nth % 8] ?? message.transactionId);
  const key = text(request ? OURS.pwd : THEIRS.pwd);
  return encode({ ...message, transactionId, attributes: message.attributes }, { key, fingerprint: true });
}

/** Steps: 0 a datagram as it is, 1 one sealed by the peer, 2 time goes by, 3 a remote candidate, 4 what its own side does. */
export const ice: Target = {
  name: 'ice',
  seeds: [
    inBytes(
      [3, 0, text(LINE)],
      [1, 1, check()],
      [2, 20],
      [1, 1, answer('success', attribute('XOR-MAPPED-ADDRESS', PEERS[0] as Endpoint))],
      [2, 100],
    ),
    inBytes(
      [1, 1, check([attribute('USE-CANDIDATE', true)])],
      [2, 10],
      [1, 2, answer('error', attribute('ERROR-CODE', { code: 487, reason: 'Role Conflict' }))],
      [4, 0],
      [2, 255],
    ),
    inBytes(
      [1, 0, check([attribute('ICE-CONTROLLING', 2n)])],
      [4, 1],
      [1, 1, check()],
      [2, 9],
      [1, 3, answer('success', attribute('XOR-MAPPED-ADDRESS', PEERS[3] as Endpoint))],
      [4, 3],
      [4, 2],
    ),
  ],
  words: ['candidate:', ' typ relay', '::', ' 0 '],
  run: (input) => {
    const agent = new IceAgent({ role: 'controlling', ...OURS, random: seededRandom(1, 'ice') });
    let [now, events, sends] = [0, 0, 0];
    const asked: Uint8Array[] = [];
    const perform = (actions: ReturnType<IceAgent['handle']>): void => {
      for (const action of actions) {
        if (action.kind !== 'send') continue;
        sends++;
        const message = tryDecode(action.data);
        if (message?.class === 'request') asked.unshift(message.transactionId);
      }
      demand(agent.pairs().length <= 100, 'a bounded list of pairs');
    };
    const feed = (event: IceEvent): void => perform(agent.handle(event, now));
    const endpoint = { address: '192.168.1.3', port: 5 };
    const host = {
      foundation: '1',
      component: 1,
      transport: 'udp',
      priority: 2130706431,
      endpoint,
      type: 'host',
    } as const;
    feed({ kind: 'local-candidate', socket: 1, candidate: host });
    feed({ kind: 'remote-credentials', ...THEIRS });
    for (const step of stepsOf(input)) {
      events++;
      switch (step.op % 5) {
        case 2:
          for (const until = now + step.argument * 50; now < until; ) {
            now = Math.min(until, Math.max(now, agent.wakeAt() ?? until));
            perform(agent.wake(now));
          }
          break;
        case 3:
          takes(
            () => feed({ kind: 'remote-candidate', candidate: parseCandidate(new TextDecoder().decode(step.body)) }),
            SdpError,
          );
          break;
        case 4: {
          const socket = 1 + (step.argument & 1);
          const to = peerOf(step);
          const ours: readonly IceEvent[] = [
            { kind: 'speculate', socket, to },
            { kind: 'send-failed', socket, to },
            { kind: 'remote-end' },
            { kind: 'local-end' },
            { kind: 'socket-closed', socket: 2 },
            { kind: 'remote-credentials', ufrag: 'abcd', pwd: 'x'.repeat(step.body.length) },
          ];
          takes(() => feed(ours[step.argument % ours.length] as IceEvent), IceInputError);
          break;
        }
        default: {
          const plain = tryDecode(step.body);
          if (!plain) break;
          const message = step.op % 5 === 1 ? tryDecode(sealed(plain, asked, step.argument)) : plain;
          demand(message !== undefined, 'what was decoded can be sealed');
          feed({ kind: 'datagram', socket: 1, from: peerOf(step), message });
        }
      }
    }
    demand(sends <= 40 + 10 * events + now / 4, 'packets answer what came, and time');
    return agent.counters.requests + agent.counters.answers > 0;
  },
};

/* ---- the channel between two that have met ---- */

const [MINE, ITS] = [bytes(32, 1), bytes(32, 2)];

/** Steps: 0 a packet as it is, 1 one that the peer sealed, of any type, 2 time goes by. */
export const channel: Target = {
  name: 'channel',
  seeds: [
    inBytes(
      [1, 1, Uint8Array.of(0, 0)],
      [1, 1, Uint8Array.of(1, 7)],
      [1, 0, text('data')],
      [2, 60],
      [1, 3, bytes(4, 0)],
      [1, 5],
      [1, 4],
    ),
    inBytes([1, 0, text('early')], [1, 2, bytes(4, 9)], [2, 5], [1, 1, Uint8Array.of(1, 0)]),
  ],
  run: (input) => {
    const clock = new StepClock();
    let [transmitted, events] = [0, 0];
    const line = new Channel({
      sendKey: MINE,
      receiveKey: ITS,
      clock,
      transmit: () => {
        transmitted++;
        return true;
      },
      word: () => 0,
      told: () => {},
      heard: () => {},
      bye: () => line.stop(),
    });
    line.start();
    const sealer = new Sealer(ITS);
    for (const step of stepsOf(input)) {
      events++;
      if (step.op % 3 === 2) clock.pass(step.argument * 100);
      else line.receive(step.op % 3 === 1 ? sealer.seal(step.argument, step.body) : step.body, clock.now());
    }
    demand(transmitted <= 10 + 4 * events + clock.now() / 40, 'packets answer what came, and time');
    return line.stats.received > 0 || line.heardPeer;
  },
};

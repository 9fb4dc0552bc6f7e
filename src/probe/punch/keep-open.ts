/** Keeps a hole open that has been punched: one small packet every so often, and what the answers tell. */
import { type Endpoint, sameEndpoint } from '../../net/address.ts';
import { type Env, ignoreNetError } from '../../net/env.ts';
import { sleep } from '../../net/wait.ts';
import { plain } from '../../nat/evidence.ts';
import { mappedAddress, transactionKey } from '../../stun/message.ts';
import { answerPunch } from './hole-keeping.ts';
import type { LocalPort, SendingEnd } from './local-port.ts';
import { answeredBy, punchIndication, punchRequest } from './packet.ts';
import type { PunchPeer } from './punch.ts';
import { type Recollection, Remembrance } from './remembrance.ts';

export interface KeepOptions {
  readonly everyMs: number;
  /** More often, where the NAT is seen to forget sooner. */
  readonly adapts?: boolean | undefined;
  readonly payload?: Uint8Array | undefined;
  readonly ttl?: number | undefined;
  /** Who has answered already. */
  readonly peer?: PunchPeer | undefined;
  /** A probe of the other side came in and was answered. This and the following not on a shared port, where the other program hears it. */
  readonly onHeard?: ((from: Endpoint) => void) | undefined;
  /** The first answer. */
  readonly onOpen?: ((peer: PunchPeer) => void) | undefined;
  /** Another look at our public side, as the other side tells it. */
  readonly onSeen?: ((seen: Endpoint, recollection: Recollection) => void) | undefined;
  /** It has answered before, and so many packets in a row were not answered now; silences before them, ms. */
  readonly onLost?: ((silenceMs: number) => void) | undefined;
}

export interface KeptHole {
  readonly sent: number;
  readonly peer: PunchPeer | undefined;
}

/** Probes by whose IDs an echo is known. */
const OWN_REMEMBERED = 64;
/** Packets in a row that loss does not explain. */
const LOST_AFTER = 3;

/** Keeps a hole open until the signal aborts. */
export async function keepOpen(
  env: Pick<Env, 'clock' | 'random'>,
  port: LocalPort,
  to: Endpoint,
  options: KeepOptions,
  signal: AbortSignal,
): Promise<KeptHole> {
  const { clock, random } = env;
  const { payload, ttl } = options;
  const remembrance = new Remembrance(options.everyMs, options.adapts ?? false);
  let { peer } = options;
  let sent = 0;
  let lastAt = clock.now();
  let unanswered = 0;
  let release = (): void => {};
  const own = new Set<string>();
  if (peer?.seenAs) remembrance.saw(plain(peer.seenAs), 0);

  /** A probe, whose answer tells that the hole is there, and how we look through it. */
  const probe = ({ mux }: SendingEnd, silenceMs: number): Uint8Array => {
    const id = random.bytes(12);
    own.add(transactionKey(id));
    const [oldest] = own;
    if (oldest !== undefined && own.size > OWN_REMEMBERED) own.delete(oldest);
    release();
    const at = clock.now();
    release = mux.expect(id, ({ message, from, at: arrived }) => {
      if (message.class !== 'success' || !sameEndpoint(from, to)) return;
      unanswered = 0;
      const seenAs = mappedAddress(message);
      const first = !peer;
      peer = { address: from, rttMs: arrived - at, seenAs, speaker: answeredBy(message) ?? 'other' };
      if (first) options.onOpen?.(peer);
      if (seenAs) options.onSeen?.(plain(seenAs), remembrance.saw(plain(seenAs), silenceMs));
    });
    if (peer && unanswered++ === LOST_AFTER) options.onLost?.(silenceMs);
    return punchRequest(id);
  };
  try {
    if (!port.shared) {
      const { mux } = await port.towards(to, signal);
      mux.onOther = (datagram) => {
        const heard = answerPunch(mux.socket, datagram, 'punch', own);
        if (heard === 'request') options.onHeard?.(datagram.from);
        if (heard !== 'echo' || !sameEndpoint(datagram.from, to)) return;
        unanswered = 0;
        if (peer) return;
        peer = { address: to, rttMs: datagram.at - lastAt, seenAs: undefined, speaker: 'echo' };
        options.onOpen?.(peer);
      };
    }
    for (;;) {
      try {
        await sleep(clock, remembrance.silenceMs, signal);
        // A shared port is held only while sending.
        const way = await port.towards(to, signal);
        const silenceMs = clock.now() - lastAt;
        lastAt = clock.now();
        const data = payload ?? (port.shared ? punchIndication(random.bytes(12)) : probe(way, silenceMs));
        await way.mux.socket.send(data, to, { ttl }).then(() => sent++, ignoreNetError);
        way.release();
      } catch (error) {
        if (signal.aborted) return { sent, peer };
        ignoreNetError(error);
      }
    }
  } finally {
    release();
  }
}

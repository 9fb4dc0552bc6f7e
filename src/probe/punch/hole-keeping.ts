/** Keeping what a listener needs open: its public side at a STUN server, and a hole to a remote end. */
import { type Endpoint, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { type Datagram, type Env, ignoreNetError, type UdpSocket } from '../../net/env.ts';
import { errorWords } from '../../net/error-words.ts';
import { sleep } from '../../net/wait.ts';
import { errorAnswerWords } from '../../report/login.ts';
import { type Credentials, transact } from '../../stun/client.ts';
import { mappedAddress, transactionKey } from '../../stun/message.ts';
import type { Reply, StunMux } from '../../stun/mux.ts';
import { briskSchedule } from '../../net/schedule.ts';
import { staggered } from '../../net/stagger.ts';
import { LOW_TTL } from '../../nat/low-ttl.ts';
import { type Doubt, doubtInWords, doubtOf, type Ground, plain } from '../../nat/evidence.ts';
import { type Recollection, Remembrance } from './remembrance.ts';
import { type PunchPacket, punchAnswer, punchIndication, punchRequest, readPunch, type Speaker } from './packet.ts';

const STUN_TIMEOUT_MS = 3000;
/** Probes to the remote end until it answers. */
const PUNCH_EVERY_MS = 500;
const MOST_PUNCHES = 20;

/** A server's address, and where it is asked from. */
export interface Vantage {
  readonly remote: Endpoint;
  readonly mux: StunMux;
  /** Never the wildcard address. */
  readonly local: Endpoint;
}

export interface PublicSideWatch {
  readonly everyMs: number;
  /** What is known to hold such a mapping, in place of that; asked once. */
  readonly usualMs?: ((mapped: Endpoint) => Promise<number | undefined>) | undefined;
  /** More often, where the NAT forgets sooner. */
  readonly adapts: boolean;
  /** What may count. */
  readonly ground: Ground | Promise<Ground>;
  /** For servers that want them. */
  readonly credentials?: Credentials | undefined;
  readonly heard: (sight: Vantage & { readonly mapped: Endpoint; readonly recollection: Recollection }) => void;
  /** Nothing of use was told; `doubted`: it was told and does not count. */
  readonly failed: (
    why: string,
    doubted?: { readonly remote: Endpoint; readonly doubt: Doubt; readonly words: string },
  ) => void;
}

type Look = { readonly vantage: Vantage; readonly mapped: Endpoint } | { readonly fail: () => void };

/**
 * Asks for the public side again and again: each question refreshes the hole. The addresses of the server have their turn, and the first
 * that tells is asked until it falls silent. `vantages` must not be empty. Rejects with the signal's reason.
 */
export async function watchPublicSide(
  env: Pick<Env, 'clock' | 'random'>,
  vantages: readonly Vantage[],
  options: PublicSideWatch,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = env;
  const good = (look: Look): boolean => 'vantage' in look;
  let current: Vantage | undefined;
  let everyMs: number | undefined;
  let remembrance = new Remembrance(options.everyMs, options.adapts);
  let lastAt = clock.now();
  for (;;) {
    const silenceMs = clock.now() - lastAt;
    let look = current && (await ask(env, current, options, signal));
    if (!look || !good(look))
      look = await staggered(vantages, (each, within) => ask(env, each, options, within), { clock, signal, good });
    lastAt = clock.now();
    if ('fail' in look) look.fail();
    else {
      everyMs ??= (await options.usualMs?.(look.mapped)) ?? options.everyMs;
      if (look.vantage !== current) remembrance = new Remembrance(everyMs, options.adapts);
      current = look.vantage;
      options.heard({ ...current, mapped: look.mapped, recollection: remembrance.saw(look.mapped, silenceMs) });
    }
    await sleep(clock, remembrance.silenceMs, signal);
  }
}

async function ask(
  { clock, random }: Pick<Env, 'clock' | 'random'>,
  vantage: Vantage,
  { ground, credentials, failed }: PublicSideWatch,
  signal: AbortSignal,
): Promise<Look> {
  const { mux, remote } = vantage;
  const server = formatEndpoint(remote);
  const schedule = briskSchedule(STUN_TIMEOUT_MS);
  const outcome = await transact(mux, {}, { to: remote, schedule, credentials, clock, random, signal });
  const fail = (why: string) => ({ fail: () => failed(why) });
  if (outcome.kind === 'network-error') return fail(errorWords(outcome.error));
  if (outcome.kind === 'error-answer') return fail(`${server} answered with ${errorAnswerWords(outcome, credentials)}`);
  const told = outcome.kind === 'answered' ? mappedAddress(outcome.message) : undefined;
  if (!told) return fail(`no answer from ${server}`);
  const mapped = plain(told);
  const doubt = doubtOf({ remote, mapped }, await ground);
  if (!doubt) return { vantage, mapped };
  const words = doubtInWords(doubt, mapped);
  return { fail: () => failed(`what ${server} says does not count: ${words}`, { remote, doubt, words }) };
}

/** Probes the remote end until it answers, then keeps the hole open; `own` gets the IDs of the probes. Rejects with the signal's reason. */
export async function punchFrom(
  env: Env,
  mux: StunMux,
  remote: Endpoint,
  everyMs: number,
  opened: (rttMs: number) => void,
  own: Set<string>,
  signal: AbortSignal,
): Promise<void> {
  let answered = false;
  const releases: (() => void)[] = [];
  const probe = (): Uint8Array => {
    const id = env.random.bytes(12);
    if (answered) return punchIndication(id, 'listen');
    const sentAt = env.clock.now();
    own.add(transactionKey(id));
    const hear = ({ from, at }: Reply): void => {
      if (answered || !sameEndpoint(from, remote)) return;
      answered = true;
      opened(at - sentAt);
    };
    releases.push(mux.expect(id, hear));
    // A late answer counts, but not for ever.
    if (releases.length > MOST_PUNCHES) releases.shift()?.();
    return punchRequest(id);
  };
  try {
    for (let i = 0; ; i++) {
      // As in `punch`: the first one opens our own NAT, and comes to no router too early.
      await mux.socket.send(probe(), remote, i === 0 ? { ttl: LOW_TTL } : {}).catch(ignoreNetError);
      await sleep(env.clock, answered || i >= MOST_PUNCHES ? everyMs : PUNCH_EVERY_MS, signal);
    }
  } finally {
    for (const release of releases) release();
  }
}

/** Answers a probe of the other side. What it was, or undefined for a payload; `echo`: one of our `own`, by its ID, which came back. */
export function answerPunch(
  socket: UdpSocket,
  { data, from }: Datagram,
  speaker: Speaker,
  own?: ReadonlySet<string>,
): PunchPacket['kind'] | 'echo' | undefined {
  const packet = readPunch(data);
  if (packet && own?.has(transactionKey(packet.message.transactionId))) return 'echo';
  if (packet?.kind === 'request') socket.send(punchAnswer(packet.message, from, speaker), from).catch(ignoreNetError);
  return packet?.kind;
}

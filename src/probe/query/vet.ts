/** Does a server do what RFC 5780 asks of it? Found out from behind whatever NAT we are behind, so silence counts only on a path that is proven open. */
import { type Endpoint, familyOf, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { errorWords } from '../../net/error-words.ts';
import { findPrefixes, reachedBeside } from '../../net/nat64.ts';
import { scope } from '../../net/wait.ts';
import { errorAnswerWords } from '../../report/login.ts';
import { type Attribute, attribute } from '../../stun/attributes.ts';
import { type Credentials, PLAIN_OF_2003, transact, type TransactOutcome } from '../../stun/client.ts';
import { isPlausibleOther, otherAddress } from '../../stun/binding.ts';
import { mappedAddress } from '../../stun/message.ts';
import { StunMux } from '../../stun/mux.ts';
import { briskSchedule, type Schedule } from '../../net/schedule.ts';
import { changeToOpened } from '../detect/filtering.ts';
import { FEWEST_SENDS } from '../detect/loss.ts';

/**
 * `honoured`: answered from the changed address. `ignored`: answered from the one that was asked. `rejected`: an error answer.
 * `dropped`: silence on a path that is open. `unknown`: silence, or failure, that the server need not be blamed for.
 */
export type ChangeVerdict = 'honoured' | 'ignored' | 'rejected' | 'dropped' | 'unknown';

/** Whether a server does RFC 5780, and how far. */
export interface Vetting {
  readonly rfc5780: 'yes' | 'no' | 'unknown';
  /** One sentence. */
  readonly reason: string;
  /** OTHER-ADDRESS. */
  readonly other: string | null;
  /** What became of CHANGE-REQUEST. */
  readonly change: {
    readonly addressAndPort: ChangeVerdict;
    readonly port: ChangeVerdict;
    readonly address: ChangeVerdict;
  };
}

const UNTRIED: Vetting['change'] = { addressAndPort: 'unknown', port: 'unknown', address: 'unknown' };

/** Of {@link vet}. */
export interface VetOptions {
  readonly source?: string | undefined;
  readonly port?: number | undefined;
  /** Of each of the three rounds, at most. */
  readonly timeoutMs: number;
  readonly credentials?: Credentials | undefined;
}

/** Three round trips with a server that honours everything. Rejects with the signal's reason. */
export async function vet(
  env: Pick<Env, 'udp' | 'clock' | 'random' | 'resolver'>,
  server: Endpoint,
  options: VetOptions,
  signal: AbortSignal,
): Promise<Vetting> {
  const no = (reason: string, other: Endpoint | undefined): Vetting => ({
    rfc5780: 'no',
    reason,
    other: other ? formatEndpoint(other) : null,
    change: UNTRIED,
  });
  const unknown = (reason: string): Vetting => ({ ...no(reason, undefined), rfc5780: 'unknown' });
  let mux: StunMux;
  try {
    mux = new StunMux(
      await env.udp.open({ family: familyOf(server.address), address: options.source, port: options.port }, signal),
    );
  } catch (error) {
    if (error instanceof NetError) return unknown(`No socket could be opened: ${errorWords(error)}.`);
    throw error;
  }
  const { clock, random } = env;
  const { credentials } = options;
  const ask = (
    to: Endpoint,
    schedule: Schedule,
    attributes: readonly Attribute[] = [],
    acceptFrom?: (from: Endpoint) => boolean,
    within = signal,
  ) => transact(mux, { attributes }, { to, acceptFrom, schedule, credentials, clock, random, signal: within });
  /** No less than the slowest round trip yet: with retransmissions the true one is not known. */
  let pathMs = 0;
  const timed = async (asked: Promise<TransactOutcome>): Promise<TransactOutcome> => {
    const start = env.clock.now();
    const outcome = await asked;
    if (outcome.kind === 'answered') pathMs = Math.max(pathMs, env.clock.now() - start);
    return outcome;
  };
  try {
    const plain = await timed(ask(server, briskSchedule(options.timeoutMs)));
    if (plain.kind === 'error-answer')
      return unknown(`It answered a plain Binding request with ${errorAnswerWords(plain, credentials)}.`);
    if (plain.kind !== 'answered') return unknown('It did not answer a plain Binding request.');
    const manner = plain.needsChangeRequest ? PLAIN_OF_2003 : [];
    const said = otherAddress(plain.message);
    if (!said) return no('It names no OTHER-ADDRESS.', undefined);
    const translated = familyOf(said.address) === 4 && familyOf(server.address) === 6;
    const other = translated ? reachedBeside(server, said, await findPrefixes(env.resolver, signal)) : said;
    if (other.address === server.address)
      return no('Its OTHER-ADDRESS has the same IP address; RFC 5780 needs another.', other);
    if (familyOf(other.address) !== familyOf(server.address))
      return no('Its OTHER-ADDRESS is of another address family.', other);
    if (!isPlausibleOther(server, other)) return no('Its OTHER-ADDRESS cannot be reached.', other);
    if (other.port === server.port) return no('Its OTHER-ADDRESS has the same port; RFC 5780 needs another.', other);

    // Asking the alternate endpoints shows that they live, and opens our own NAT's filter for them.
    const targets = {
      addressAndPort: other,
      port: { address: server.address, port: other.port },
      address: { address: other.address, port: server.port },
    };
    const changes = {
      addressAndPort: { ip: true, port: true },
      port: { ip: false, port: true },
      address: { ip: true, port: false },
    } as const;
    const lively = denseSchedule(pathMs, options.timeoutMs);
    const opened = await each((name) => timed(ask(targets[name], lively, manner)));
    const dead = (Object.keys(targets) as Change[]).filter((name) => opened[name].kind !== 'answered');
    if (dead.length > 0)
      return no(`${dead.map((name) => formatEndpoint(targets[name])).join(' and ')} did not answer.`, other);

    const here = mappedAt(plain);
    const dense = denseSchedule(pathMs, options.timeoutMs);
    const change = await each(async (name): Promise<ChangeVerdict> => {
      const target = targets[name];
      const there = mappedAt(opened[name]);
      const open = here !== undefined && there !== undefined && sameEndpoint(here, there);
      const move = (attributes: readonly Attribute[], within: AbortSignal) =>
        ask(server, dense, attributes, (from) => sameEndpoint(from, target) || sameEndpoint(from, server), within);
      const plainly = async (within: AbortSignal) =>
        changeVerdict(await move([attribute('CHANGE-REQUEST', changes[name])], within), server, target, open);
      const directed = open || !here || !there ? undefined : changeToOpened(changes[name], here, there);
      if (!directed) return plainly(signal);
      // A refusal may be meant for RESPONSE-PORT, and a server that disregards that answers where our NAT drops it: only what arrives counts.
      const directly = async (within: AbortSignal) => {
        const outcome = await move(directed, within);
        return outcome.kind === 'answered' ? changeVerdict(outcome, server, target, false) : 'unknown';
      };
      return firstKnown(env.clock, [directly, plainly], signal);
    });
    return { ...sum(change), other: formatEndpoint(other), change };
  } finally {
    mux.socket.close();
  }
}

type Change = keyof Vetting['change'];

async function each<T>(of: (name: Change) => Promise<T>): Promise<Record<Change, T>> {
  const [addressAndPort, port, address] = await Promise.all([of('addressAndPort'), of('port'), of('address')]);
  return { addressAndPort, port, address };
}

const mappedAt = (outcome: TransactOutcome): Endpoint | undefined =>
  outcome.kind === 'answered' ? mappedAddress(outcome.message) : undefined;

/** Spacing of the sends: the sooner they are all out, the sooner silence says something. */
const [LEAST_GAP_MS, MOST_GAP_MS] = [50, 100];
/** After the last send. */
const LEAST_WINDOW_MS = 300;

/** For questions whose silence is to mean something: enough sends that loss does not explain it, and time for the last answer, on a path of so long a round trip. */
const denseSchedule = (pathMs: number, timeoutMs: number): Schedule =>
  function* () {
    const gap = Math.min(Math.max(pathMs / 2, LEAST_GAP_MS), MOST_GAP_MS);
    let at = 0;
    yield at;
    for (let sent = 1; sent < FEWEST_SENDS && at + 2 * gap <= timeoutMs; sent++) yield (at += gap);
    return Math.min(at + Math.max(3 * pathMs, LEAST_WINDOW_MS), timeoutMs);
  };

/** The first verdict other than `unknown`; what is not needed any more is given up. */
async function firstKnown(
  clock: Env['clock'],
  attempts: readonly ((signal: AbortSignal) => Promise<ChangeVerdict>)[],
  signal: AbortSignal,
): Promise<ChangeVerdict> {
  const bounds = scope(clock, signal);
  let known: ChangeVerdict = 'unknown';
  try {
    await Promise.all(
      attempts.map(async (attempt) => {
        const verdict = await attempt(bounds.signal);
        if (verdict === 'unknown' || known !== 'unknown') return;
        known = verdict;
        bounds.abort();
      }),
    );
  } catch (error) {
    if (signal.aborted || !bounds.signal.aborted) throw error;
  } finally {
    bounds.end();
  }
  return known;
}

/** `open`: our NAT maps both destinations alike, so that an answer from the changed address comes in where we sent to it ourselves. */
function changeVerdict(outcome: TransactOutcome, server: Endpoint, target: Endpoint, open: boolean): ChangeVerdict {
  if (outcome.kind === 'answered') return sameEndpoint(outcome.from, target) ? 'honoured' : 'ignored';
  if (outcome.kind === 'error-answer') return 'rejected';
  if (outcome.wrongSources.some((from) => !sameEndpoint(from, server))) return 'ignored';
  return outcome.kind === 'timeout' && open ? 'dropped' : 'unknown';
}

function sum(change: Vetting['change']): Pick<Vetting, 'rfc5780' | 'reason'> {
  const verdicts = Object.values(change);
  if (verdicts.every((verdict) => verdict === 'honoured'))
    return { rfc5780: 'yes', reason: 'It answers from the changed address and port, each seen.' };
  if (verdicts.includes('rejected')) return { rfc5780: 'no', reason: 'It rejects CHANGE-REQUEST.' };
  if (verdicts.includes('ignored'))
    return { rfc5780: 'no', reason: 'It answers CHANGE-REQUEST from the wrong address.' };
  if (verdicts.includes('dropped'))
    return {
      rfc5780: 'no',
      reason: 'It does not answer CHANGE-REQUEST in time, although the path for the answer is open.',
    };
  return {
    rfc5780: 'unknown',
    reason:
      'Answers to CHANGE-REQUEST did not arrive, but behind a NAT that maps each destination differently that says nothing about a server without RESPONSE-PORT.',
  };
}

/** The public address by several methods at once: the first answer counts, the others check it. */
import { canonicalAddress, type Endpoint, type Family, familyOf } from '../../net/address.ts';
import { type Env, NetError } from '../../net/env.ts';
import { errorWords } from '../../net/error-words.ts';
import { Gate, scope, TimeoutError, Waits } from '../../net/wait.ts';
import { ForwardingTable } from '../../report/forwarding.ts';
import { transact } from '../../stun/client.ts';
import { discover } from '../../stun/discovery.ts';
import { mappedAddress } from '../../stun/message.ts';
import { StunMux } from '../../stun/mux.ts';
import { briskSchedule } from '../../net/schedule.ts';
import { DnsFormatError } from '../../net/dns/message.ts';
import { queryDns } from '../../net/dns/query.ts';
import { httpGet } from '../../net/http/get.ts';
import { HttpFormatError } from '../../net/http/response.ts';
import {
  addressIn,
  type DnsSource,
  type HttpsSource,
  type Method,
  type Source,
  sourceName,
  type StunSource,
} from './sources.ts';

export type SurveyEnv = Pick<Env, 'clock' | 'random' | 'udp' | 'tcp' | 'resolver'>;

/** Sources that are asked for one method: all at once, or each only when those before it are slow or failed. */
export interface MethodPlan {
  readonly method: Method;
  readonly sources: readonly Source[];
  readonly atOnce: boolean;
}

export interface SurveyOptions {
  readonly plans: readonly { readonly family: Family; readonly methods: readonly MethodPlan[] }[];
  /** Local address. */
  readonly source?: string | undefined;
  /** Local port of the STUN queries. */
  readonly port?: number | undefined;
  /** Bound on everything, ms. */
  readonly timeoutMs: number;
  /** One answer is enough. */
  readonly quick: boolean;
  readonly onAnswer?: ((answer: Answer) => void) | undefined;
}

export interface Answer {
  readonly method: Method;
  readonly source: string;
  readonly address: string;
  /** Public port, where the method shows one. */
  readonly port: number | null;
  readonly rttMs: number;
}

export interface Failure {
  readonly method: Method;
  readonly source: string;
  readonly family: Family;
  readonly error: string;
}

export interface Survey {
  /** In order of arrival. */
  readonly answers: readonly Answer[];
  readonly failures: readonly Failure[];
  readonly table: ForwardingTable;
  readonly interrupted: boolean;
  /** The address for a single answer: IPv4 before IPv6, first come before later. */
  readonly best: Answer | undefined;
}

/** A further source of the same method is asked when the one before it has not answered for so long. */
const HEDGE_MS = 300;
/** After the first answer, how long the other methods are waited for, at least, to be compared. A web server takes several round trips. */
const COMPARE_MS = 700;
/** An IPv6 answer waits so long for an IPv4 one. */
const IPV4_FIRST_MS = 300;

class NoAddress extends Error {}

/** Never rejects for what the network does, nor when aborted. */
export async function surveyPublicAddress(
  env: SurveyEnv,
  options: SurveyOptions,
  signal: AbortSignal,
): Promise<Survey> {
  const answers: Answer[] = [];
  const failures: Failure[] = [];
  const table = new ForwardingTable();
  const gate = new Gate(env.clock);
  const bounds = scope(env.clock, signal, options.timeoutMs);
  const each = new Waits(bounds.signal);
  const pending = new Map<Family, number>(options.plans.map(({ family, methods }) => [family, methods.length]));
  const attempts: Promise<void>[] = [];
  const of = (family: Family): Answer | undefined => answers.find(({ address }) => familyOf(address) === family);
  const finished = (): boolean => ([4, 6] as const).every((family) => !pending.get(family));

  const attempt = async (source: Source, family: Family): Promise<boolean> => {
    const name = sourceName(source);
    try {
      const { flow, ...heard } = await each.run((own) => ask(env, source, family, options, own));
      if (familyOf(heard.address) !== family)
        throw new NoAddress(`the answer ${heard.address} is no IPv${family} address`);
      const answer = { method: source.method, source: name, ...heard };
      answers.push(answer);
      if (flow) table.add(flow.local, flow.mapped, flow.remote);
      options.onAnswer?.(answer);
      return true;
    } catch (error) {
      const why = bounds.signal.aborted ? bounds.signal.reason : error;
      if (why === END || signal.aborted) return false;
      if (
        !(
          why instanceof NetError ||
          why instanceof NoAddress ||
          why instanceof DnsFormatError ||
          why instanceof HttpFormatError ||
          why instanceof TimeoutError
        )
      )
        throw why;
      failures.push({
        method: source.method,
        source: name,
        family,
        error: why instanceof NetError ? errorWords(why) : why.message,
      });
      return false;
    }
  };

  const lane = async ({ sources, atOnce }: MethodPlan, family: Family): Promise<void> => {
    let answered = false;
    let over = 0;
    let begun = 0;
    for (const source of sources) {
      begun++;
      const own = attempt(source, family).then((success) => {
        answered ||= success;
        over++;
        gate.notify();
      });
      attempts.push(own);
      if (!atOnce) await gate.wait(() => answered || over === begun, HEDGE_MS, bounds.signal);
      if (answered && !atOnce) break;
    }
    await gate.wait(() => over === begun || (answered && !atOnce), options.timeoutMs, bounds.signal);
  };

  for (const { family, methods } of options.plans) {
    for (const plan of methods) {
      lane(plan, family).then(
        () => {
          pending.set(family, (pending.get(family) ?? 1) - 1);
          gate.notify();
        },
        () => {}, // only the end of everything ends a lane
      );
    }
  }
  try {
    await gate.wait(() => answers.length > 0 || finished(), options.timeoutMs, bounds.signal);
    if (of(6) && !of(4)) await gate.wait(() => of(4) !== undefined || !pending.get(4), IPV4_FIRST_MS, bounds.signal);
    if (!options.quick) await gate.wait(finished, Math.max(COMPARE_MS, 5 * (answers[0]?.rttMs ?? 0)), bounds.signal);
  } catch (error) {
    if (!bounds.signal.aborted) throw error;
  } finally {
    bounds.abort(END);
    await Promise.all(attempts);
    each.end();
  }
  return { answers, failures, table, interrupted: signal.aborted, best: of(4) ?? of(6) };
}

/** Why the slower ones are given up. */
const END = Symbol('enough is known');

interface Heard {
  readonly address: string;
  readonly port: number | null;
  readonly rttMs: number;
  readonly flow?: { readonly local: Endpoint; readonly mapped: Endpoint; readonly remote: Endpoint };
}

function ask(
  env: SurveyEnv,
  source: Source,
  family: Family,
  options: SurveyOptions,
  signal: AbortSignal,
): Promise<Heard> {
  switch (source.method) {
    case 'stun':
      return askStun(env, source, family, options, signal);
    case 'dns':
      return askDns(env, source, family, options, signal);
    case 'https':
      return askWeb(env, source, family, options, signal);
  }
}

async function askStun(
  env: SurveyEnv,
  { server }: StunSource,
  family: Family,
  { source, port, timeoutMs }: SurveyOptions,
  signal: AbortSignal,
): Promise<Heard> {
  const [remote] = await discover(server, { ...env, transport: 'udp', family, signal });
  if (!remote) throw new NetError('not-found', `${server.host} has no IPv${family} address`);
  const socket = await env.udp.open({ family, address: source, port, remote, reuse: port !== undefined }, signal);
  try {
    const outcome = await transact(
      new StunMux(socket),
      {},
      { to: remote, schedule: briskSchedule(timeoutMs), clock: env.clock, random: env.random, signal },
    );
    switch (outcome.kind) {
      case 'answered': {
        const mapped = mappedAddress(outcome.message);
        if (!mapped) throw new NoAddress('the answer holds no address');
        return {
          address: mapped.address,
          port: mapped.port,
          rttMs: outcome.rttMs,
          flow: { local: socket.local, mapped, remote },
        };
      }
      case 'network-error':
        throw outcome.error;
      case 'error-answer':
        throw new NoAddress(
          `the server answered with error ${outcome.code}${outcome.reason && ` (${outcome.reason})`}`,
        );
      case 'timeout':
        throw new NoAddress(`no answer within ${Math.round(outcome.afterMs)} ms`);
      default:
        throw new NoAddress('the answer cannot be used');
    }
  } finally {
    socket.close();
  }
}

async function askDns(
  env: SurveyEnv,
  { name, type, host, port }: DnsSource,
  family: Family,
  { source, timeoutMs }: SurveyOptions,
  signal: AbortSignal,
): Promise<Heard> {
  const [address] = await env.resolver.addresses(host, family, signal);
  if (address === undefined) throw new NetError('not-found', `${host} has no IPv${family} address`);
  const question = { name, type: type === 'TXT' ? 'TXT' : family === 4 ? 'A' : 'AAAA' } as const;
  const { response, rttMs } = await queryDns(env, { address, port }, question, {
    source,
    schedule: briskSchedule(timeoutMs),
    signal,
  });
  const texts = response.answers
    .filter((answer) => answer.type === question.type)
    .map(({ text }) => canonicalAddress(text.trim()));
  const found = texts.find((text) => text !== undefined);
  if (found === undefined) throw new NoAddress('the answer holds no address');
  return { address: found, port: null, rttMs };
}

async function askWeb(
  env: SurveyEnv,
  { url }: HttpsSource,
  family: Family,
  { source }: SurveyOptions,
  signal: AbortSignal,
): Promise<Heard> {
  const { status, body, rttMs } = await httpGet(env, url, { family, source, signal });
  if (status !== 200) throw new NoAddress(`the web server answered with status ${status}`);
  const address = addressIn(body);
  if (address === undefined) throw new NoAddress('the answer holds no address');
  return { address, port: null, rttMs };
}

/** Whether all answers of each family name the same address. */
export const agree = (answers: readonly Answer[]): boolean =>
  ([4, 6] as const).every(
    (family) =>
      new Set(answers.map(({ address }) => address).filter((address) => familyOf(address) === family)).size <= 1,
  );

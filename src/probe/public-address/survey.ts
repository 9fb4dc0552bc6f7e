/** The public address by several methods at once: independent answers that agree are believed, the others are told of. */
import { type Family, familyOf } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { errorWords } from '../../net/error-words.ts';
import { Gate, scope, Waits } from '../../net/wait.ts';
import { ForwardingTable } from '../../report/forwarding.ts';
import type { Credentials } from '../../stun/client.ts';
import { agree, headline, isPlain, isSettled, restsOnPlain } from './agreement.ts';
import { type AskEnv, ask, isFailure, NoAddress } from './ask.ts';
import { type Method, type Source, sourceName } from './sources.ts';

/** Sources that are asked for one method: the first `atOnce` together, each further one only when those before it are slow or failed. */
export interface MethodPlan {
  readonly method: Method;
  readonly sources: readonly Source[];
  /** At least 1; Infinity for all. */
  readonly atOnce: number;
}

export interface SurveyOptions {
  readonly plans: readonly { readonly family: Family; readonly methods: readonly MethodPlan[] }[];
  /** Local address. */
  readonly source?: string | undefined;
  /** Local port of the STUN queries. */
  readonly port?: number | undefined;
  /** Bound on everything, ms. */
  readonly timeoutMs: number;
  /** For STUN servers that want them. */
  readonly credentials?: Credentials | undefined;
  /** An authenticated answer, or two that agree, are enough; plain DNS and HTTP alone are not, where more was asked. */
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
  /** The address for a single answer: IPv4 before IPv6. Undefined too where a quick survey heard nothing but plain DNS and HTTP. */
  readonly best: Answer | undefined;
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
  /** Nobody but plain DNS and HTTP told the address, though more was asked. */
  readonly unconfirmed: boolean;
  /** Something answers in the place of the web servers. */
  readonly portal: boolean;
}

/** A further source of the same method is asked when the one before it has not answered for so long. */
const HEDGE_MS = 300;
/** After the first answer, how long the other methods are waited for, at least, to be compared. A web server takes several round trips. */
const COMPARE_MS = 700;
/** A quick survey waits so long for a second witness of an answer that is not plain DNS or HTTP, at least, or five of its round trips. */
const CONFIRM_MS = 200;
/** An IPv6 answer waits so long for an IPv4 one. */
const IPV4_FIRST_MS = 300;

/** Never rejects for what the network does, nor when aborted. */
export async function surveyPublicAddress(env: AskEnv, options: SurveyOptions, signal: AbortSignal): Promise<Survey> {
  const answers: Answer[] = [];
  const failures: Failure[] = [];
  let portal = false;
  const table = new ForwardingTable();
  const gate = new Gate(env.clock);
  const bounds = scope(env.clock, signal, options.timeoutMs);
  const each = new Waits(bounds.signal);
  const pending = new Map<Family, number>(options.plans.map(({ family, methods }) => [family, methods.length]));
  const attempts: Promise<void>[] = [];
  const has = (family: Family): boolean => answers.some(({ address }) => familyOf(address) === family);
  const finished = (): boolean => ([4, 6] as const).every((family) => !pending.get(family));
  const settled = (family: Family): boolean => !pending.get(family) || isSettled(answers, family);
  const isDoubtful = (family: Family): boolean =>
    !settled(family) && (restsOnPlain(answers, family) || !agree(answers));

  const attempt = async (source: Source, family: Family): Promise<boolean> => {
    const name = sourceName(source);
    try {
      const { flow, ...heard } = await each.run((own) => ask(env, source, { ...options, family, signal: own }));
      const answer = { method: source.method, source: name, ...heard };
      answers.push(answer);
      if (flow) table.add(flow.local, flow.mapped, flow.remote);
      options.onAnswer?.(answer);
      return true;
    } catch (error) {
      const why = bounds.signal.aborted ? bounds.signal.reason : error;
      if (why === END || signal.aborted) return false;
      if (!isFailure(why)) throw why;
      portal ||= why instanceof NoAddress && why.portal && source.method === 'https';
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
    const enough = (): boolean => answered && begun > atOnce;
    for (const source of sources) {
      begun++;
      const own = attempt(source, family).then((success) => {
        answered ||= success;
        over++;
        gate.notify();
      });
      attempts.push(own);
      if (begun >= atOnce) await gate.wait(() => answered || over === begun, HEDGE_MS, bounds.signal);
      if (answered && begun >= atOnce) break;
    }
    await gate.wait(() => over === begun || enough(), options.timeoutMs, bounds.signal);
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
  const firstMs = (): number => answers.find((answer) => !isPlain(answer))?.rttMs ?? answers[0]?.rttMs ?? 0;
  try {
    await gate.wait(() => answers.length > 0 || finished(), options.timeoutMs, bounds.signal);
    if (has(6) && !has(4)) await gate.wait(() => has(4) || !pending.get(4), IPV4_FIRST_MS, bounds.signal);
    if (options.quick) {
      const family = has(4) ? 4 : 6;
      // Plain DNS and HTTP alone are not enough: the others are waited for as long as it takes.
      await gate.wait(
        () => settled(family) || !restsOnPlain(answers, family) || finished(),
        options.timeoutMs,
        bounds.signal,
      );
      await gate.wait(() => settled(family), Math.max(CONFIRM_MS, 5 * firstMs()), bounds.signal);
      await gate.wait(() => finished() || !isDoubtful(family), options.timeoutMs, bounds.signal);
    } else {
      await gate.wait(finished, Math.max(COMPARE_MS, 5 * firstMs()), bounds.signal);
      // What plain DNS alone told is worth waiting for somebody else, slow as he may be; and so is a dispute.
      await gate.wait(() => finished() || !isDoubtful(has(4) ? 4 : 6), options.timeoutMs, bounds.signal);
    }
  } catch (error) {
    if (!bounds.signal.aborted) throw error;
  } finally {
    bounds.abort(END);
    await Promise.all(attempts);
    each.end(END);
  }
  const [ipv4, ipv6] = [headline(answers, 4), headline(answers, 6)];
  const family = ipv4 ? 4 : 6;
  const wider = options.plans.some(({ methods }) =>
    methods.some(({ method, sources }) => sources.some((each) => !isPlain({ method, source: sourceName(each) }))),
  );
  const unconfirmed = wider && restsOnPlain(answers, family);
  return {
    answers,
    failures,
    table,
    interrupted: signal.aborted,
    best: options.quick && unconfirmed ? undefined : (ipv4 ?? ipv6),
    ipv4: ipv4?.address,
    ipv6: ipv6?.address,
    unconfirmed,
    portal,
  };
}

/** Why the slower ones are given up. */
const END = Symbol('enough is known');

/** Does a server do what RFC 5780 asks of it? Found out from behind whatever NAT we are behind, so silence counts only on a path that is proven open. */
import { type Endpoint, familyOf, formatEndpoint, sameEndpoint } from '../net/address.ts';
import { type Env, NetError } from '../net/ports.ts';
import { attribute, type ChangeRequest } from '../stun/attributes.ts';
import { transact, type TransactOutcome } from '../stun/client.ts';
import { get, mappedAddress } from '../stun/message.ts';
import { StunMux } from '../stun/mux.ts';
import { briskSchedule } from '../stun/schedule.ts';

/**
 * `honoured`: answered from the changed address. `ignored`: answered from the one that was asked. `rejected`: an error answer.
 * `dropped`: silence on a path that is open. `unknown`: silence, or failure, that the server need not be blamed for.
 */
export type ChangeVerdict = 'honoured' | 'ignored' | 'rejected' | 'dropped' | 'unknown';

export interface Vetting {
  readonly rfc5780: 'yes' | 'no' | 'unknown';
  /** One sentence. */
  readonly reason: string;
  /** OTHER-ADDRESS. */
  readonly other: string | null;
  /** What became of CHANGE-REQUEST. */
  readonly change: { readonly addressAndPort: ChangeVerdict; readonly port: ChangeVerdict; readonly address: ChangeVerdict };
}

const UNTRIED: Vetting['change'] = { addressAndPort: 'unknown', port: 'unknown', address: 'unknown' };

export interface VetOptions {
  readonly source?: string | undefined;
  readonly port?: number | undefined;
  /** Of each of the three rounds. */
  readonly timeoutMs: number;
}

/** Three round trips with a server that honours everything. Rejects with the signal's reason. */
export async function vet(env: Pick<Env, 'udp' | 'clock' | 'random'>, server: Endpoint, options: VetOptions, signal: AbortSignal): Promise<Vetting> {
  const no = (reason: string, other: Endpoint | undefined): Vetting => ({ rfc5780: 'no', reason, other: other ? formatEndpoint(other) : null, change: UNTRIED });
  const unknown = (reason: string): Vetting => ({ ...no(reason, undefined), rfc5780: 'unknown' });
  let mux: StunMux;
  try {
    mux = new StunMux(await env.udp.open({ family: familyOf(server.address), address: options.source, port: options.port }, signal));
  } catch (error) {
    if (error instanceof NetError) return unknown(`No socket could be opened: ${error.message}.`);
    throw error;
  }
  const ask = (to: Endpoint, change?: ChangeRequest, acceptFrom?: (from: Endpoint) => boolean) =>
    transact(
      mux,
      { attributes: change ? [attribute('CHANGE-REQUEST', change)] : [] },
      { to, acceptFrom, schedule: briskSchedule(options.timeoutMs), clock: env.clock, random: env.random, signal },
    );
  try {
    const plain = await ask(server);
    if (plain.kind !== 'answered') return unknown('It did not answer a plain Binding request.');
    const other = get(plain.message, 'OTHER-ADDRESS') ?? get(plain.message, 'CHANGED-ADDRESS');
    if (!other) return no('It names no OTHER-ADDRESS.', undefined);
    if (other.address === server.address) return no('Its OTHER-ADDRESS has the same IP address; RFC 5780 needs another.', other);
    if (familyOf(other.address) !== familyOf(server.address)) return no('Its OTHER-ADDRESS is of another address family.', other);
    if (other.port === server.port) return no('Its OTHER-ADDRESS has the same port; RFC 5780 needs another.', other);

    // Asking the alternate endpoints shows that they live, and opens our own NAT's filter for them.
    const targets = { addressAndPort: other, port: { address: server.address, port: other.port }, address: { address: other.address, port: server.port } };
    const changes = { addressAndPort: { ip: true, port: true }, port: { ip: false, port: true }, address: { ip: true, port: false } } as const;
    const opened = await each((name) => ask(targets[name]));
    const dead = (Object.keys(targets) as Change[]).filter((name) => opened[name].kind !== 'answered');
    if (dead.length > 0) return no(`${dead.map((name) => formatEndpoint(targets[name])).join(' and ')} did not answer.`, other);

    const moved = await each((name) => ask(server, changes[name], (from) => sameEndpoint(from, targets[name]) || sameEndpoint(from, server)));
    const seen = mappedAt(plain);
    const change = map((name) => judge(moved[name], server, targets[name], sameMapping(seen, mappedAt(opened[name]))));
    return { ...sum(change), other: formatEndpoint(other), change };
  } finally {
    mux.socket.close();
  }
}

type Change = keyof Vetting['change'];

const map = <T>(of: (name: Change) => T): Record<Change, T> => ({ addressAndPort: of('addressAndPort'), port: of('port'), address: of('address') });

async function each<T>(of: (name: Change) => Promise<T>): Promise<Record<Change, T>> {
  const [addressAndPort, port, address] = await Promise.all([of('addressAndPort'), of('port'), of('address')]);
  return { addressAndPort, port, address };
}

const mappedAt = (outcome: TransactOutcome): Endpoint | undefined => (outcome.kind === 'answered' ? mappedAddress(outcome.message) : undefined);

const sameMapping = (a: Endpoint | undefined, b: Endpoint | undefined): boolean => a !== undefined && b !== undefined && sameEndpoint(a, b);

/** `open`: our NAT maps both destinations alike, so that an answer from the changed address comes in where we sent to it ourselves. */
function judge(outcome: TransactOutcome, server: Endpoint, target: Endpoint, open: boolean): ChangeVerdict {
  if (outcome.kind === 'answered') return sameEndpoint(outcome.from, target) ? 'honoured' : 'ignored';
  if (outcome.kind === 'error-answer') return 'rejected';
  if (outcome.wrongSources.some((from) => !sameEndpoint(from, server))) return 'ignored';
  return outcome.kind === 'timeout' && open ? 'dropped' : 'unknown';
}

function sum(change: Vetting['change']): Pick<Vetting, 'rfc5780' | 'reason'> {
  const verdicts = Object.values(change);
  if (verdicts.every((verdict) => verdict === 'honoured')) return { rfc5780: 'yes', reason: 'It answers from the changed address and port, each seen.' };
  if (verdicts.includes('rejected')) return { rfc5780: 'no', reason: 'It rejects CHANGE-REQUEST.' };
  if (verdicts.includes('ignored')) return { rfc5780: 'no', reason: 'It answers CHANGE-REQUEST from the wrong address.' };
  if (verdicts.includes('dropped')) return { rfc5780: 'no', reason: 'It does not answer CHANGE-REQUEST, although the path for the answer is open.' };
  return { rfc5780: 'unknown', reason: 'Answers to CHANGE-REQUEST did not arrive, but behind a NAT that maps each destination differently that says nothing about the server.' };
}

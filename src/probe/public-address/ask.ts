/** Asks one source for the public address: by STUN, DNS or a web page. What is no public address is no answer. */
import { type Endpoint, type Family, familyOf, inNetwork, scopeOf } from '../../net/address.ts';
import { DnsFormatError } from '../../net/dns/message.ts';
import { queryDns } from '../../net/dns/query.ts';
import { type Env, NetError } from '../../net/env.ts';
import { httpGet } from '../../net/http/get.ts';
import { HttpFormatError } from '../../net/http/response.ts';
import { findPrefixes } from '../../net/nat64.ts';
import { briskSchedule } from '../../net/schedule.ts';
import { interleaved, staggered } from '../../net/stagger.ts';
import { TimeoutError } from '../../net/wait.ts';
import { doubtInWords, plain } from '../../nat/evidence.ts';
import { errorAnswerWords } from '../../report/login.ts';
import { type Credentials, transact } from '../../stun/client.ts';
import { discover } from '../../stun/discovery.ts';
import { mappedAddress } from '../../stun/message.ts';
import { StunMux } from '../../stun/mux.ts';
import { doubtOnPath } from '../doubt.ts';
import { addressIn, type DnsSource, type HttpsSource, type Source, type StunSource } from './sources.ts';

export type AskEnv = Pick<Env, 'clock' | 'random' | 'udp' | 'tcp' | 'resolver'>;

export interface AskOptions {
  readonly family: Family;
  /** Local address. */
  readonly source?: string | undefined;
  /** Local port of the STUN queries. */
  readonly port?: number | undefined;
  /** Bound on each exchange, ms. */
  readonly timeoutMs: number;
  /** For STUN servers that want them. */
  readonly credentials?: Credentials | undefined;
  readonly signal: AbortSignal;
}

export interface Heard {
  /** Public. */
  readonly address: string;
  readonly port: number | null;
  readonly rttMs: number;
  readonly flow?: { readonly local: Endpoint; readonly mapped: Endpoint; readonly remote: Endpoint };
}

/** An answer came, and holds no public address. */
export class NoAddress extends Error {
  /** It looks like the work of a captive portal, which answers in the place of every web server. */
  readonly portal: boolean;
  constructor(message: string, portal = false) {
    super(message);
    this.portal = portal;
  }
}

/** Rejects with what {@link isFailure} knows, or the signal's reason. */
export function ask(env: AskEnv, source: Source, options: AskOptions): Promise<Heard> {
  switch (source.method) {
    case 'stun':
      return askStun(env, source, options);
    case 'dns':
      return askDns(env, source, options);
    case 'https':
      return askWeb(env, source, options);
  }
}

/** What the network and those who are asked may do wrong, unlike a bug of ours. */
export const isFailure = (error: unknown): error is Error =>
  error instanceof NetError ||
  error instanceof NoAddress ||
  error instanceof DnsFormatError ||
  error instanceof HttpFormatError ||
  error instanceof TimeoutError;

/** What is said of the asker must be public, and of the family of the path; behind a NAT64 (RFC 6146) an IPv6 path shows an IPv4 address. */
async function checked(env: AskEnv, address: string, remote: string, { family, signal }: AskOptions): Promise<string> {
  if (scopeOf(address) !== 'public') throw new NoAddress(`the answer ${address} is not a public address`, true);
  if (familyOf(address) === family) return address;
  const translated =
    familyOf(remote) === 6 && (await findPrefixes(env.resolver, signal)).some((each) => inNetwork(remote, each));
  if (!translated) throw new NoAddress(`the answer ${address} is no IPv${family} address`);
  return address;
}

async function askStun(env: AskEnv, { server }: StunSource, options: AskOptions): Promise<Heard> {
  const { family, signal } = options;
  const remotes = await discover(server, { ...env, transport: 'udp', family, signal });
  if (remotes.length === 0) throw new NetError('not-found', `${server.host} has no IPv${family} address`);
  const tried = interleaved(remotes, ({ address }) => familyOf(address));
  return staggered(tried, (remote, within) => askStunAt(env, remote, { ...options, signal: within }), {
    clock: env.clock,
    signal,
  });
}

async function askStunAt(env: AskEnv, remote: Endpoint, options: AskOptions): Promise<Heard> {
  const { family, source, port, timeoutMs, credentials, signal } = options;
  const { clock, random } = env;
  const socket = await env.udp.open({ family, address: source, port, remote, reuse: port !== undefined }, signal);
  try {
    const schedule = briskSchedule(timeoutMs);
    const mux = new StunMux(socket);
    const outcome = await transact(mux, {}, { to: remote, schedule, credentials, clock, random, signal });
    switch (outcome.kind) {
      case 'answered': {
        const said = mappedAddress(outcome.message);
        if (!said) throw new NoAddress('the answer holds no address');
        const mapped = plain(said);
        const doubt = await doubtOnPath(env.resolver, { remote, mapped }, signal);
        if (doubt) throw new NoAddress(doubtInWords(doubt, mapped));
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
        throw new NoAddress(`the server answered with ${errorAnswerWords(outcome, credentials)}`);
      case 'timeout':
        throw new NoAddress(`no answer within ${Math.round(outcome.afterMs)} ms`);
      default:
        throw new NoAddress('the answer cannot be used');
    }
  } finally {
    socket.close();
  }
}

async function askDns(env: AskEnv, { name, type, host, port }: DnsSource, options: AskOptions): Promise<Heard> {
  const { family, source, timeoutMs, signal } = options;
  const addresses = interleaved(await env.resolver.addresses(host, family, signal), familyOf);
  if (addresses.length === 0) throw new NetError('not-found', `${host} has no IPv${family} address`);
  const question = { name, type: type === 'TXT' ? 'TXT' : family === 4 ? 'A' : 'AAAA' } as const;
  const ask = async (address: string, within: AbortSignal): Promise<Heard> => {
    const { response, rttMs } = await queryDns(env, { address, port }, question, {
      source,
      schedule: briskSchedule(timeoutMs),
      signal: within,
    });
    const said = response.answers.filter((answer) => answer.type === question.type).map(({ text }) => addressIn(text));
    const found = said.find((text) => text !== undefined);
    if (found === undefined) throw new NoAddress('the answer holds no address');
    return { address: await checked(env, found, address, options), port: null, rttMs };
  };
  return staggered(addresses, ask, { clock: env.clock, signal });
}

async function askWeb(env: AskEnv, { url }: HttpsSource, options: AskOptions): Promise<Heard> {
  const { family, source, signal } = options;
  const { status, headers, body, remote, rttMs } = await httpGet(env, url, { family, source, signal });
  // 511 is the word of a captive portal for itself (RFC 6585 §6); most redirect to their page.
  if (status !== 200)
    throw new NoAddress(
      `the web server answered with status ${status}`,
      status === 511 || (status >= 300 && status < 400 && !staysOn(url, headers.get('location'))),
    );
  const address = addressIn(body);
  if (address === undefined) throw new NoAddress('the answer holds no address', /^\s*</.test(body));
  return { address: await checked(env, address, remote.address, options), port: null, rttMs };
}

/** A server that leads to another page of its own, as from http: to https:, is no portal. */
function staysOn(base: URL, location: string | undefined): boolean {
  return (
    location !== undefined && URL.canParse(location, base.href) && new URL(location, base).hostname === base.hostname
  );
}

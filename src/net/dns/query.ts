/** One question to one name server over UDP, straight from here: no resolver in between, for it is the asker's address that is asked for. */
import { type Endpoint, familyOf } from '../address.ts';
import { type Env, NetError } from '../env.ts';
import { Refusals, Retries } from '../refusals.ts';
import { deferred } from '../wait.ts';
import { follow, type Schedule } from '../schedule.ts';
import { type DnsQuestion, DnsFormatError, type DnsResponse, decodeResponse, encodeQuery } from './message.ts';

/** How a name server refuses: rcode names of RFC 1035 §4.1.1. */
const RCODES: readonly string[] = [
  'no error',
  'format error',
  'server failure',
  'no such name',
  'not implemented',
  'refused',
];

export interface DnsAnswer {
  readonly response: DnsResponse;
  readonly rttMs: number;
}

/**
 * Asks by the schedule until an answer matches (ID, question, source) or it ends. Rejects with NetError (`refused`, `unreachable`; `resolver`
 * for an error answer or silence), DnsFormatError for a name that cannot be asked, or the signal's reason.
 */
export async function queryDns(
  env: Pick<Env, 'udp' | 'clock' | 'random'>,
  server: Endpoint,
  question: DnsQuestion,
  options: { readonly source?: string | undefined; readonly schedule: Schedule; readonly signal: AbortSignal },
): Promise<DnsAnswer> {
  const { clock } = env;
  const query = encodeQuery(env.random.below(0x10000), question);
  // Connected: only this server is heard, and a closed port is known at once.
  const socket = await env.udp.open(
    { family: familyOf(server.address), address: options.source, remote: server },
    options.signal,
  );
  const end = deferred<DnsAnswer>();
  const stop = (): void => end.reject(options.signal.reason);
  let cancel = (): void => {};
  const retries = new Retries(clock);
  let over = false;
  const refusals = new Refusals(clock);
  let sentAt = clock.now();
  const timeOut = (ms: number): void =>
    end.reject(refusals.error ?? new NetError('resolver', `no answer within ${Math.round(ms)} ms`));
  const send = (): void => {
    sentAt = clock.now();
    socket.send(query).then(
      () => refusals.sent(),
      (error: unknown) => {
        if (over) return;
        if (!(error instanceof NetError) || refusals.isFinal(error, true)) return end.reject(error);
        retries.replace(send);
      },
    );
  };
  socket.listen({
    datagram: ({ data, at }) => {
      const response = matching(data, query);
      if (!response) return;
      if (response.rcode === 0) end.resolve({ response, rttMs: at - sentAt });
      else
        end.reject(
          new NetError('resolver', `the name server answered: ${RCODES[response.rcode] ?? `error ${response.rcode}`}`),
        );
    },
    error: (error) => {
      if (refusals.isFinal(error, false)) end.reject(error);
    },
  });
  options.signal.addEventListener('abort', stop, { once: true });
  try {
    // It may have aborted while the socket was handed over.
    options.signal.throwIfAborted();
    cancel = follow(options.schedule, clock, send, timeOut);
    return await end.promise;
  } finally {
    over = true;
    cancel();
    retries.stop();
    options.signal.removeEventListener('abort', stop);
    socket.close();
  }
}

/** The response to this query, or undefined for anything else, which is dropped silently. */
function matching(data: Uint8Array, query: Uint8Array): DnsResponse | undefined {
  try {
    return decodeResponse(data, query);
  } catch (error) {
    if (error instanceof DnsFormatError) return undefined;
    throw error;
  }
}

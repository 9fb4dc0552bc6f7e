/** What a session that goes on tells programs, with --json one line each. */
import type { Connection } from '../../connect/connection.ts';
import { formatEndpoint } from '../../net/address.ts';
import type { Context } from '../command.ts';
import type { DatagramEvent } from '../datagrams/output.ts';
import { connectionInWords } from './path-words.ts';
import { rounded } from './report.ts';
import type { Purpose } from './purpose.ts';

export type SessionEvent =
  | {
      readonly event: 'connected' | 'repaired';
      readonly path: string;
      readonly local: string;
      readonly remote: string;
      readonly rttMs: number | null;
    }
  | { readonly event: 'lost' | 'peer-left'; readonly remote: string };

/** A piece of a stream, wherever it was cut. */
export type DataEvent = Omit<DatagramEvent, 'event'> & { readonly event: 'data' };

export type ConnectEvent = DatagramEvent | DataEvent | { readonly event: 'code'; readonly code: string } | SessionEvent;

/** A check prints its report alone. */
export const tellEvent = (event: SessionEvent, context: Context<ConnectEvent>): Promise<void> =>
  context.form === 'json' ? context.emit(event) : Promise.resolve();

/** There is a connection; that it is lost, and there again, will be told. `patienceMs`: for how long another path is looked for. */
export function announce(
  connection: Connection,
  purpose: Purpose,
  patienceMs: number,
  context: Context<ConnectEvent>,
): Promise<void> {
  if (purpose === 'check') return Promise.resolve();
  const say = (event: 'connected' | 'repaired'): Promise<void> => {
    const { kind, socket, remote, rttMs } = connection.path;
    return tellEvent(
      { event, path: kind, local: formatEndpoint(socket.local), remote: formatEndpoint(remote), rttMs: rounded(rttMs) },
      context,
    );
  };
  connection.onOutage((outage) => {
    const { path } = connection;
    if (outage.kind === 'repaired') {
      context.progress('');
      context.note(`Connected again after ${Math.round(outage.afterMs / 1000)} s: ${connectionInWords(path)}.`);
      return void say('repaired');
    }
    const remote = formatEndpoint(path.remote);
    context.note(`The path to ${remote} is lost; looking for another one for up to ${patienceMs / 1000} s.`);
    void tellEvent({ event: 'lost', remote }, context);
  });
  return say('connected');
}

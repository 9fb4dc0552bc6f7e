/** What a session that goes on tells programs, with --json one line each. */
import type { Connection } from '../../connect/connection.ts';
import { formatEndpoint } from '../../net/address.ts';
import type { Context } from '../command.ts';
import type { DatagramEvent } from '../datagrams/output.ts';
import { pathInWords } from './path-words.ts';
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

/** There is a connection; of each new path it will be told. */
export function announce(connection: Connection, purpose: Purpose, context: Context<ConnectEvent>): Promise<void> {
  if (purpose === 'check') return Promise.resolve();
  const say = (event: 'connected' | 'repaired'): Promise<void> => {
    const { kind, socket, remote, rttMs } = connection.path;
    return tellEvent(
      { event, path: kind, local: formatEndpoint(socket.local), remote: formatEndpoint(remote), rttMs: rounded(rttMs) },
      context,
    );
  };
  connection.onRepair(() => {
    context.note(`Connected again: ${pathInWords(connection.path.kind)}.`);
    void say('repaired');
  });
  return say('connected');
}

/** Hears that nobody listens at the server: ICMP tells only a socket that is connected, and the main one cannot be. */
import { type Endpoint, familyOf } from '../net/address.ts';
import { type Env, NetError, type UdpSocket } from '../net/env.ts';
import { encodeBinding } from './binding.ts';

/** Sends one plain Binding request from a port of its own. `refused` is called at most once; the returned function ends the watch. */
export function watchRefusal(
  { udp, random }: Pick<Env, 'udp' | 'random'>,
  server: Endpoint,
  source: string | undefined,
  refused: (error: NetError) => void,
  asked: () => void = () => {},
): () => void {
  const stop = new AbortController();
  let socket: UdpSocket | undefined;
  const end = (): void => {
    stop.abort();
    socket?.close();
  };
  const fail = (error: unknown): void => {
    if (stop.signal.aborted) return;
    if (!(error instanceof NetError)) throw error;
    if (error.kind !== 'refused') return;
    end();
    refused(error);
  };
  const ask = async (): Promise<void> => {
    const opened = await udp.open({ family: familyOf(server.address), address: source, remote: server }, stop.signal);
    if (stop.signal.aborted) return opened.close();
    socket = opened;
    opened.listen({ datagram: () => {}, error: fail });
    await opened.send(encodeBinding('request', random.bytes(12)));
  };
  ask().catch(fail).finally(asked);
  return end;
}

/** `--forward`: ports of other programs, carried through the connection until it ends. */
import type { ConnectionEnd } from '../../connect/bearer.ts';
import type { Connection } from '../../connect/connection.ts';
import { forwardTcp, type TcpForwarding } from '../../connect/forward/tcp.ts';
import { Flows, type Forwarding, forwardUdp } from '../../connect/forward/udp.ts';
import { Transport } from '../../connect/streams/transport.ts';
import { formatEndpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { untilAborted } from '../../net/wait.ts';
import type { Context } from '../command.ts';
import type { ConnectEvent } from './events.ts';
import type { ForwardArg } from './forward-arg.ts';
import type { Used } from './purpose.ts';

/** Rejects with NetError where a port cannot be had. */
export async function carry(
  connection: Connection,
  over: Promise<ConnectionEnd>,
  forwards: readonly ForwardArg[],
  context: Context<ConnectEvent>,
  /** An agent of others: datagrams as they are, of one port. */
  plain: boolean,
): Promise<Used> {
  const { env, signal } = context;
  const tcp = new Map<number, TcpForwarding>();
  const udp: Forwarding[] = [];
  const transport = new Transport(env, connection, (stream) => {
    const forwarding = tcp.get(stream.port);
    if (forwarding) forwarding.serve(stream);
    else stream.reset();
  });
  const flows = new Flows(connection);
  const open = async (each: ForwardArg): Promise<void> => {
    const where = formatEndpoint(each.local);
    const tunnel = each.local.port === each.port ? '' : ` (tunnel ${each.port})`;
    if (each.protocol === 'tcp') {
      const forwarding = await forwardTcp(env, each, { open: (port) => transport.open(port), signal });
      tcp.set(each.port, forwarding);
      return context.note(
        forwarding.mode === 'held'
          ? `Forwarding TCP${tunnel}: let programs connect to ${forwarding.local}. Ctrl-C ends it.`
          : `Forwarding TCP${tunnel}: the other host's connections go to the program on ${where}. Ctrl-C ends it.`,
      );
    }
    const forwarding = plain ? await raw(each, connection, context) : await flows.open(env, each, signal);
    udp.push(forwarding);
    context.note(
      forwarding.mode === 'held'
        ? `Forwarding${tunnel}: let the program send to ${forwarding.local}. Ctrl-C ends it.`
        : `Forwarding${tunnel}: the program on ${where} hears the other host from ${forwarding.local}. Ctrl-C ends it.`,
    );
  };
  try {
    for (const each of forwards)
      await open(each).catch((error: unknown) => {
        if (!(error instanceof NetError) || (error.kind !== 'denied' && error.kind !== 'not-available')) throw error;
        const advice = `give this side another port: --forward PORT:${each.port}/${each.protocol}`;
        throw new NetError(error.kind, `${formatEndpoint(each.local)}: ${error.message}; ${advice}`, error.code);
      });
    await untilAborted(over, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    transport.close();
    for (const each of [...udp, ...tcp.values()]) each.close();
  }
  const sum = (which: 'outbound' | 'inbound'): number => udp.reduce((total, { counts }) => total + counts[which], 0);
  return { sent: sum('outbound'), received: sum('inbound') };
}

async function raw(each: ForwardArg, connection: Connection, context: Context<ConnectEvent>): Promise<Forwarding> {
  const send = (_: number, data: Uint8Array): void => void connection.send(data);
  const forwarding = await forwardUdp(context.env, each.local, send, context.signal);
  connection.onData((data) => forwarding.arrive(0, data));
  return forwarding;
}

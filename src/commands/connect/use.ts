/** What a path is used for once there is one. */
import { formatEndpoint } from '../../net/address.ts';
import { deferred, sleep, untilAborted, within } from '../../net/wait.ts';
import { ENVELOPE_OVERHEAD } from '../../connect/channel/envelope.ts';
import type { ConnectionEnd } from '../../connect/bearer.ts';
import type { Connection } from '../../connect/connection.ts';
import type { Context } from '../command.ts';
import { datagramsOf } from '../datagrams/input.ts';
import { DatagramOutput, mannerOf } from '../datagrams/output.ts';
import type { ConnectEvent } from './events.ts';
import { carry } from './forward.ts';
import type { ForwardArg } from './forward-arg.ts';
import { pipe } from './pipe.ts';
import type { Purpose, Used } from './purpose.ts';

export interface UseOptions {
  readonly forward: readonly ForwardArg[];
  /** The peer is an agent of others. */
  readonly plain: boolean;
  readonly exec: string | undefined;
  /** Cut the input by lines. */
  readonly line: boolean;
  readonly input: AsyncIterable<Uint8Array>;
}

/** What every path carries of one datagram of ours. */
const LARGEST = 1200 - ENVELOPE_OVERHEAD;
/** Between two datagrams: nothing tells how many the path takes, and a thousand a second are 9 Mbit/s. */
const PACE_MS = 1;
const MOST_AHEAD_MS = 4;
/** After a proof, for the peer's last question, where it does not say that it has none. */
const LINGER_MS = 300;

/** Does with the path what it was opened for, until that is done, the path ends, or an interrupt. Rejects with the signal's reason where there is nothing to tell. */
export async function use(
  connection: Connection,
  purpose: Purpose,
  { forward, plain, exec, line, input }: UseOptions,
  context: Context<ConnectEvent>,
  ended: (how: ConnectionEnd) => void,
): Promise<Used> {
  const over = connection.ended.then((how) => {
    ended(how);
    return how;
  });
  switch (purpose) {
    case 'check':
      return check(connection, over, context);
    case 'forward':
      return carry(connection, over, forward, context, plain);
    case 'exec':
      return handOver(connection, exec as string, context);
    case 'stream':
      return pipe(connection, over, input, context);
    case 'datagrams':
      return talk(connection, over, { plain, line, input }, context);
  }
}

async function check(
  connection: Connection,
  over: Promise<ConnectionEnd>,
  { env, signal }: Context<ConnectEvent>,
): Promise<{ sent: number; received: number }> {
  const peerEnded = deferred<void>();
  connection.onEnd(() => peerEnded.resolve());
  await Promise.race([connection.settled(signal), over]);
  // Each tells that it has seen enough: who has heard that, and said it, is asked nothing more.
  connection.finish();
  await within(env.clock, LINGER_MS, Promise.race([peerEnded.promise, over]), signal);
  const { sent, received } = connection.stats;
  return { sent, received };
}

async function handOver(connection: Connection, command: string, context: Context<ConnectEvent>): Promise<Used> {
  const { env, signal } = context;
  await connection.settled(signal);
  await sleep(env.clock, LINGER_MS, signal);
  const { remote } = connection.path;
  const { sent, received } = connection.stats;
  const socket = connection.release();
  const local = formatEndpoint(socket.local);
  socket.mux.socket.close();
  const variables = { NAT_TOOL_LOCAL: local, NAT_TOOL_REMOTE: formatEndpoint(remote) };
  // Where standard output has a report, it has nothing else.
  const status = await context.shell(command, variables, context.form === 'text');
  return { sent, received, status };
}

/** Standard input to the peer, the peer to standard output, as datagrams. */
async function talk(
  connection: Connection,
  over: Promise<ConnectionEnd>,
  { plain, line, input }: Pick<UseOptions, 'plain' | 'line' | 'input'>,
  context: Context<ConnectEvent>,
): Promise<Used> {
  const { env, io, signal } = context;
  const output = new DatagramOutput(
    { env, io, emit: (event) => context.emit(event) },
    mannerOf(context.form, io.stdoutIsTTY, { raw: !io.stdoutIsTTY, hex: false }),
    false,
  );
  let sent = 0;
  let received = 0;
  const peerEnded = deferred<void>();
  let announced: number | undefined;
  let due = 0;
  connection.onData((data, at) => {
    received++;
    output.put({ data, at, from: connection.path.remote });
  });
  connection.onEnd((datagrams) => {
    announced = datagrams;
    peerEnded.resolve();
  });
  if (io.stdinIsTTY && io.stdoutIsTTY)
    context.note(
      `What you type goes to the other host, line by line, ${plain ? 'not encrypted' : 'encrypted'}, as datagrams: what is lost on the way is not sent again. Ctrl-D ends it.`,
    );
  const pump = async (): Promise<void> => {
    const cutting = line ? ({ by: 'line' } as const) : ({ by: 'arrival' } as const);
    for await (const batch of datagramsOf(input, cutting, LARGEST)) {
      for (const data of batch) {
        connection.send(data);
        sent++;
        due = Math.max(due, env.clock.now()) + PACE_MS;
        const ahead = due - env.clock.now();
        if (ahead > MOST_AHEAD_MS) await sleep(env.clock, ahead, signal);
      }
      // Lets what came in be heard, and the system send.
      await sleep(env.clock, 0, signal);
    }
  };
  try {
    const pumped = pump();
    pumped.catch(() => {});
    await untilAborted(Promise.race([pumped, over]), signal);
    connection.finish();
    // Nothing to send and nothing to show: it was a check.
    await untilAborted(Promise.race([Promise.all([peerEnded.promise, connection.settled(signal)]), over]), signal);
    await within(env.clock, LINGER_MS, over, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await output.end();
  }
  const lost = announced === undefined ? null : Math.max(0, announced - received);
  if (lost) context.note(`Of ${announced} datagrams of the other host ${lost} were lost.`);
  return { sent, received, lost };
}

/** Standard input to the other host, its data to standard output: every byte, in order, as fast as path and reader take them. */
import type { ConnectionEnd } from '../../connect/bearer.ts';
import type { Connection } from '../../connect/connection.ts';
import type { Stream } from '../../connect/streams/stream.ts';
import { Transport } from '../../connect/streams/transport.ts';
import { NetError } from '../../net/env.ts';
import { itemsUntilAborted, untilAborted, within } from '../../net/wait.ts';
import type { Context } from '../command.ts';
import { type DatagramEvent, DatagramOutput, mannerOf } from '../datagrams/output.ts';
import type { ConnectEvent } from './events.ts';
import { isChat, type Used } from './purpose.ts';
import { amount, rate } from './words.ts';

/** How often the progress is told. */
const TICK_MS = 500;
/** After everything is confirmed, for the peer to say goodbye. */
const LINGER_MS = 300;

/** Never rejects but with bugs: an interrupt ends it, and what was confirmed until then is told. */
export async function pipe(
  connection: Connection,
  over: Promise<ConnectionEnd>,
  input: AsyncIterable<Uint8Array>,
  context: Context<ConnectEvent>,
): Promise<Used> {
  const { env, io, signal } = context;
  const transport = new Transport(env, connection);
  const stream = transport.main();
  const chat = isChat('stream', io);
  // Who pipes the data onwards from a terminal has nothing to type.
  const reads = chat || !io.stdinIsTTY;
  if (chat) context.note('What you type goes to the other host, line by line, encrypted. Ctrl-D ends it.');
  const gone = over.then(() => transport.close());
  const began = env.clock.now();
  const stop = chat ? () => {} : showProgress(stream, transport, context);
  let arrived = false;
  let confirmed = false;
  const chatOver = new AbortController();
  const receive = async (): Promise<void> => {
    await show(stream, connection, context);
    arrived = true;
    // The report has nothing more for it.
    if (context.form === 'text' && !io.stdoutIsTTY) io.stdout.end?.();
    // Who has nobody to talk to has nothing to type.
    if (!chat || !connection.peerTypes || stream.ending) return;
    context.note('The other host has ended the chat.');
    chatOver.abort();
  };
  const send = async (): Promise<void> => {
    try {
      if (reads) for await (const data of itemsUntilAborted(input, chatOver.signal)) await stream.write(data);
    } catch (error) {
      if (!chatOver.signal.aborted) throw error;
    }
    stream.end();
    confirmed = await stream.confirmed;
  };
  try {
    const both = Promise.all([receive(), send()]).then(() => transport.idle());
    await untilAborted(Promise.race([both, gone]), signal);
    if (confirmed && arrived) await within(env.clock, LINGER_MS, over, signal);
  } catch (error) {
    if (!signal.aborted && !(error instanceof NetError)) throw error;
  } finally {
    stop();
    transport.close();
  }
  const { written, taken, received } = stream.stats;
  const complete = confirmed && arrived;
  if (!chat && written + received > 0) {
    const ms = env.clock.now() - began;
    const { rttMs } = transport.measured;
    const sent = written > 0 ? [`${amount(written)} sent, ${taken === written ? 'all' : amount(taken)} confirmed`] : [];
    const got = received > 0 ? [`${amount(received)} received`] : [];
    const trip = rttMs === undefined ? [] : [`round trip ${Math.round(rttMs)} ms`];
    context.note(
      `${[...sent, ...got, `${(ms / 1000).toFixed(1)} s`, rate(taken + received, ms), ...trip].join(', ')}.`,
    );
  }
  return {
    ...connection.stats,
    bytes: { sent: written, confirmed: taken, received },
    complete,
  };
}

/** Everything that comes, to standard output, no faster than that is read. */
async function show(stream: Stream, connection: Connection, context: Context<ConnectEvent>): Promise<void> {
  const { env, io, form } = context;
  const manner = mannerOf(form, io.stdoutIsTTY, { raw: !io.stdoutIsTTY, hex: false });
  const emit = (event: DatagramEvent): Promise<void> =>
    context.emit(form === 'json' ? { ...event, event: 'data' } : event);
  const output = new DatagramOutput({ env, io, emit }, manner, false);
  for await (const data of stream) {
    output.put({ data, at: env.clock.now(), from: connection.path.remote });
    await output.end();
  }
}

/** Bytes, rate and round trip, on a terminal. Returns what ends it. */
function showProgress(stream: Stream, transport: Transport, { env, progress }: Context<ConnectEvent>): () => void {
  const { clock } = env;
  let before = { at: clock.now(), bytes: 0 };
  let cancel = (): void => {};
  const tick = (): void => {
    cancel = clock.after(TICK_MS, () => {
      const { taken, received } = stream.stats;
      const now = { at: clock.now(), bytes: taken + received };
      const { rttMs } = transport.measured;
      progress(
        [
          ...(taken > 0 || received === 0 ? [`${amount(taken)} sent`] : []),
          ...(received > 0 ? [`${amount(received)} received`] : []),
          rate(now.bytes - before.bytes, now.at - before.at),
          ...(rttMs === undefined ? [] : [`${Math.round(rttMs)} ms`]),
        ].join(', '),
      );
      before = now;
      tick();
    });
  };
  tick();
  return () => cancel();
}

/** How much a relay carries: as many datagrams under way as it takes without losing them, each way for itself. */
import type { Datagram, Env } from '../../net/env.ts';
import { ignoreNetError } from '../../net/env.ts';
import { Gate } from '../../net/wait.ts';
import type { HeldRelay } from './options.ts';
import type { End } from './conversation.ts';
import type { LoadResult } from './result.ts';

/** Of a datagram: fits every path with the headers of a relay. */
const BYTES = 1_200;
/** Under way at the beginning, and at most. */
const FIRST_WINDOW = 8;
const MOST_WINDOW = 1_024;
/** Nothing came for so long, or for so many round trips: what is under way is lost. */
const STALL_MS = 20;
const STALL_ROUND_TRIPS = 8;
/** No STUN, no ChannelData, and none of a conversation's. */
const FIRST_BYTE = 0xfe;

/** `ms` for each direction. Rejects with the signal's reason. */
export async function measureLoad(
  env: Pick<Env, 'clock'>,
  { client, peer, result }: HeldRelay,
  ms: number,
  signal: AbortSignal,
): Promise<LoadResult> {
  const stallMs = Math.max(STALL_MS, STALL_ROUND_TRIPS * (result.data.peer?.rttMs ?? 0));
  const out = await flood(env, client, peer, { ms, stallMs }, signal);
  const back = await flood(env, peer, client, { ms, stallMs }, signal);
  return {
    seconds: ms / 1000,
    mbitPerSecond: { out: out.mbit, in: back.mbit },
    lossPercent: { out: out.loss, in: back.loss },
  };
}

/** A window as TCP has one: it grows with what arrives and halves when something is lost. */
async function flood(
  { clock }: Pick<Env, 'clock'>,
  from: End,
  to: End,
  { ms, stallMs }: { readonly ms: number; readonly stallMs: number },
  signal: AbortSignal,
): Promise<{ readonly mbit: number; readonly loss: number }> {
  const gate = new Gate(clock);
  const startedAt = clock.now();
  const endsAt = startedAt + ms;
  let [sent, received, settled, lost, highest] = [0, 0, 0, 0, -1];
  let window = FIRST_WINDOW;
  let lastLossAt = 0;
  const message = (number: number): Uint8Array => {
    const bytes = new Uint8Array(BYTES);
    bytes[0] = FIRST_BYTE;
    new DataView(bytes.buffer).setUint32(1, number);
    return bytes;
  };
  const lose = (count: number): void => {
    lost += count;
    settled += count;
    // Once for what was under way together.
    if (sent - lastLossAt < window) return;
    lastLossAt = sent;
    window = Math.max(FIRST_WINDOW, window / 2);
  };
  const hear = ({ data }: Datagram): void => {
    if (data[0] !== FIRST_BYTE || data.length !== BYTES) return;
    const number = new DataView(data.buffer, data.byteOffset).getUint32(1);
    received++;
    if (number > highest) {
      settled++;
      if (number > highest + 1) lose(number - highest - 1);
      highest = number;
    } else lost--;
    window = Math.min(MOST_WINDOW, window + (received < 4 * FIRST_WINDOW ? 1 : 4 / window));
    gate.notify();
  };
  to.ears.add(hear);
  try {
    while (clock.now() < endsAt) {
      while (sent - settled < window && from.to) from.socket.send(message(sent++), from.to).catch(ignoreNetError);
      const before = received;
      if (!(await gate.wait(() => received !== before, Math.min(stallMs, Math.max(1, endsAt - clock.now())), signal)))
        if (clock.now() < endsAt) lose(sent - settled);
    }
    const until = sent;
    await gate.wait(() => received + lost >= until, stallMs, signal);
  } finally {
    to.ears.delete(hear);
  }
  const seconds = ms / 1000;
  return {
    mbit: Math.round((received * BYTES * 8) / seconds / 10_000) / 100,
    loss: sent === 0 ? 0 : Math.round((1000 * Math.max(0, sent - received)) / sent) / 10,
  };
}

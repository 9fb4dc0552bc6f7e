/** Talk both ways between a hole and the outside: what Linux calls a stream, and gives a longer life, must last more than two seconds. */
import { sleep, Waits } from '../../net/wait.ts';
import type { Call, Field } from './field.ts';
import type { Hole } from './hole.ts';

/** nf_conntrack_udp_packet: stream_ts is two seconds after the first packet. */
const STREAM_AFTER_MS = 2_100;
const AGAIN_EVERY_MS = 250;
const TRIES = 6;

/** One exchange, repeated until it is answered. False where it never was, or the hole has meanwhile become another one. */
async function exchange(field: Field, hole: Hole, signal: AbortSignal): Promise<boolean> {
  const before = hole.mapped;
  const calls: Call[] = [];
  const answered = (): Call | undefined => calls.find(({ heardAt }) => heardAt !== undefined);
  while (!answered() && calls.length < TRIES) {
    calls.push(field.call(hole, true));
    await field.gate.wait(() => answered() !== undefined, AGAIN_EVERY_MS + field.roundTripMs, signal);
  }
  const heard = answered();
  const [first] = calls;
  const last = calls[calls.length - 1];
  if (!heard?.mapped || !first || !last || heard.mapped.port !== before?.port) return false;
  hole.earliest = first.sentAt;
  // Answers to those that were sent again may still be on their way.
  hole.latest = Math.max(heard.heardAt ?? 0, calls.length > 1 ? last.sentAt + 2 * field.roundTripMs : 0);
  return field.isReachable(hole);
}

/** The second exchange of each hole, when it is due. Those that it fails with are left out, and closed. */
export async function talkOn(field: Field, holes: readonly Hole[], signal: AbortSignal): Promise<Hole[]> {
  const { clock } = field.env;
  const waits = new Waits(signal);
  const talk = async (hole: Hole, within: AbortSignal): Promise<boolean> => {
    await sleep(clock, Math.max(0, hole.latest + STREAM_AFTER_MS - clock.now()), within);
    return exchange(field, hole, within);
  };
  try {
    const done = await Promise.all(holes.map((hole) => waits.run((within) => talk(hole, within))));
    for (const [i, hole] of holes.entries()) if (!done[i]) field.close(hole);
    return holes.filter((_, i) => done[i]);
  } finally {
    waits.end();
  }
}

/** Goes on talking for so long, often enough. False where that fails. */
export async function talkFor(
  field: Field,
  hole: Hole,
  ms: number,
  everyMs: () => number,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock } = field.env;
  const until = hole.latest + ms;
  while (clock.now() < until) {
    await sleep(clock, Math.max(0, Math.min(everyMs(), until - clock.now())), signal);
    if (!(await exchange(field, hole, signal))) return false;
  }
  return true;
}

/** Opening many holes at once: paced, and no more than the NAT has room for. */
import { sleep } from '../../net/wait.ts';
import type { Call, Field } from './field.ts';
import type { Hole } from './hole.ts';
import type { After } from './series.ts';

/** 100 a second: a NAT's slow path takes no more, and a server may drop more. */
const PACE_MS = 10;
/** Those that got no answer are made anew as long as this has not passed. */
const WAVES_MS = 1_800;
/** Loss does not explain so many without an answer: a share of a wave, and of a few more that are tried for certainty. */
const MANY = 0.35;
const FEW_MORE = 8;
const BLOCKS: Readonly<Record<After, number>> = { 'both-ways': 16, 'one-packet': 12 };
/** A reserve is tried so often. */
const LATE_TRIES = 3;

export interface OpenedHoles {
  readonly holes: Readonly<Record<After, Hole[]>>;
  readonly asked: number;
  readonly unanswered: number;
  /** On a public side that the outside cannot send to, such as another address of the NAT. */
  readonly elsewhere: number;
  /** More went unanswered than loss explains. */
  readonly limited: boolean;
}

/** So many holes of each kind, as far as `most` sockets lead to them. */
export async function openHoles(
  field: Field,
  wanted: Readonly<Record<After, number>>,
  most: number,
  signal: AbortSignal,
): Promise<OpenedHoles> {
  const holes: Record<After, Hole[]> = { 'both-ways': [], 'one-packet': [] };
  const kinds = Object.keys(holes) as After[];
  let [asked, unanswered, elsewhere, limited] = [0, 0, 0, false];
  const until = field.env.clock.now() + WAVES_MS;
  let again: Hole[] = [];
  for (let few = false; field.env.clock.now() < until; ) {
    const lacks = (kind: After): number =>
      Math.max(0, wanted[kind] - holes[kind].length - (kind === 'both-ways' ? again.length : 0));
    const missing = inTurn(kinds.map((kind) => [kind, lacks(kind)]));
    const wave = await openWave(field, missing.slice(0, few ? FEW_MORE : most - field.mappings), signal, again);
    again = [];
    if (wave.length === 0) break;
    asked += wave.length;
    let silent = 0;
    for (const { kind, hole, call } of wave) {
      // Talk may begin with what is said again.
      if (kind === 'both-ways' && call.heardAt === undefined) again.push(hole);
      else if (settle(field, { hole, call })) holes[kind].push(hole);
      if (call.heardAt === undefined) silent++;
      else if (hole.mapped && !field.outside.reaches(hole.mapped)) elsewhere++;
    }
    unanswered += silent;
    // Answers to the holes themselves come back whichever public address they have.
    const plain = wave.filter(({ kind }) => kind === 'both-ways');
    if (plain.length < FEW_MORE / 2) continue;
    limited = plain.filter(({ call }) => call.heardAt === undefined).length > MANY * plain.length;
    if (limited) for (const hole of again.splice(0)) field.close(hole);
    if (few && limited) break;
    few = limited;
  }
  for (const hole of again) field.close(hole);
  return { holes, asked, unanswered, elsewhere, limited };
}

/** By blocks: a limit leaves some of each, and those that need longest begin first. */
function inTurn(counts: readonly (readonly [After, number])[]): After[] {
  const blocks = Math.max(0, ...counts.map(([kind, count]) => Math.ceil(count / BLOCKS[kind])));
  return Array.from({ length: blocks }, (_, i) =>
    counts.map(([kind, count]) =>
      Array<After>(Math.max(0, Math.min(BLOCKS[kind], count - i * BLOCKS[kind]))).fill(kind),
    ),
  ).flat(2);
}

async function openWave(
  field: Field,
  kinds: readonly After[],
  signal: AbortSignal,
  again: readonly Hole[] = [],
): Promise<{ kind: After; hole: Hole; call: Call }[]> {
  const wave: { kind: After; hole: Hole; call: Call }[] = [];
  const { clock } = field.env;
  const start = clock.now();
  const paced = async (kind: After, of: () => Hole | Promise<Hole>): Promise<void> => {
    const wait = start + wave.length * PACE_MS - clock.now();
    if (wait > 0) await sleep(clock, wait, signal);
    const hole = await of();
    wave.push({ kind, hole, call: field.call(hole, kind === 'both-ways') });
  };
  for (const hole of again) await paced('both-ways', () => hole);
  for (const kind of kinds)
    await paced(kind, () => {
      field.mappings++;
      return field.open(signal);
    });
  await field.gate.wait(() => wave.every(({ call }) => call.heardAt !== undefined), field.answerMs, signal);
  return wave;
}

/** One hole after one packet, now; undefined where none is to be had. */
export async function openLate(field: Field, signal: AbortSignal): Promise<Hole | undefined> {
  for (let i = 0; i < LATE_TRIES && field.mappings < field.mostMappings; i++) {
    const [opened] = await openWave(field, ['one-packet'], signal);
    if (opened && settle(field, opened)) return opened.hole;
  }
  return undefined;
}

/** Whether it was answered, and can be reached. Closes it otherwise. */
function settle(field: Field, { hole, call }: { readonly hole: Hole; readonly call: Call }): boolean {
  hole.mapped = call.mapped;
  hole.earliest = call.sentAt;
  hole.latest = call.heardAt ?? call.sentAt;
  const good = field.isReachable(hole);
  if (!good) field.close(hole);
  return good;
}

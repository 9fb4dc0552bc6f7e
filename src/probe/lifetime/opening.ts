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
const BLOCK = 16;
/** A reserve is tried so often. */
const LATE_TRIES = 3;

export interface Opened {
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
): Promise<Opened> {
  const holes: Record<After, Hole[]> = { 'both-ways': [], 'one-packet': [] };
  const kinds = Object.keys(holes) as After[];
  let [asked, unanswered, elsewhere, limited] = [0, 0, 0, false];
  const until = field.env.clock.now() + WAVES_MS;
  for (let few = false; field.env.clock.now() < until; ) {
    const missing = inTurn(kinds.map((kind) => Array<After>(wanted[kind] - holes[kind].length).fill(kind)));
    const wave = await openWave(field, missing.slice(0, few ? FEW_MORE : most - field.mappings), signal);
    if (wave.length === 0) break;
    asked += wave.length;
    let silent = 0;
    for (const { kind, hole, call } of wave) {
      if (settle(field, { hole, call })) holes[kind].push(hole);
      if (call.heardAt === undefined) silent++;
      else if (hole.mapped && !field.outside.reaches(hole.mapped)) elsewhere++;
    }
    unanswered += silent;
    // Answers to the holes themselves come back whichever public address they have.
    const plain = wave.filter(({ kind }) => kind === 'both-ways');
    if (plain.length < FEW_MORE / 2) continue;
    limited = plain.filter(({ call }) => call.heardAt === undefined).length > MANY * plain.length;
    if (few && limited) break;
    few = limited;
  }
  return { holes, asked, unanswered, elsewhere, limited };
}

/** By blocks: a limit leaves some of each, and those that need longest begin first. */
function inTurn(lists: readonly (readonly After[])[]): After[] {
  const blocks = Math.max(0, ...lists.map(({ length }) => Math.ceil(length / BLOCK)));
  return Array.from({ length: blocks }, (_, i) => lists.map((list) => list.slice(i * BLOCK, (i + 1) * BLOCK))).flat(2);
}

async function openWave(
  field: Field,
  kinds: readonly After[],
  signal: AbortSignal,
): Promise<{ kind: After; hole: Hole; call: Call }[]> {
  const wave: { kind: After; hole: Hole; call: Call }[] = [];
  const { clock } = field.env;
  const start = clock.now();
  for (const kind of kinds) {
    const wait = start + wave.length * PACE_MS - clock.now();
    if (wait > 0) await sleep(clock, wait, signal);
    const hole = await field.open(signal);
    field.mappings++;
    wave.push({ kind, hole, call: field.call(hole, kind === 'both-ways') });
  }
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

/** Which direction refreshes (RFC 4787 REQ-6): a hole that is kept with packets of one direction alone, and tried when those left alone are gone. */
import { sleep } from '../../net/wait.ts';
import type { Field } from './field.ts';
import type { Hole } from './hole.ts';
import type { AgeSeries } from './series.ts';
import { tryHole } from './trial.ts';

export type Direction = 'inbound' | 'outbound';

/** What became of a hole that was kept with packets of one direction. */
export interface Refreshed {
  readonly direction: Direction;
  /** The greatest age, counted from the last packet of the other direction, at which it was open, ms. */
  openMs: number;
  /** How long after its last refreshing packet it was found to be gone, ms; undefined while it was not. */
  goneMs: number | undefined;
  /** Its greatest age at which something was sent from inside, ms: had it been gone by then, that would have made it anew. */
  calledMs: number;
}

const SHORTEST_MS = 2_000;
const LONGEST_MS = 10_000;
/** Of the age that holes are known to reach: some of these packets may be lost. */
const SHARE = 0.3;
/** The first packet of an outbound one, at an age that every NAT outlives. */
const FIRST_CALL_MS = 2_500;
/** The sockets that tell are as old as the others to within their opening. */
const MARGIN_MS = 20;

/** How often something must be sent to stay within what is proven. */
export const refreshEveryMs = (series: readonly AgeSeries[]): number =>
  Math.min(LONGEST_MS, Math.max(SHORTEST_MS, SHARE * Math.min(...series.map(({ aliveMs }) => aliveMs))));

/** Open longer after the other direction's last packet than holes left alone ever were; or gone sooner after its own than they were seen open. */
export function refreshes(
  refreshed: readonly Refreshed[],
  series: AgeSeries,
  direction: Direction,
): 'yes' | 'no' | 'unknown' {
  const { deadMs, aliveMs } = series;
  if (deadMs === undefined) return 'unknown';
  const own = refreshed.filter((each) => each.direction === direction && each.calledMs <= aliveMs);
  const yes = own.some(({ openMs }) => openMs >= deadMs);
  const no = own.some(({ goneMs }) => goneMs !== undefined && goneMs < aliveMs);
  return yes === no ? 'unknown' : yes ? 'yes' : 'no';
}

/** Holes left alone are gone, or seem to be: then is the time to look at those that were kept. */
export const isOver = ({ end, silentMs }: AgeSeries): boolean => end !== undefined || silentMs !== undefined;

/** One hole that is kept. */
export class Kept {
  readonly facts: Refreshed;
  readonly #field: Field;
  readonly #hole: Hole;
  readonly #control: Hole;
  readonly #series: AgeSeries;
  readonly #quiet: { readonly earliest: number; readonly latest: number };
  #refreshedAt: number;

  constructor(field: Field, hole: Hole, control: Hole, series: AgeSeries, direction: Direction) {
    this.facts = { direction, openMs: 0, goneMs: undefined, calledMs: 0 };
    this.#field = field;
    this.#hole = hole;
    this.#control = control;
    this.#series = series;
    this.#quiet = { earliest: hole.earliest, latest: hole.latest };
    this.#refreshedAt = hole.earliest;
  }

  /** Packets from outside, until the series has ended or it is gone. Rejects with the signal's reason. */
  async knockOn(signal: AbortSignal): Promise<void> {
    const ended = (): boolean => isOver(this.#series);
    while (this.facts.goneMs === undefined) {
      if (await this.#field.gate.wait(ended, refreshEveryMs([this.#series]), signal)) return;
      await this.#look(signal);
    }
  }

  /** One packet from inside, early: the hole then outlives the others by as much. */
  async callOnce(signal: AbortSignal): Promise<void> {
    const { clock } = this.#field.env;
    await sleep(clock, Math.max(0, this.#quiet.latest + FIRST_CALL_MS - clock.now()), signal);
    for (let i = 0; i < 2; i++) if (await this.#call(signal)) return;
  }

  /** Packets from inside, as long as the hole must be there. */
  async callOn(signal: AbortSignal): Promise<void> {
    const { gate, env } = this.#field;
    const series = this.#series;
    for (let proven = 0; !isOver(series); proven = series.aliveMs) {
      await gate.wait(() => isOver(series) || series.aliveMs > proven, LONGEST_MS, signal);
      const ageMs = env.clock.now() + this.#field.roundTripMs - this.#quiet.earliest;
      if (!isOver(series) && ageMs < series.aliveMs) await this.#call(signal);
    }
  }

  /** Tries it when it is as old as those that were found to be gone. */
  async lastLook(signal: AbortSignal): Promise<void> {
    const { deadMs = this.#series.silentMs } = this.#series;
    if (deadMs === undefined || this.facts.goneMs !== undefined) return;
    const { clock } = this.#field.env;
    await sleep(clock, Math.max(0, this.#quiet.latest + deadMs + MARGIN_MS - clock.now()), signal);
    await this.#look(signal);
  }

  async #call(signal: AbortSignal): Promise<boolean> {
    const call = this.#field.call(this.#hole, false);
    this.facts.calledMs = call.sentAt + this.#field.roundTripMs - this.#quiet.earliest;
    if (!(await this.#field.gate.wait(() => call.heardAt !== undefined, this.#field.answerMs, signal))) return false;
    this.#refreshedAt = call.sentAt;
    return true;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { outcome, from, to } = await tryHole(this.#field, this.#hole, { control: this.#control }, signal);
    if (outcome === 'silent') this.facts.goneMs = to - this.#refreshedAt;
    if (outcome !== 'alive') return;
    this.facts.openMs = Math.max(this.facts.openMs, from - this.#quiet.latest);
    if (this.facts.direction === 'inbound') this.#refreshedAt = from;
  }
}

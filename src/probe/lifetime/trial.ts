/**
 * Whether a hole is still there: packets from outside to it, each beside one to the control. What comes in is proof. Silence is
 * statistics: it counts only by tries whose control came in, so that neither loss, nor an outage, nor a server that has had enough of us
 * passes for a hole that is gone.
 */
import type { Field, Knock } from './field.ts';
import type { Hole } from './hole.ts';

/** Loss explains so many tries with less than one in a million at 5 % loss each way; they last long enough for bursts to end. */
const TRIES = 6;
/** Of a witness, which only has to confirm. */
const WITNESS_TRIES = 3;
/** Of a reserve, which has no witness. */
const RESERVE_TRIES = 7;
/** Between tries: half of a round trip, so that the third has had its time when others are asked too. */
const [LEAST_EVERY_MS, MOST_EVERY_MS] = [100, 240];
/** After so many tries without the control, or so many in all, the network is away, or the server has had enough, and is asked less often. */
const PATIENT_AFTER = { missed: 5, tries: 16 } as const;
const PATIENT_MS = 500;
const MOST_TRIES = 40;
/** Of one alone nobody knows whether the NAT lost all that it knew just before it was used. */
const LEAST_SENTINELS = 2;
/** Only a hole that stays silent is worth more packets than its own. */
const COMPANY_FROM = 3;

export interface Company {
  /** The hole that is always open. */
  readonly control: Hole;
  /** One of the same kind and age: when it is open, this one's silence is not the NAT's rule. */
  readonly witness?: Hole | undefined;
  /** Those that were used so recently that they must be open: when one is silent too, the NAT has lost what it knew. */
  readonly sentinels?: readonly Hole[] | undefined;
  /** Younger ones of the same kind, which narrow the bounds down. */
  readonly reserves?: readonly Hole[] | undefined;
  /** It did not answer soon; and then, it has been silent for as many tries as it takes, whatever the others tell. */
  readonly onStage?: ((stage: 'suspected' | 'silent') => void) | undefined;
}

/** When packets were sent that were answered by one, or by none; on the clock's scale. */
interface Span {
  /** First try. */
  readonly from: number;
  /** End of the last one that counts. */
  readonly to: number;
}

/** `odd`: silent, but the witness was not. `void`: nothing can be said. */
export interface Trial extends Span {
  readonly outcome: 'alive' | 'silent' | 'odd' | 'state-lost' | 'void';
  /** Of a silence: the sentinels were heard, and no witness spoke against it. */
  readonly certified: boolean;
  /** Packets were sent to witness and reserves too, which may have refreshed them. */
  readonly inCompany: boolean;
  readonly reserves: readonly (Span & { readonly hole: Hole; readonly outcome: 'alive' | 'silent' })[];
}

/** The tries at one hole. */
class Tries {
  readonly hole: Hole;
  readonly #tries: { readonly knock: Knock; readonly beside: { readonly control: Knock | undefined } }[] = [];

  constructor(hole: Hole) {
    this.hole = hole;
  }

  /** Sends one more packet to it; `control` is the one that is beside it. */
  add(field: Field, beside: { control: Knock | undefined }): void {
    this.#tries.push({ knock: field.knock(this.hole), beside });
  }

  get heard(): boolean {
    return this.#tries.some(({ knock }) => knock.heardAt !== undefined);
  }

  /** Those beside which the control was heard. */
  get counted(): number {
    return this.#tries.filter(({ beside }) => beside.control?.heardAt !== undefined).length;
  }

  /** Until the so manieth that counts was over; undefined while there are fewer. */
  until(counted: number): Span | undefined {
    const ends = this.#tries.flatMap(({ beside }) => beside.control?.heardAt ?? []);
    const [first] = this.#tries;
    const to = ends[counted - 1];
    return first && to !== undefined ? { from: first.knock.sentAt, to } : undefined;
  }
}

/** Rejects with the signal's reason. */
export async function tryHole(field: Field, hole: Hole, company: Company, signal: AbortSignal): Promise<Trial> {
  const { clock } = field.env;
  const own = new Tries(hole);
  const witness = company.witness && new Tries(company.witness);
  const watched = (company.sentinels ?? []).map((each) => new Tries(each));
  const reserves = (company.reserves ?? []).map((each) => new Tries(each));
  const from = clock.now();
  const controls: Knock[] = [];
  let inCompany = false;
  const ended = (outcome: Trial['outcome'], certified = false): Trial => ({
    outcome,
    certified,
    inCompany,
    reserves: reserves.flatMap((each) => {
      const silence = each.until(RESERVE_TRIES);
      if (each.hole.spoiled || !(each.heard || silence)) return [];
      const span = silence ?? each.until(1) ?? { from, to: clock.now() };
      return [{ ...span, hole: each.hole, outcome: each.heard ? 'alive' : 'silent' }];
    }),
    ...(own.until(TRIES) ?? { from, to: clock.now() }),
  });
  let told: 'suspected' | 'silent' | undefined;
  const tell = (stage: 'suspected' | 'silent'): void => {
    if (told !== stage) company.onStage?.(stage);
    told = stage;
  };
  const everyMs = Math.min(MOST_EVERY_MS, Math.max(LEAST_EVERY_MS, field.roundTripMs / 2));
  for (let i = 0; i < MOST_TRIES; i++) {
    // The control comes last: where a limit was reached on the way, it is the first that does not come in.
    const beside: { control: Knock | undefined } = { control: undefined };
    if (!own.until(TRIES)) own.add(field, beside);
    if (i >= COMPANY_FROM) {
      if (!inCompany) tell('suspected');
      inCompany = true;
      witness?.add(field, beside);
      for (const each of [...watched, ...reserves]) if (!each.heard && !each.hole.closed) each.add(field, beside);
    }
    beside.control = field.knock(company.control);
    controls.push(beside.control);
    const missed = controls.filter(({ heardAt }) => heardAt === undefined).length;
    const isPatient = i >= PATIENT_AFTER.tries || missed > PATIENT_AFTER.missed;
    await field.gate.wait(() => own.heard, isPatient ? PATIENT_MS : everyMs, signal);
    if (hole.spoiled || field.clocksParted) return ended('void');
    if (own.heard) return ended('alive');
    if (!own.until(TRIES)) continue;
    tell('silent');
    if (witness?.heard) return ended('odd');
    if (witness && witness.counted < WITNESS_TRIES) continue;
    // One of the other kind may have been replaced meanwhile.
    const sentinels = watched.filter(({ hole: { closed }, heard }) => heard || !closed);
    if (sentinels.some((each) => !each.heard && each.counted >= TRIES)) return ended('state-lost');
    const open = reserves.some((each) => !each.heard && !each.hole.spoiled && !each.until(RESERVE_TRIES));
    if (sentinels.some(({ heard }) => !heard)) continue;
    if (sentinels.length < LEAST_SENTINELS) return ended('silent');
    if (!open) return ended('silent', true);
  }
  return ended('void');
}

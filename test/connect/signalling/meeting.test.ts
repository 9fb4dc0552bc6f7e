import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Meeting, type MeetingAction } from '../../../src/connect/signalling/meeting.ts';
import { seededRandom } from '../../../src/lab/random.ts';

const KEY = new Uint8Array(32).fill(7);
const name = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);
const text = (of: string): Uint8Array => new TextEncoder().encode(of);

/** Members at a place that may lose, repeat and reorder, on a clock of their own. */
class Place {
  now = 0;
  readonly members: { readonly id: number; readonly meeting: Meeting; readonly heard: string[]; paired: boolean }[] =
    [];
  readonly said: { readonly by: number; readonly at: number; readonly bytes: Uint8Array }[] = [];
  readonly #mail: { readonly at: number; readonly to: number; readonly bytes: Uint8Array }[] = [];
  readonly #fate: (nth: number) => readonly number[];

  /** `fate`: when the nth delivery arrives, as delays, none of them where it is lost. */
  constructor(fate: (nth: number) => readonly number[] = () => [10]) {
    this.#fate = fate;
  }

  join(id: number, payload = `state of ${id}`, key = KEY): void {
    const meeting = new Meeting({ member: name(id), key, random: seededRandom(id, 'meeting') });
    this.members.push({ id, meeting, heard: [], paired: false });
    this.feed(id, { kind: 'publish', payload: text(payload) });
    this.feed(id, { kind: 'opened' });
  }

  feed(id: number, event: Parameters<Meeting['handle']>[0]): void {
    const member = this.members.find((each) => each.id === id);
    if (member) this.#carry(id, member.meeting.handle(event, this.now));
  }

  inject(to: number, bytes: Uint8Array): void {
    this.feed(to, { kind: 'heard', bytes });
  }

  run(untilMs: number): void {
    for (;;) {
      const wakes = this.members.map(({ meeting }) => meeting.wakeAt() ?? Number.POSITIVE_INFINITY);
      const next = Math.min(...wakes, ...this.#mail.map(({ at }) => at));
      if (next > untilMs) break;
      this.now = Math.max(this.now, next);
      const due = this.#mail.filter(({ at }) => at <= this.now);
      for (const each of due) this.#mail.splice(this.#mail.indexOf(each), 1);
      for (const { to, bytes } of due) this.inject(to, bytes);
      for (const { id, meeting } of this.members) this.#carry(id, meeting.wake(this.now));
    }
    this.now = untilMs;
  }

  of(id: number) {
    return this.members.find((each) => each.id === id);
  }

  #carry(id: number, actions: readonly MeetingAction[]): void {
    const member = this.of(id);
    for (const action of actions) {
      if (action.kind === 'say') {
        this.said.push({ by: id, at: this.now, bytes: action.bytes });
        for (const other of this.members)
          for (const delay of this.#fate(this.said.length * 10 + other.id))
            this.#mail.push({ at: this.now + delay, to: other.id, bytes: action.bytes });
      } else if (action.kind === 'peer' && member) member.heard.push(new TextDecoder().decode(action.payload));
      else if (action.kind === 'paired' && member) member.paired = true;
    }
  }
}

describe('a meeting', () => {
  it('tells each of the other, one way after the second has come and a half more', () => {
    const place = new Place();
    place.join(1);
    place.run(5_000);
    place.join(2);
    // Its word, the answer to it, and the answer to that: 10 ms each.
    place.run(5_020);
    expect(place.of(2)?.heard).toEqual(['state of 1']);
    place.run(5_030);
    expect(place.of(1)?.heard).toEqual(['state of 2']);
  });

  it('falls silent when each knows that it was heard', () => {
    const place = new Place();
    place.join(1);
    place.join(2);
    place.run(1_000);
    const before = place.said.length;
    place.run(25_000);
    expect(place.said.length).toBe(before);
    expect(before).toBeLessThanOrEqual(8);
  });

  it('speaks less and less often while it is alone', () => {
    const place = new Place();
    place.join(1);
    place.run(600_000);
    expect(place.said.length).toBeLessThanOrEqual(27);
  });

  it('tells every change, the last one for certain', () => {
    const place = new Place();
    place.join(1);
    place.join(2);
    place.run(500);
    for (const nth of [1, 2, 3]) {
      place.feed(1, { kind: 'publish', payload: text(`change ${nth}`) });
      place.run(500 + nth);
    }
    place.run(1_000);
    expect(place.of(2)?.heard.at(-1)).toBe('change 3');
  });

  it('comes together whatever a broker loses, repeats and reorders', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = seededRandom(seed, 'fate');
        const fate = (): number[] =>
          random.below(100) < 35 ? [] : Array.from({ length: 1 + random.below(2) }, () => random.below(900));
        const place = new Place(fate);
        place.join(1);
        place.run(random.below(3_000));
        place.join(2);
        place.run(place.now + 500);
        place.feed(1, { kind: 'publish', payload: text('last word') });
        place.run(place.now + 120_000);
        expect(place.of(1)?.heard.at(-1)).toBe('state of 2');
        expect(place.of(2)?.heard.at(-1)).toBe('last word');
      }),
      { numRuns: Number(process.env['NAT_TOOL_RUNS'] ?? 150) },
    );
  });

  it('does not take a recording for somebody who is there', () => {
    const before = new Place();
    before.join(3);
    before.join(4);
    before.run(1_000);
    const place = new Place();
    place.join(1);
    for (let round = 0; round < 20; round++) {
      for (const { bytes } of before.said) place.inject(1, bytes);
      place.run(place.now + 100);
    }
    expect(place.of(1)).toMatchObject({ heard: [], paired: false });
    // And is not made to talk by it: 20 answers a minute, beside its own rounds.
    expect(place.said.length).toBeLessThanOrEqual(24);
    place.join(2);
    place.run(place.now + 61_000);
    expect(place.of(1)?.heard).toEqual(['state of 2']);
  });

  it('listens to nobody else once it is paired, and to nothing older', () => {
    const place = new Place();
    place.join(1);
    place.join(2);
    place.run(1_000);
    place.feed(2, { kind: 'publish', payload: text('newer') });
    place.run(2_000);
    place.join(5);
    place.run(5_000);
    for (const { bytes } of place.said) place.inject(1, bytes);
    expect(place.of(1)?.heard).toEqual(['state of 2', 'newer']);
    expect(place.of(5)?.paired).toBe(false);
  });

  it('hears nothing of those with another code, and of what is damaged', () => {
    const place = new Place();
    place.join(1);
    place.join(2, 'x', new Uint8Array(32).fill(8));
    place.run(60_000);
    expect(place.of(1)?.heard).toEqual([]);
    const [first] = place.said;
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = (first as { bytes: Uint8Array }).bytes.slice();
        const i = at % bytes.length;
        bytes[i] = (bytes[i] as number) ^ flip;
        place.inject(2, bytes);
        expect(place.of(2)?.heard).toEqual([]);
      }),
    );
  });

  it('says goodbye to whom it met', () => {
    const place = new Place();
    place.join(1);
    place.join(2);
    place.run(1_000);
    const left: string[] = [];
    const { meeting } = place.of(1) as { meeting: Meeting };
    place.feed(2, { kind: 'close' });
    const last = place.said.at(-1) as { bytes: Uint8Array };
    for (const { kind } of meeting.handle({ kind: 'heard', bytes: last.bytes }, place.now)) left.push(kind);
    expect(left).toEqual(['peer-left']);
  });
});

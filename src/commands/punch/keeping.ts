/** `--keepalive`: the hole is kept, and what becomes of it is said as it happens. */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import { type KeptHole, type KeepOptions, keepOpen } from '../../probe/punch/keep-open.ts';
import type { LocalPort } from '../../probe/punch/local-port.ts';
import type { Punched } from '../../probe/punch/punch.ts';
import type { Recollection } from '../../probe/punch/remembrance.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { KEEPALIVE_MS } from '../arguments.ts';
import type { Context } from '../command.ts';
import { seconds } from '../datagrams/seconds.ts';

export class Keeping {
  readonly #context: Pick<Context, 'env' | 'note'>;
  readonly #to: Endpoint;
  readonly #name: string;
  readonly #every: number | 'auto';
  /** Sources whose punches came in, in that order. */
  readonly #heard = new Set<string>();
  /** ms */
  #forgotten: { readonly withinMs: number; readonly heldMs: number | null } | undefined;

  readonly #usualMs: number;

  /** `usualMs`: what `auto` begins with. */
  constructor(context: Pick<Context, 'env' | 'note'>, to: Endpoint, every: number | 'auto', usualMs = KEEPALIVE_MS) {
    this.#context = context;
    this.#to = to;
    this.#name = formatEndpoint(to);
    this.#every = every;
    this.#usualMs = usualMs;
  }

  /** Until the signal aborts. */
  async run(
    port: LocalPort,
    punched: Punched,
    packets: Pick<KeepOptions, 'payload' | 'ttl'>,
    signal: AbortSignal,
  ): Promise<{ readonly punched: Punched; readonly forgotten: Finding | undefined }> {
    const { env, note } = this.#context;
    note(`keeping the hole to ${this.#name} open; interrupt to stop`);
    const kept: KeptHole = await keepOpen(
      env,
      port,
      this.#to,
      {
        ...packets,
        everyMs: this.#every === 'auto' ? this.#usualMs : this.#every,
        adapts: this.#every === 'auto',
        peer: punched.peer,
        onHeard: (from) => this.#hear(from),
        onOpen: ({ rttMs, speaker }) =>
          note(
            `the hole is open both ways: ${this.#name} ${speaker === 'echo' ? 'sends back what it gets' : 'answers'} in ${rttMs.toFixed(1)} ms`,
          ),
        onSeen: (seen, recollection) => this.#see(seen, recollection),
        onLost: (silenceMs) =>
          note(
            `${this.#name} answers no more: it has ended, or a NAT on the way forgot the hole in a silence of ${seconds(silenceMs, 'up')} s; then a shorter --keepalive on both sides would hold it`,
          ),
      },
      signal,
    );
    const forgotten = this.#forgotten;
    return {
      punched: {
        ...punched,
        sent: punched.sent + kept.sent,
        peer: kept.peer,
        heard: punched.heard || this.#heard.size > 0,
      },
      forgotten:
        forgotten &&
        finding('mapping-forgotten', {
          withinS: seconds(forgotten.withinMs, 'up'),
          keepaliveS: forgotten.heldMs === null ? null : seconds(forgotten.heldMs, 'down'),
        }),
    };
  }

  #hear(from: Endpoint): void {
    const name = formatEndpoint(from);
    if (this.#heard.has(name)) return;
    const before = [...this.#heard].at(-1);
    this.#context.note(
      `a punch of ${name} came in and was answered${before === undefined ? '' : `; it came from ${before} before: the NAT there forgot that, and a shorter --keepalive there would hold it`}`,
    );
    this.#heard.add(name);
  }

  #see(seen: Endpoint, recollection: Recollection): void {
    const { note } = this.#context;
    const now = `the public side towards ${this.#name} is ${formatEndpoint(seen)} now`;
    if (recollection.kind === 'forgotten') {
      const { was, withinMs } = recollection;
      this.#forgotten = {
        withinMs: Math.min(withinMs, this.#forgotten?.withinMs ?? withinMs),
        heldMs: this.#forgotten?.heldMs ?? null,
      };
      note(`${now}: the NAT forgot ${formatEndpoint(was)} after at most ${seconds(withinMs, 'up')} s without a packet`);
    } else if (recollection.kind === 'moved')
      note(
        `${now}, and was ${formatEndpoint(recollection.was)}: the router restarted, or the line has another address`,
      );
    else if (recollection.kind === 'held' && this.#forgotten) {
      this.#forgotten = { ...this.#forgotten, heldMs: recollection.silenceMs };
      const s = seconds(recollection.silenceMs, 'down');
      note(
        this.#every === 'auto'
          ? `a packet every ${s} s holds it: from now on there is one so often`
          : `a packet every ${s} s would hold it: --keepalive ${s}`,
      );
    }
  }
}

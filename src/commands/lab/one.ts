/** `lab COMMAND`: one command on host A. */
import { diagram } from '../../lab/ladder.ts';
import { createLab, DEFAULT_SERVER, type Lab, type LabOptions } from '../../lab/topology.ts';
import { toMicroseconds } from '../../net/round.ts';
import { type Block, heading } from '../../render/block.ts';
import type { Context } from '../command.ts';
import type { LabRun, One } from './data.ts';
import { inside, load, networkOf } from './network.ts';
import { type Args, OWN_WORDS } from './options.ts';
import { legend, packetLadder } from './packets.ts';

/** What goes on until somebody interrupts it is interrupted after a day in the simulated network. */
const DAY_MS = 24 * 3600 * 1000;

interface Chunk {
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

export async function runOnce(
  options: LabOptions & { readonly nat: string },
  command: readonly string[],
  context: Context,
): Promise<{ lab: Lab; run: LabRun; output: readonly Chunk[] }> {
  const output: Chunk[] = [];
  const lab = createLab({ ...options, addressServices: true });
  await load(command.filter((word) => !word.startsWith('-')).slice(0, 1), context);
  const invocation = await inside(
    () =>
      lab.run(
        async (env, signal) => {
          const evening = new AbortController();
          const cancel = env.clock.after(DAY_MS, () => evening.abort(new DOMException('interrupted', 'AbortError')));
          return await context
            .invoke(command, {
              env,
              signal: AbortSignal.any([signal, evening.signal]),
              environment: { NAT_TOOL_SERVER: (options.servers ?? [DEFAULT_SERVER]).map(({ name }) => name).join(',') },
              alsoKnown: OWN_WORDS,
              onOutput: (stream, text) => void output.push({ stream, text }),
              ...(context.io.stdinIsTTY ? {} : { stdin: context.io.stdin }),
            })
            .finally(cancel);
        },
        { signal: context.signal },
      ),
    `'${command.join(' ')}'`,
  );
  const { status, stdout, report } = invocation;
  return {
    lab,
    output,
    run: {
      nat: options.nat,
      truth: lab.truth,
      command,
      status,
      stdout,
      elapsedMs: toMicroseconds(lab.world.now),
      table: lab.forwarding(),
      report: report ?? null,
    },
  };
}

export async function playOne(args: Args, context: Context): Promise<One> {
  const options = { ...networkOf(args, args.nat2), nat: args.nat };
  const { lab, run, output } = await runOnce(options, args.command, context);
  // Both streams in the order in which the command wrote them; in the other forms the report holds its standard output.
  for (const { stream, text } of output)
    if (stream === 'stderr' || context.form === 'text') await context.io[stream].write(text);
  if (args.trace && context.form === 'text' && run.stdout !== '') await context.io.stdout.write('\n');
  return { kind: 'one', runs: [run], trace: args.trace ? { ...diagram(lab.trace), addresses: lab.addresses } : null };
}

/** What the command printed has been printed. */
export const viewTrace = (trace: One['trace']): Block[] =>
  trace && trace.steps.length > 0
    ? [heading('What happened'), legend(trace.addresses, [trace]), packetLadder(trace, trace.addresses)]
    : [];

/** For `--plain`. */
export const plainRun = (run: LabRun): [string, string][] => [
  ['nat', run.nat],
  ['truth', run.truth.type],
  ['status', String(run.status)],
  ...run.table.map((row): [string, string] => ['table', `${row.private} ${row.public} ${row.remote}`]),
];

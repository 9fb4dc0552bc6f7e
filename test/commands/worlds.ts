/** Commands of this tool on several hosts of one simulated network, at once. */
import { loadAll } from '../../src/cli/execute.ts';
import type { Report } from '../../src/report/report.ts';
import type { Env } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';
import type { Lab } from '../../src/lab/topology.ts';
import { allCommands, listOf, run as runAnywhere, type RunOptions, type RunResult } from '../cli/harness.ts';

/** Loaded beforehand: virtual time does not wait for modules. */
const commands = listOf(...(await loadAll(allCommands())));
await import('../../src/render/table.ts');

/** A command line on a host. */
export const run = (argv: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
  runAnywhere(argv, { commands, ...options });

export interface Told<Data = Record<string, unknown>> extends RunResult {
  readonly report: Report<Data>;
  readonly events: readonly Record<string, unknown>[];
}

/** A command with `--json`: its report, which is the last line of a stream. */
export async function tell(env: Env, argv: readonly string[], options: RunOptions = {}): Promise<Told> {
  const result = await run([...argv, '--json'], { ...options, env });
  const documents = result.stdout.startsWith('{\n') ? [result.stdout] : result.stdout.trim().split('\n');
  const parsed = documents.filter((text) => text !== '').map((text) => JSON.parse(text));
  return { ...result, report: parsed.at(-1), events: parsed.slice(0, -1) };
}

/** Runs what is to happen on A and elsewhere, in virtual time, until all of it has ended. */
export const play = <T>(
  lab: Lab,
  main: (on: (host: string) => Env, later: (ms: number) => Promise<void>) => Promise<T>,
): Promise<T> =>
  lab.run((env) =>
    main(
      (host) => (host === 'A' ? env : lab.host(host)),
      (ms) => sleep(env.clock, ms),
    ),
  );

/** Aborts as Ctrl-C does. */
export function interruptible(): { readonly signal: AbortSignal; interrupt(): void } {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    interrupt: () => controller.abort(new DOMException('interrupted', 'AbortError')),
  };
}

export { startNameService as whoAmI, startWebService as webServer } from '../../src/lab/address-services.ts';

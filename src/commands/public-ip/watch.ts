/** Asking again and again. */
import { sleep } from '../../net/wait.ts';
import type { Survey } from '../../probe/public-address/survey.ts';
import type { Context } from '../command.ts';
import type { Change } from './report.ts';

/** Until interrupted. A round in which nobody answers changes nothing. */
export async function watch(
  survey: () => Promise<Survey>,
  everyMs: number,
  command: string | undefined,
  context: Context<Change>,
): Promise<Survey> {
  const { env, signal } = context;
  let previous: string | null = null;
  let silent = false;
  for (;;) {
    const result = await survey();
    const address = result.best?.address;
    if (address !== undefined && address !== previous) {
      await context.emit({ event: 'address', at: env.clock.date().toISOString(), address, previous });
      if (command !== undefined && !signal.aborted) {
        const status = await context.shell(command, { NAT_TOOL_ADDRESS: address, NAT_TOOL_PREVIOUS: previous ?? '' });
        if (status !== 0 && !signal.aborted)
          context.note(
            `nat-tool public-ip: the command ${status === null ? 'was ended by a signal or could not be started' : `ended with status ${status}`}`,
          );
      }
      previous = address;
    }
    if (address === undefined && !silent && !signal.aborted)
      context.note('nat-tool public-ip: nobody answered; trying on');
    silent = address === undefined;
    if (signal.aborted) return result;
    try {
      await sleep(env.clock, everyMs, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      return result;
    }
  }
}

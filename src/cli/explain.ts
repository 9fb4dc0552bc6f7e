/** Errors as words and exit statuses. */
import { type ExitStatus, UsageError } from '../commands/command.ts';
import { NetError } from '../net/env.ts';
import { visible, visibleOutput, wrap } from '../render/words.ts';
import { type Host, localised } from './host.ts';

/** Words the error, and says which status it is. */
export async function explain(error: unknown, who: string, verbose: boolean, host: Host): Promise<ExitStatus> {
  const stderr = { write: (text: string) => host.io.stderr.write(localised(host, text)) };
  // Between words; what is to be copied stands in the hint, and stays whole.
  const broken = (text: string): string =>
    wrap(visible(text), host.io.stderrColumns() ?? Number.POSITIVE_INFINITY).join('\n');
  if (error instanceof UsageError) {
    await stderr.write(
      `${broken(`${who}: ${error.message}`)}\n${error.hint ? `${visible(error.hint)}\n` : ''}Try '${who} --help'.\n`,
    );
    return 2;
  }
  if (
    host.signal.aborted &&
    (error === host.signal.reason || (error instanceof Error && error.name === 'AbortError'))
  ) {
    await stderr.write(`${who}: interrupted\n`);
    return 130;
  }
  if (error instanceof NetError) {
    await stderr.write(
      `${broken(`${who}: ${error.message}`)}\n${verbose && error.code ? `  ${error.kind} (${error.code})\n` : ''}`,
    );
    // An address that this host does not have is a wrong argument, and so is a port that is taken.
    return error.kind === 'not-available' || error.kind === 'in-use' ? 2 : 1;
  }
  const message = error instanceof Error ? error.message : String(error);
  const stack = verbose && error instanceof Error ? `${visibleOutput(error.stack ?? '')}\n` : '';
  await stderr.write(
    `${who}: internal error: ${visible(message)}\nThis is a bug in nat-tool. Please report it, with the output of the same command under -v.\n${stack}`,
  );
  return 70;
}

/** Of a wrong value, how many characters are said again: a whole file may have been pasted. */
const MOST_SHOWN = 200;

/** Misuse: the command line says something that cannot be meant. Exit status 2, no stack. */
export class UsageError extends Error {
  /** A further line that helps: the nearest option, an example. */
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'UsageError';
    this.hint = hint;
  }

  /** Names the argument, what was expected and what was given. */
  static expected(argument: string, expected: string, given: string): UsageError {
    return new UsageError(
      `${argument}: expected ${expected}, got ${given === '' ? 'nothing' : `'${given.length > MOST_SHOWN ? `${given.slice(0, MOST_SHOWN)}…` : given}'`}`,
    );
  }
}

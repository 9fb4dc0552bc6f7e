/** One word of the command line to the value that its spec says. */
import { type OptionSpec, UsageError } from '../commands/command.ts';
import { nearest } from '../net/nearest.ts';

const isNumber = (word: string): boolean => /^\d+(?:\.\d+)?$/.test(word);

/** Whether a word can be meant as the value of an option that may stand without one. */
export function canBeValue(spec: OptionSpec, word: string | undefined): boolean {
  try {
    if (word === undefined) return false;
    // A number out of its range is still meant as one.
    if (isNumber(word) && isNumber(spec.bare ?? '')) return true;
    convertText(spec, word, '');
    return true;
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}

export function convertText(
  spec: { readonly type?: string; readonly parse?: OptionSpec['parse']; readonly choices?: readonly string[] },
  text: string,
  argument: string,
): unknown {
  if (spec.choices && !spec.choices.includes(text)) {
    const near = nearest(text, spec.choices);
    const wrong = UsageError.expected(argument, `one of ${spec.choices.join(', ')}`, text);
    throw near === undefined ? wrong : new UsageError(wrong.message, `Did you mean '${near}'?`);
  }
  if (spec.parse) return spec.parse(text, argument);
  if (spec.type !== 'number') return text;
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(number)) throw UsageError.expected(argument, 'a number', text);
  return number;
}

/** Colour and character set, decided once from what the user and the terminal say. */
import type { Tone } from './block.ts';

/** Colours text, or leaves it as it is. */
export interface Theme {
  readonly colour: boolean;
  /** Whether the terminal can show more than ASCII. */
  readonly unicode: boolean;
  paint(text: string, tone: Tone): string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Order: the option, NO_COLOR (no-color.org), FORCE_COLOR, TERM=dumb, then whether it is a terminal. */
export function wantsColour(option: boolean | undefined, environment: Environment, isTTY: boolean): boolean {
  if (option !== undefined) return option;
  if (environment['NO_COLOR']) return false;
  const force = environment['FORCE_COLOR'];
  if (force !== undefined) return force !== '0' && force !== 'false';
  return isTTY && environment['TERM'] !== 'dumb';
}

/** Whether a line may be drawn over and over: not on paper, nor in the logs of CI. */
export const showsProgress = (environment: Environment): boolean =>
  environment['TERM'] !== 'dumb' && environment['CI'] === undefined;

/** By the locale variables in POSIX order; Windows Terminal says nothing there but can. */
export function wantsUnicode(environment: Environment): boolean {
  if (environment['TERM'] === 'dumb') return false;
  const locale = environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'];
  return locale ? /utf-?8/i.test(locale) : environment['WT_SESSION'] !== undefined;
}

export const plainTheme = (unicode: boolean): Theme => ({ colour: false, unicode, paint: (text) => text });

/** chalk is loaded only where there will be colour. */
export async function createTheme(colour: boolean, unicode: boolean): Promise<Theme> {
  if (!colour) return plainTheme(unicode);
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  const paints = {
    good: chalk.green,
    bad: chalk.red,
    warn: chalk.yellow,
    dim: chalk.dim,
    strong: chalk.bold,
  } satisfies Record<Tone, unknown>;
  return { colour, unicode, paint: (text, tone) => (text === '' ? text : paints[tone](text)) };
}

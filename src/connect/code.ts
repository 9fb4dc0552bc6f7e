/** The code that two people share and read out to each other. */
import type { Random } from '../net/env.ts';

/** Crockford's base 32: no I, L, O, U, so that a code can be read out. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const GROUP = 5;
const SYMBOLS = 20;
/** Symbols, and steps between neighbours. */
const LEAST_DIFFERENT = 8;
/** Where so many are weak, it is no chance any more. */
const MOST_TRIES = 16;

export type CodeErrorKind = 'length' | 'symbol' | 'mistyped' | 'weak';

/** Text that is no code. */
export class CodeError extends Error {
  readonly kind: CodeErrorKind;
  constructor(kind: CodeErrorKind, message: string) {
    super(message);
    this.name = 'CodeError';
    this.kind = kind;
  }
}

/** A fresh code: 95 random bits and a check symbol, as four groups of five, such as `k7qf2-m9x4t-03bsd-v8hwd`. */
export function generateCode(random: Random): string {
  let symbols: number[] = [];
  for (let tries = 0; tries < MOST_TRIES && isWeak(symbols); tries++)
    symbols = Array.from({ length: SYMBOLS - 1 }, () => random.below(32));
  return spell([...symbols, checkSymbol(symbols)]);
}

/** The canonical form. Case, spaces, dashes and dots do not matter; O is read as 0, I and L as 1. Throws {@link CodeError}. */
export function parseCode(text: string): string {
  const symbols: number[] = [];
  for (const letter of text.toLowerCase().replace(/[\s\p{Pd}._]/gu, '')) {
    const value = ALPHABET.indexOf(letter === 'o' ? '0' : letter === 'i' || letter === 'l' ? '1' : letter);
    if (value < 0) throw new CodeError('symbol', `a code has digits and letters without U, not '${letter}'`);
    symbols.push(value);
  }
  if (symbols.length !== SYMBOLS)
    throw new CodeError('length', `a code has ${SYMBOLS} letters and digits, not ${symbols.length}`);
  if (checkSymbol(symbols.slice(0, -1)) !== symbols[SYMBOLS - 1])
    throw new CodeError('mistyped', 'the code is mistyped: its last letter does not fit the others');
  if (isWeak(symbols.slice(0, -1)))
    throw new CodeError(
      'weak',
      'anybody could think of this code: nat-tool connect --generate makes one that nobody can guess',
    );
  return spell(symbols);
}

/** Few different symbols, or few different steps from one to the next, such as in 12345 and abcab: of random codes one in 250,000. */
const isWeak = (symbols: readonly number[]): boolean =>
  new Set(symbols).size < LEAST_DIFFERENT ||
  new Set(symbols.slice(1).map((value, i) => (value - (symbols[i] as number) + 32) % 32)).size < LEAST_DIFFERENT;

function spell(symbols: readonly number[]): string {
  const text = symbols.map((value) => ALPHABET[value]).join('');
  return Array.from({ length: SYMBOLS / GROUP }, (_, i) => text.slice(i * GROUP, (i + 1) * GROUP)).join('-');
}

/** Weighted sum modulo 31, a prime: finds any single wrong symbol (but 0 for z and back) and any two swapped neighbours. */
function checkSymbol(symbols: readonly number[]): number {
  return symbols.reduce((sum, value, i) => (sum + value * (i + 2)) % 31, 0);
}

/**
 * Inputs that once broke something, by target: `corpus/TARGET/WHAT.hex`, hexadecimal words, white space where one likes. `61*300` is a word three
 * hundred times; a line that begins with # is a remark.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hex, toHex } from '../vectors/hex.ts';

const ROOT = new URL('./corpus/', import.meta.url);

export function corpusOf(target: string): { readonly name: string; readonly input: Uint8Array }[] {
  const folder = new URL(`${target}/`, ROOT);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, input: bytesOf(readFileSync(new URL(name, folder), 'utf8')) }));
}

function bytesOf(file: string): Uint8Array {
  const words = file.replace(/^#.*$/gm, '').trim().split(/\s+/);
  return hex(words.map((word) => word.replace(/^(.*)\*(\d+)$/, (_, of: string, times) => of.repeat(times))).join(''));
}

/** For a person to name and to commit, once the cause is mended. */
export function keep(target: string, name: string, input: Uint8Array): void {
  const folder = new URL(`${target}/`, ROOT);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL(`${name}.hex`, folder), `${toHex(input)}\n`);
}

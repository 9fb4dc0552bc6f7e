/** The code that the documents and the sources show of the library, compiled and run. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'node:util';
import * as core from '../../src/index.ts';
import * as lab from '../../src/lab/index.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const ENTRIES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = { 'nat-tool': core, 'nat-tool/lab': lab };

const IMPORT = /^import \{ (.+) \} from '(nat-tool(?:\/lab)?)';$/gm;

/** What code imports, as [name, entry]. */
export const importsOf = (code: string): [string, string][] =>
  [...code.matchAll(IMPORT)].flatMap(([, names = '', entry = '']) =>
    names.split(', ').map((name): [string, string] => [name, entry]),
  );

/** What code says that it prints: the comment behind each `console.log`. */
export const promisesOf = (code: string): string[] =>
  [...code.matchAll(/^console\.log\(.*?\); \/\/ (.*)$/gm)].map(([, text]) => text ?? '');

/** What it prints. */
export async function printedBy(code: string): Promise<string[]> {
  const printed: string[] = [];
  const imports = importsOf(code);
  const values = imports.map(([name, entry]) => {
    const entryExports = ENTRIES[entry] ?? {};
    if (!(name in entryExports)) throw new Error(`${entry} exports no ${name}`);
    return entryExports[name];
  });
  const AsyncFunction = (async () => {}).constructor as new (
    ...parts: string[]
  ) => (...values: unknown[]) => Promise<void>;
  const run = new AsyncFunction('console', ...imports.map(([name]) => name), code.replace(IMPORT, ''));
  await run({ log: (...words: unknown[]) => printed.push(format(...words)) }, ...values);
  return printed;
}

/** What the compiler says of them, as modules of their own that import this package; the package itself has a check of its own. */
export function complaints(modules: readonly string[], strict = true): string {
  const directory = mkdtempSync(join(tmpdir(), 'nat-tool-library-'));
  try {
    for (const [i, code] of modules.entries()) writeFileSync(join(directory, `${i}.mts`), code);
    const compilerOptions = {
      paths: { 'nat-tool': [`${ROOT}src/index.ts`], 'nat-tool/lab': [`${ROOT}src/lab/index.ts`] },
      typeRoots: [`${ROOT}node_modules/@types`],
      types: ['node'],
      ...(!strict && { strictNullChecks: false, exactOptionalPropertyTypes: false, noUncheckedIndexedAccess: false }),
    };
    writeFileSync(
      join(directory, 'tsconfig.json'),
      JSON.stringify({
        extends: `${ROOT}tsconfig.json`,
        compilerOptions: { ...compilerOptions, rootDir: '/' },
        include: ['*.mts'],
      }),
    );
    return spawnSync(process.execPath, [`${ROOT}node_modules/typescript/bin/tsc`, '-p', directory], {
      encoding: 'utf8',
    })
      .stdout.split('\n')
      .filter((line) => /^error|\.mts\(/.test(line))
      .join('\n');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

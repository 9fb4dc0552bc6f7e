/** The public library: each export is documented where it is declared, and each example there runs and prints what it says. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { complaints, printedBy, promisesOf } from './library.ts';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));
const read = (file: string): string => readFileSync(SRC + file, 'utf8');

interface Exported {
  readonly entry: string;
  readonly name: string;
  readonly file: string;
}

/** What an entry exports, with the file that declares it, past re-exports. */
function exportsOf(entry: string): Exported[] {
  return [...read(entry).matchAll(/^export (?:type )?\{([^}]*)\} from '(\.[^']+)';/gm)].flatMap(
    ([, names = '', from = '']) =>
      names
        .split(',')
        .map((each) => each.trim().replace(/^type /, ''))
        .filter((name) => name !== '')
        .map((name) => ({ entry, name, file: declaring(name, posix.join(posix.dirname(entry), from)) })),
  );
}

function declaring(name: string, file: string): string {
  const again = new RegExp(`^export (?:type )?\\{[^}]*\\b${name}\\b[^}]*\\} from '(\\.[^']+)';`, 'm').exec(read(file));
  return again?.[1] === undefined ? file : declaring(name, posix.join(posix.dirname(file), again[1]));
}

/** The doc comment right before the declaration. */
const docOf = ({ name, file }: Exported): string | undefined =>
  new RegExp(
    `(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/)\\n(?:export )?(?:declare )?(?:async )?(?:abstract )?(?:function|class|const|interface|type) ${name}\\b`,
  ).exec(read(file))?.[1];

const ENTRIES = ['index.ts', 'lab/index.ts'];
const ALL = ENTRIES.flatMap(exportsOf);

/** What a newcomer starts with has an example. */
const WITH_EXAMPLE = [
  'transact',
  'query',
  'measureBehaviour',
  'conclude',
  'discover',
  'connect',
  'encode',
  'decode',
  'respond',
  'createLab',
  'parseNat',
];

interface Example {
  readonly file: string;
  readonly code: string;
}

const examples: readonly Example[] = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => join(entry.parentPath, entry.name).slice(SRC.length))
  .flatMap((file) =>
    [...read(file).matchAll(/^ \* @example\n \* ```js\n([\s\S]*?)^ \* ```$/gm)].map(([, code = '']) => ({
      file,
      code: code.replace(/^ \* ?/gm, ''),
    })),
  );

describe('the library', () => {
  it('has both entries', () => {
    for (const entry of ENTRIES) expect(ALL.filter((each) => each.entry === entry).length).toBeGreaterThan(5);
  });

  it('documents each export where it is declared', () => {
    expect(ALL.filter((each) => docOf(each) === undefined).map(({ file, name }) => `${file} ${name}`)).toEqual([]);
  });

  it.each(WITH_EXAMPLE)('shows an example of %s', (name) => {
    const exported = ALL.find((each) => each.name === name) ?? expect.fail('not exported');
    expect(docOf(exported)).toContain('@example');
  });

  it('has no name twice', () => {
    const names = ALL.map(({ name }) => name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });
});

describe('the examples in the sources', () => {
  it('are as many as there are @example tags', () => {
    const tags = readdirSync(SRC, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .reduce(
        (sum, entry) => sum + readFileSync(join(entry.parentPath, entry.name), 'utf8').split('@example').length - 1,
        0,
      );
    expect(examples).toHaveLength(tags);
  });

  it.each(examples.map(({ file, code }) => [`${dirname(file)}: ${/^console\.log\((.*)\);/m.exec(code)?.[1]}`, code]))(
    '%s',
    async (_, code) => {
      const promised = promisesOf(code);
      expect(promised.length).toBeGreaterThan(0);
      expect(await printedBy(code)).toEqual(promised);
    },
  );

  it('compile', () => {
    // They leave out, for brevity, the checks for what may be absent.
    expect(
      complaints(
        examples.map(({ code }) => code),
        false,
      ),
    ).toBe('');
    expect(complaints(["import { createLab } from 'nat-tool/lab';\ncreateLab({ nut: 'symmetric' });"])).toContain(
      'nut',
    );
  });
});

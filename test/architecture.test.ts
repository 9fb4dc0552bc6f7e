import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** Directories of src by floor. Imports only go down, or stay on their floor where that makes no circle. */
const FLOORS: Readonly<Record<string, number>> = {
  net: 0,
  nat: 1,
  stun: 1,
  sctp: 1,
  dtls: 1,
  webrtc: 3,
  rendezvous: 2,
  partner: 2,
  turn: 2,
  ice: 2,
  portmap: 2,
  connect: 3,
  report: 3,
  probe: 3,
  render: 4,
  commands: 4,
  cli: 5,
};
/** The worlds: they stand on floors 0–2, and only these may know them. */
const LEAVES: Readonly<Record<string, (file: string) => boolean>> = {
  node: (file) => ['start.ts', 'main.ts', 'worker.ts', 'index.ts'].includes(file),
  lab: (file) => file.startsWith('commands/lab/'),
};
/** The rooms that each of them stands on. */
const UNDER_LEAF: Readonly<Record<string, readonly string[]>> = {
  node: ['net'],
  lab: ['net', 'nat', 'stun', 'dtls', 'rendezvous', 'turn', 'portmap'],
};

/** What reaches for the world past the Env. */
const AMBIENT: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['Date.now', /\bDate\s*\.\s*now\b/],
  ['new Date()', /\bnew\s+Date\s*\(\s*\)/],
  ['performance', /\bperformance\s*\.\s*\w/],
  ['Math.random', /\bMath\s*\.\s*random\b/],
  ['timers', /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/],
  ['process', /(?<![\w.$'"-])process\s*(?:\.|\[)/],
  ['console', /\bconsole\s*\./],
  ['globalThis', /\bglobalThis\b/],
  ['AbortSignal.timeout', /\bAbortSignal\s*\.\s*timeout\b/],
  ['fetch', /(?<![\w.])fetch\s*\(/],
];
/** Built-in modules without effects on the world. */
const PURE_MODULES = new Set(['node:crypto', 'node:util', 'node:buffer']);
const MAY_TOUCH_THE_WORLD = (file: string): boolean =>
  file.startsWith('node/') || ['lab/world.ts', 'main.ts', 'start.ts'].includes(file);

type Sources = ReadonlyMap<string, string>;

const SPECIFIER = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(['"])([^'"\n]+)\1/g;

/** Comments and the contents of plain strings do not count as code. */
const code = (source: string): string =>
  source.replace(/\/\*[\s\S]*?\*\/|(?<=^|[\s;,{}()])\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, (match) =>
    match.startsWith('/') ? ' ' : "''",
  );

/** Put in by the build (.ci/page.mjs). */
const isText = (name: string): boolean => /\/page\.(?:html|css|script)$/.test(name);

const uncommented = (source: string): string => source.replace(/\/\*[\s\S]*?\*\/|(?<=^|[\s;,{}()])\/\/[^\n]*/g, ' ');

function importsOf(file: string, source: string): { readonly inner: string[]; readonly outer: string[] } {
  const all = [...uncommented(source).matchAll(SPECIFIER)].map((match) => match[2] ?? '');
  return {
    inner: all
      .filter((name) => name.startsWith('.') && !isText(name))
      .map((name) => posix.normalize(posix.join(posix.dirname(file), name))),
    outer: all.filter((name) => !name.startsWith('.')),
  };
}

/** Every breach of the house rules in these sources, by paths relative to src. */
function breaches(sources: Sources): string[] {
  const found: string[] = [];
  for (const [file, source] of sources) {
    const from = file.includes('/') ? (file.split('/')[0] ?? '') : '';
    const { inner, outer } = importsOf(file, source);
    for (const target of inner) {
      if (!sources.has(target)) found.push(`${file} imports ${target}, which does not exist`);
      const to = target.split('/')[0] ?? '';
      const leaf = LEAVES[to];
      if (from === to || (from === '' && leaf === undefined)) continue;
      if (leaf) {
        if (!leaf(file)) found.push(`${file} knows the leaf ${target}`);
        continue;
      }
      const under = UNDER_LEAF[from];
      if (under) {
        if (!under.includes(to)) found.push(`${file} imports ${target}, on which ${from} does not stand`);
        continue;
      }
      const floor = FLOORS[to];
      const limit = FLOORS[from];
      if (floor === undefined || limit === undefined)
        found.push(`${file} imports ${target}: no floor is known for one of them`);
      else if (floor > limit) found.push(`${file} imports ${target}, on a higher floor`);
    }
    if (MAY_TOUCH_THE_WORLD(file)) continue;
    for (const name of outer) {
      if (name.startsWith('node:') && !PURE_MODULES.has(name)) found.push(`${file} imports ${name}`);
    }
    for (const [name, pattern] of AMBIENT) {
      if (pattern.test(code(source))) found.push(`${file} uses ${name}`);
    }
  }
  return [...found, ...circles(sources).map((circle) => `circle: ${circle.join(' -> ')}`)];
}

/** One circle for each edge that closes one, by depth-first search. */
function circles(sources: Sources): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const at = path.indexOf(file);
    if (at >= 0) {
      found.push([...path.slice(at), file]);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const next of importsOf(file, sources.get(file) ?? '').inner) visit(next);
    path.pop();
    done.add(file);
  };
  for (const file of sources.keys()) visit(file);
  return found;
}

/** Rooms of test/ that hold something else than tests of one module. */
const NO_MIRROR = new Set(['matrix', 'transcripts', 'kernel', 'bench', 'fuzz', 'docs', 'vectors']);

/** Tests, by paths relative to test, that do not lie where their module does: `<module>.test.ts` or `<module>.<aspect>.test.ts`. */
const misplaced = (tests: Iterable<string>, sources: Sources): string[] =>
  [...tests].filter((test) => {
    if (!test.endsWith('.test.ts') || test === 'architecture.test.ts') return false;
    if (NO_MIRROR.has(test.split('/')[0] ?? '')) return false;
    const [module = ''] = posix.basename(test).split('.');
    return !sources.has(posix.join(posix.dirname(test), `${module}.ts`));
  });

const MOST_LINES = 400;
const MEDIAN_LINES = 120;

function readSources(room = 'src'): Sources {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', room);
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name.endsWith('.ts'),
  );
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [relative(root, path).split(sep).join('/'), readFileSync(path, 'utf8')];
    }),
  );
}

describe('the house', () => {
  it('has imports that only go down, no circles, and no way to the world past the Env', () => {
    const sources = readSources();
    expect(sources.size).toBeGreaterThan(10);
    expect(breaches(sources)).toEqual([]);
  });

  it('has its tests where their modules are', () => {
    expect(misplaced(readSources('test').keys(), readSources())).toEqual([]);
  });

  it('has short files', () => {
    const lengths = [...readSources()].map(([file, text]) => ({ file, lines: text.trimEnd().split('\n').length }));
    const long = lengths.filter(({ lines }) => lines > MOST_LINES);
    expect(long).toEqual([]);
    const sorted = lengths.map(({ lines }) => lines).sort((a, b) => a - b);
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThanOrEqual(MEDIAN_LINES);
  });
});

describe('the checker', () => {
  const net = ['net/a.ts', 'export const a = 1;'] as const;
  const check = (...files: (readonly [string, string])[]) => breaches(new Map([net, ...files]));

  it('lets imports go down', () => {
    expect(check(['stun/b.ts', "import { a } from '../net/a.ts';"], ['main.ts', "import './stun/b.ts';"])).toEqual([]);
  });

  it.each([
    [
      'up',
      [
        ['net/b.ts', "import '../stun/c.ts';"],
        ['stun/c.ts', ''],
      ],
    ],
    [
      'up, by type',
      [
        ['net/b.ts', "import type { C } from '../stun/c.ts';"],
        ['stun/c.ts', ''],
      ],
    ],
    [
      'up, lazily',
      [
        ['net/b.ts', "await import('../stun/c.ts');"],
        ['stun/c.ts', ''],
      ],
    ],
    [
      'up, by re-export',
      [
        ['net/b.ts', "export * from '../stun/c.ts';"],
        ['stun/c.ts', ''],
      ],
    ],
    [
      'into a leaf',
      [
        ['probe/b.ts', "import '../lab/c.ts';"],
        ['lab/c.ts', ''],
      ],
    ],
    [
      'out of a leaf, beside its rooms',
      [
        ['lab/b.ts', "import '../ice/c.ts';"],
        ['ice/c.ts', ''],
      ],
    ],
    [
      'out of a leaf, too high',
      [
        ['lab/b.ts', "import '../probe/c.ts';"],
        ['probe/c.ts', ''],
      ],
    ],
    [
      'nowhere',
      [
        ['net/b.ts', "import './gone.ts';"],
        ['net/c.ts', ''],
      ],
    ],
    [
      'without a floor',
      [
        ['net/b.ts', "import '../attic/c.ts';"],
        ['attic/c.ts', ''],
      ],
    ],
  ] satisfies [string, [string, string][]][])('finds an import that goes %s', (_, files) => {
    expect(check(...files)).toHaveLength(1);
  });

  it('finds tests that lie where no module is', () => {
    const sources = new Map([['net/a.ts', '']]);
    const good = ['net/a.test.ts', 'net/a.slow.test.ts', 'net/support.ts', 'matrix/b.test.ts', 'architecture.test.ts'];
    expect(misplaced(good, sources)).toEqual([]);
    const bad = ['a.test.ts', 'net/b.test.ts', 'stun/a.test.ts', 'net/deep/a.test.ts'];
    expect(misplaced(bad, sources)).toEqual(bad);
  });

  it('lets the lab command into the lab', () => {
    expect(check(['commands/lab/b.ts', "import '../../lab/c.ts';"], ['lab/c.ts', ''])).toEqual([]);
  });

  it('finds circles, on one floor too', () => {
    expect(
      check(
        ['render/b.ts', "import '../commands/c.ts';"],
        ['commands/c.ts', "import type { B } from '../render/b.ts';"],
      ),
    ).toEqual(['circle: render/b.ts -> commands/c.ts -> render/b.ts']);
  });

  it.each([
    'Date.now()',
    'new Date()',
    'performance.now()',
    'Math.random()',
    'setTimeout(f, 1)',
    'setImmediate(f)',
    "process.env['X']",
    'process\n.exit()',
    'console.log(1)',
    'fetch(url)',
  ])('finds %s', (text) => {
    expect(check(['probe/b.ts', text])).toHaveLength(1);
    expect(check(['node/b.ts', text])).toEqual([]);
    expect(check(['lab/world.ts', text])).toEqual([]);
  });

  it.each(['node:dgram', 'node:fs', 'node:timers/promises', 'node:dns'])('finds an import of %s', (module) => {
    expect(check(['stun/b.ts', `import x from '${module}';`])).toEqual([`stun/b.ts imports ${module}`]);
  });

  it('does not mind words in comments, strings and names', () => {
    expect(
      check([
        'stun/b.ts',
        "// Date.now is banned\n/* setTimeout */ const text = 'process.exit'; preprocess.x; new Date(0); a.process.b;",
      ]),
    ).toEqual([]);
  });
});

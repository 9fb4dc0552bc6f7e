// Builds dist/: the library by tsc, with its types, and the command line as one bundle with split chunks,
// so that what a command does not use is not loaded. Run from the root of the checkout: node .ci/build.mjs [cli|library]
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules, createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { pageForEsbuild } from './page.mjs';

/**
 * string-width, which ora and cli-table3 ask for, compiles Unicode tables for 50 to 100 ms when first used. That would hold up
 * the arrival of datagrams, and so distort the round-trip times that are measured meanwhile. Our texts need code points counted.
 */
const plainWidth = {
  name: 'plain-width',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^string-width$/ }, () => ({ path: 'string-width', namespace: 'plain-width' }));
    onLoad({ filter: /./, namespace: 'plain-width' }, () => ({
      contents: String.raw`module.exports = (text) => [...text.replace(/\u001b\[[\d;]*[A-Za-z]/g, '')].length;`,
    }));
  },
};

/**
 * `import { format } from 'node:util'` reads every export of that module, and so loads whatever Node itself would load only when it is
 * used: worker threads for util, web crypto for crypto, readline for fs. Asked for by a call, a module loads itself alone.
 */
const builtIns = {
  name: 'built-ins',
  setup({ onResolve, onLoad }) {
    const names = new Set(builtinModules);
    onResolve({ filter: /^(?:node:)?[a-z_/]+$/ }, ({ path, kind }) => {
      const name = path.replace(/^node:/, '');
      if (!names.has(name) || (kind !== 'import-statement' && kind !== 'require-call')) return undefined;
      return { path: name, namespace: kind === 'require-call' ? 'required' : 'imported' };
    });
    const module = (name) => `process.getBuiltinModule('node:${name}')`;
    onLoad({ filter: /./, namespace: 'required' }, ({ path }) => ({ contents: `module.exports = ${module(path)};` }));
    // What nobody imports falls away with the call for it.
    onLoad({ filter: /./, namespace: 'imported' }, async ({ path }) => ({
      contents: Object.keys(await import(path))
        .map((name) =>
          name === 'default'
            ? `export default /* @__PURE__ */ ${module(path)};`
            : `export const ${name} = /* @__PURE__ */ (() => ${module(path)}.${name})();`,
        )
        .join('\n'),
    }));
  },
};

/** Of yargs we use the parser. What else its helpers would bring along (tables, translations, assert) is left out when nothing asks for it. */
const parserAlone = {
  name: 'parser-alone',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) =>
      /[\\/]node_modules[\\/]yargs[\\/]helpers$/.test(resolveDir)
        ? { path: resolve(resolveDir, path), sideEffects: false }
        : undefined,
    );
  },
};

/** What nearly every command stands on. */
const CORE = [
  'src/cli/execute.ts',
  'src/node/env.ts',
  'src/commands/arguments.ts',
  'src/probe/servers-lookup.ts',
  'src/stun/client.ts',
  'src/stun/framing.ts',
  'src/report/forwarding.ts',
  'src/render/block.ts',
  'src/probe/servers.ts',
  'src/net/schedule.ts',
  'src/net/stagger.ts',
  'src/stun/binding.ts',
  'src/stun/leniency.ts',
  'src/stun/mux.ts',
  'src/stun/stream-channel.ts',
  'src/net/nat64.ts',
  'src/nat/evidence.ts',
  'src/probe/doubt.ts',
  'src/commands/certificates.ts',
  'src/commands/credentials.ts',
  'src/node/environment.ts',
  'src/node/processes.ts',
];

/**
 * Split chunks are as many as there are sets of entry points that share a module, and each costs half a millisecond to open. Every module
 * that is loaded later is made to import the core too, which so becomes one chunk.
 */
const oneCore = {
  name: 'one-core',
  setup({ onResolve, onLoad }) {
    const later = new Set(
      readdirSync('src', { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .map((file) => join('src', file))
        .flatMap((file) =>
          [...readFileSync(file, 'utf8').matchAll(/\bimport\('(\.[^']+)'\)/g)].map(([, to]) =>
            resolve(dirname(file), to),
          ),
        ),
    );
    onLoad({ filter: /\.ts$/, namespace: 'file' }, ({ path }) =>
      later.has(path) ? { contents: `import 'core:';${readFileSync(path, 'utf8')}`, loader: 'ts' } : undefined,
    );
    onResolve({ filter: /^core:$/ }, () => ({ path: 'core', namespace: 'core' }));
    onLoad({ filter: /./, namespace: 'core' }, () => ({
      contents: CORE.map((file) => `import './${file}';`).join('\n'),
      resolveDir: process.cwd(),
    }));
  },
};

const only = process.argv[2];
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

if (only !== 'cli') {
  rmSync('dist', { recursive: true, force: true });
  const tsc = createRequire(import.meta.url)
    .resolve('typescript/package.json')
    .replace('package.json', 'bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'src/tsconfig.json'], { stdio: 'inherit' });
}

if (only !== 'library') {
  const built = await build({
    entryPoints: { main: 'src/start.ts' },
    outdir: 'dist/cli',
    // Written only when all of it builds: what is there goes on working until then.
    write: false,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'warning',
    plugins: [pageForEsbuild, plainWidth, builtIns, parserAlone, oneCore],
    define: { NAT_TOOL_VERSION: JSON.stringify(version) },
  });
  rmSync('dist/cli', { recursive: true, force: true });
  mkdirSync('dist/cli', { recursive: true });
  for (const { path, contents } of built.outputFiles) writeFileSync(path, contents);
}

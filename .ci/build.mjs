// Builds dist/: the library by tsc, with its types, and the command line as one bundle with split chunks,
// so that what a command does not use is not loaded. Run from the root of the checkout: node .ci/build.mjs [cli|library]
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { build } from 'esbuild';

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
    entryPoints: ['src/main.ts'],
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
    plugins: [plainWidth],
    define: { NAT_TOOL_VERSION: JSON.stringify(version) },
    // For dependencies that are CommonJS inside.
    banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
  });
  rmSync('dist/cli', { recursive: true, force: true });
  mkdirSync('dist/cli', { recursive: true });
  for (const { path, contents } of built.outputFiles) writeFileSync(path, contents);
}

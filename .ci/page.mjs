// The page of `webrtc` as text, for whoever bundles: markup and style as they are, the script with all that it imports as one.
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';

const ASSET = /\/page\.(?:html|css|script)$/;

/** The text of `page.html`, `page.css`, or of `page.script`, which is made of main.js and its modules beside it. */
async function pageText(path, minify) {
  if (!path.endsWith('.script')) return readFile(path, 'utf8');
  const { outputFiles } = await build({
    entryPoints: [join(dirname(path), 'main.js')],
    bundle: true,
    write: false,
    format: 'iife',
    target: ['chrome100', 'firefox100', 'safari15'],
    minify,
    logLevel: 'warning',
  });
  return outputFiles[0].text;
}

/** For esbuild. */
export const pageForEsbuild = {
  name: 'page',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: ASSET }, ({ path, resolveDir }) => ({ path: resolve(resolveDir, path), namespace: 'page' }));
    onLoad({ filter: /./, namespace: 'page' }, async ({ path }) => ({
      contents: await pageText(path, true),
      loader: 'text',
    }));
  },
};

/** For Vitest. */
export const pageForVite = {
  name: 'page',
  enforce: 'pre',
  resolveId: (source, importer) => (ASSET.test(source) ? `\0page:${resolve(dirname(importer), source)}.js` : undefined),
  load: async (id) =>
    id.startsWith('\0page:')
      ? `export default ${JSON.stringify(await pageText(id.slice('\0page:'.length, -'.js'.length), false))};`
      : undefined,
};

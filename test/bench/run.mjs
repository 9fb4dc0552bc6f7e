// Ratios against peers, all measured side by side in one run: `npm run bench [part…]`.
// One JSON document on stdout, progress on stderr. A part that cannot run here says why.
import { readdir } from 'node:fs/promises';
import os from 'node:os';
import { loadHarness, note, Skip } from './measure.mjs';

const names = (await readdir(new URL('parts/', import.meta.url)))
  .filter((name) => name.endsWith('.mjs'))
  .map((name) => name.slice(0, -4))
  .sort();
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`no part named ${unknown.join(', ')}; there are ${names.join(', ')}`);
  process.exit(2);
}

const harness = await loadHarness();
const parts = {};
let failed = false;
for (const name of wanted.length > 0 ? wanted : names) {
  note(`${name} …`);
  try {
    const { default: part } = await import(`./parts/${name}.mjs`);
    parts[name] = await part({ harness });
  } catch (error) {
    if (error instanceof Skip) parts[name] = { skipped: error.message };
    else {
      failed = true;
      parts[name] = { failed: error.message };
    }
    note(`${name}: ${error.message}`);
  }
}
console.log(
  JSON.stringify({ node: process.version, cpu: os.cpus()[0]?.model, cpus: os.cpus().length, parts }, null, 2),
);
process.exit(failed ? 1 : 0);

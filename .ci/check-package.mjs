// Checks the package as others get it: publint's rules, its types as their compilers resolve them, its modules as their Node does, and
// the command with its man pages as `npm install --global` puts them. Run from the root of a built checkout: node .ci/check-package.mjs
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const { name, version, exports, man } = JSON.parse(readFileSync('package.json', 'utf8'));
const entries = Object.keys(exports).map((entry) => join(name, entry));
const tsc = createRequire(import.meta.url)
  .resolve('typescript/package.json')
  .replace('package.json', 'bin/tsc');
const directory = mkdtempSync(join(tmpdir(), 'nat-tool-package-'));
const at = (...path) => join(directory, ...path);

const npm = (...args) => execFileSync('npm', [...args, '--loglevel=error'], { encoding: 'utf8' });
const node = (...args) => execFileSync(process.execPath, args, { cwd: directory, encoding: 'utf8' });
const equal = (what, found, expected) => {
  if (found !== expected) throw new Error(`${what}: ${found}, expected ${expected}`);
};

try {
  // Lifecycle scripts are not run: the checkout is built.
  const [{ filename }] = JSON.parse(npm('pack', '--json', '--ignore-scripts', '--pack-destination', directory));
  const tarball = readFileSync(at(filename));
  const pack = {
    tarball: tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.byteLength),
  };
  const { messages, pkg } = await publint({ pack, strict: true });
  for (const message of messages) console.error(formatMessage(message, pkg));
  if (messages.length > 0) throw new Error(`${messages.length} complaints of publint`);

  npm('install', '--global', '--prefix', at('global'), '--prefer-offline', '--no-audit', '--no-fund', at(filename));
  equal('nat-tool --version', node(realpathSync(at('global/bin', name)), '--version').trim(), `${name} ${version}`);
  const pages = readdirSync('man').sort();
  equal('the man field', man.map((file) => file.replace(/^(\.\/)?man\//, '')).join(), pages.join());
  equal('installed man pages', readdirSync(at('global/share/man/man1')).sort().join(), pages.join());

  // A consumer of the installed package, with nothing of this checkout within reach but the types of Node.
  mkdirSync(at('node_modules'));
  execFileSync('ln', ['-s', at('global/lib/node_modules', name), at('node_modules', name)]);
  const uses = entries.map(
    (entry, i) => `import * as e${i} from '${entry}';\nexport const n${i} = Object.keys(e${i});\n`,
  );
  writeFileSync(at('consumer.ts'), uses.join(''));
  writeFileSync(at('consumer.mts'), uses.join(''));
  writeFileSync(at('consumer.cts'), uses.join(''));
  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
    ['preserve', 'bundler'],
  ]) {
    const config = {
      compilerOptions: {
        module,
        moduleResolution,
        target: 'es2022',
        strict: true,
        noEmit: true,
        skipLibCheck: false,
        types: ['node'],
        typeRoots: [resolve('node_modules/@types')],
      },
      files: module === 'nodenext' ? ['consumer.ts', 'consumer.mts', 'consumer.cts'] : ['consumer.ts'],
    };
    writeFileSync(at('tsconfig.json'), JSON.stringify(config));
    execFileSync(process.execPath, [tsc, '-p', at('tsconfig.json')], { stdio: 'inherit' });
  }
  for (const entry of entries) {
    node('--input-type=module', '-e', `if (Object.keys(await import('${entry}')).length === 0) throw 0`);
    node('-e', `if (Object.keys(require('${entry}')).length === 0) throw 0`);
  }
  console.log(`${filename}: ${entries.join(', ')}, ${pages.length} man pages`);
} finally {
  rmSync(directory, { recursive: true });
}

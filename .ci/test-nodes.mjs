// Runs the unit and transcript tests on each supported release of Node, or on those named: node .ci/test-nodes.mjs [MAJOR]…
// The releases come from the npm registry, as packages, and stay in .cache/.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const MAJORS = ['20', '22', '24', '26'];
const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
const run = (command, args) => spawnSync(command, args, { stdio: 'inherit' }).status === 0;

/** The path of a release, downloaded once. */
function release(major) {
  const directory = resolve('.cache/node', major);
  const program = join(directory, 'node_modules', name, process.platform === 'win32' ? 'bin/node.exe' : 'bin/node');
  if (!existsSync(program)) {
    mkdirSync(directory, { recursive: true });
    const quiet = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    if (!run('npm', ['install', '--prefix', directory, ...quiet, `${name}@${major}`]))
      throw new Error(`no ${name}@${major}`);
  }
  return program;
}

const failed = (process.argv.length > 2 ? process.argv.slice(2) : MAJORS).filter((major) => {
  const program = major === process.versions.node.split('.')[0] ? process.execPath : release(major);
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'core'];
  const { status, stdout } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', NAT_TOOL_ANOTHER_NODE: '1' },
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout.trim();
  console.log(status === 0 ? `Node ${said}: ${stdout.match(/^ *Tests +(.*)$/m)?.[1]}` : stdout);
  return status !== 0;
});
if (failed.length > 0) {
  console.error(`failed on Node ${failed.join(', ')}`);
  process.exitCode = 1;
}

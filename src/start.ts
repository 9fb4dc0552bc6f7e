/** What runs first: the quick answer, for which nothing is loaded, and the cache of compiled code for everything that is. */
import { enableCompileCache } from './node/compile-cache.ts';
import { WORKER_ARGUMENT } from './node/worker-argument.ts';

/** From package.json, put in by the build. */
declare const NAT_TOOL_VERSION: string;

const argv = process.argv.slice(2);
if (!(argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V') && saidVersion())) {
  enableCompileCache(process.env);
  if (argv[0] === WORKER_ARGUMENT && argv[1] === NAT_TOOL_VERSION && process.send) await import('./worker.ts');
  else await import('./main.ts');
}

/** False where it could not be written: the main program knows what to make of that. */
function saidVersion(): boolean {
  try {
    process.getBuiltinModule('node:fs').writeSync(1, `nat-tool ${NAT_TOOL_VERSION}\n`);
    return true;
  } catch {
    return false;
  }
}

/** The composition root of a process that answers for another one: see `serve --workers`. */
import { runWorker } from './commands/serve/worker.ts';
import { createNodeEnv } from './node/env.ts';
import { upperProcess } from './node/processes.ts';

runWorker(createNodeEnv(), upperProcess());

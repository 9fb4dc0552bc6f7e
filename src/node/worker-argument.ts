/** The first argument of a process that answers for another one. */
export const WORKER_ARGUMENT = '--serve-worker';

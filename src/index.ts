/** The library: addresses, the ports to the world and the report, on which everything else stands. */
export * from './net/address.ts';
export * from './net/machine.ts';
export * from './net/ports.ts';
export * from './net/wait.ts';
export * from './report/finding.ts';
export * from './report/forwarding.ts';
export * from './report/report.ts';
export { createNodeEnv } from './node/env.ts';

import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Debian keeps ip and nft where an ordinary PATH does not look. */
export const PATH: readonly string[] = [
  ...(process.env['PATH'] ?? '').split(':'),
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
];

/** The environment that processes start with. What they remember is no other test's, nor the user's. */
export const environment: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: PATH.join(':'),
  LC_ALL: 'C',
  XDG_STATE_HOME: join(tmpdir(), `nat-tool-kernel-${process.pid}`),
};

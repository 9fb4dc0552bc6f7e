/** Debian keeps ip and nft where an ordinary PATH does not look. */
export const PATH: readonly string[] = [
  ...(process.env['PATH'] ?? '').split(':'),
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
];

/** The environment that processes start with. */
export const environment: NodeJS.ProcessEnv = { ...process.env, PATH: PATH.join(':'), LC_ALL: 'C' };

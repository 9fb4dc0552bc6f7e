/** The NATs that the matrices of `connect` pair with each other. */
const FILTERS = ['ei', 'ad', 'apd'] as const;
const NATS: readonly string[] = [
  'none',
  'firewall',
  ...['full-cone', 'restricted-cone', 'port-restricted-cone'].flatMap((cone) => [
    `${cone},ports=preserving`,
    `${cone},ports=random`,
  ]),
  ...['sequential:1', 'random', 'block:512'].flatMap((ports) =>
    FILTERS.map((filter) => `symmetric,ports=${ports},filtering=${filter}`),
  ),
  'cgnat',
  'linux',
];
export const PAIRS = NATS.flatMap((nat, i) => NATS.slice(i).map((nat2): readonly [string, string] => [nat, nat2]));

/** The kinds of path between two hosts, from the plainest on. */
export const PATH_KINDS = ['lan', 'direct', 'predicted', 'birthday', 'relay'] as const;

/** `direct`: no port had to be guessed; `predicted` and `birthday` say how one was. */
export type PathKind = (typeof PATH_KINDS)[number];

import type { Random } from '../net/env.ts';

/** Loaded at the first use: a command that needs no randomness starts without it. */
const crypto = () => process.getBuiltinModule('node:crypto');

export const nodeRandom: Random = {
  bytes: (length) => crypto().randomFillSync(new Uint8Array(length)),
  below: (bound) => crypto().randomInt(bound),
};

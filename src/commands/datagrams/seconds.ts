/** A duration as people give it to options: seconds, to a tenth, on the safe side. */
export const seconds = (ms: number, towards: 'up' | 'down'): number =>
  (towards === 'up' ? Math.ceil(ms / 100 - 1e-6) : Math.floor(ms / 100 + 1e-6)) / 10;

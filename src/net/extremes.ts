/** The least and the most of lists of any length: `Math.min(...list)` overflows the stack from about a hundred thousand on. */

/** Infinity for an empty list. */
export const least = (values: Iterable<number>): number => {
  let found = Number.POSITIVE_INFINITY;
  for (const value of values) if (value < found) found = value;
  return found;
};

/** `atLeast` for an empty list. */
export const most = (values: Iterable<number>, atLeast = Number.NEGATIVE_INFINITY): number => {
  let found = atLeast;
  for (const value of values) if (value > found) found = value;
  return found;
};

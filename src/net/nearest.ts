/** The nearest word, for those who mistype. Pure. */

/** Edit distance with transpositions of neighbours counted as one (optimal string alignment). */
export function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      next.push(best);
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The word most like `given`, if it is like enough: a third of its letters wrong at most, a beginning, or a part of it. */
export function nearest(given: string, words: readonly string[]): string | undefined {
  const bare = given.replace(/^-+/, '').replaceAll('_', '-').toLowerCase();
  if (bare === '') return undefined;
  let best: { word: string; distance: number } | undefined;
  for (const word of words) {
    const target = word.replace(/^-+/, '');
    const away = bare.length >= 2 && target.startsWith(bare) ? 0.5 : distance(bare, target);
    if (
      away <= Math.max(1, Math.floor(Math.max(bare.length, target.length) / 3)) &&
      away < bare.length &&
      (!best || away < best.distance)
    )
      best = { word, distance: away };
  }
  return best?.word ?? (bare.length >= 3 ? words.find((word) => word.includes(bare)) : undefined);
}

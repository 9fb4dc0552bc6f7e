import { defineConfig } from 'vitest/config';

/** What the mutation tester runs: the unit tests. The kernel knows only the built command line, and the wide suites take too long for each mutant. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/{architecture,bench,cli,docs,fuzz,kernel,matrix,node,transcripts}{/**,.test.ts}'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});

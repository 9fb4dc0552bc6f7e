import { defineConfig } from 'vitest/config';
import { pageForVite } from './.ci/page.mjs';

/** A last resort against what hangs. No time limit decides a test: a busy machine is only slower. */
const HANG_MS = 10 * 60_000;
const waits = { testTimeout: HANG_MS, hookTimeout: HANG_MS, teardownTimeout: HANG_MS };

/** The same on every Node: simulated at length, about the text of the sources, or the shells' business. One Node runs them. */
const SAME = ['architecture.test.ts', 'cli/completion/**', 'docs/**', 'fuzz/**', 'matrix/**'];
const elsewhere = process.env['NAT_TOOL_ANOTHER_NODE'] === '1' ? SAME.map((each) => `test/${each}`) : [];

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [pageForVite],
        test: {
          name: 'core',
          include: ['test/**/*.test.ts'],
          exclude: ['test/kernel/**', ...elsewhere],
          setupFiles: ['test/setup.ts'],
          maxWorkers: '100%',
          sequence: { groupOrder: 1 },
          ...waits,
        },
      },
      {
        // These mostly wait for real time to pass, so they wait side by side.
        test: {
          name: 'kernel',
          include: ['test/kernel/**/*.test.ts'],
          maxWorkers: 8,
          // Real processes race on a machine that others use too: what fails in the proof is tried once more, and the list says so (retry x1).
          retry: process.env['CI'] === 'true' ? 1 : 0,
          sequence: { groupOrder: 0 },
          ...waits,
        },
      },
    ],
  },
});

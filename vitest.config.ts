import { defineConfig } from 'vitest/config';

/** A last resort against what hangs. No time limit decides a test: a busy machine is only slower. */
const HANG_MS = 10 * 60_000;
const waits = { testTimeout: HANG_MS, hookTimeout: HANG_MS, teardownTimeout: HANG_MS };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'core',
          include: ['test/**/*.test.ts'],
          exclude: ['test/kernel/**'],
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
          sequence: { groupOrder: 0 },
          ...waits,
        },
      },
    ],
  },
});

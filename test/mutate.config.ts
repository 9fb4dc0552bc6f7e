import { defineConfig } from 'vitest/config';

/** What the mutation tester runs: the unit tests of the rooms that it mutates and of those right above. */
export default defineConfig({
  test: {
    include: ['test/{nat,stun,rendezvous,connect,probe}/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});

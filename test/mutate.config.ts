import { defineConfig } from 'vitest/config';

/**
 * What the mutation tester runs: the unit tests of the rooms that it mutates and of those right above. `MUTATE_TESTS`, a folder, narrows
 * that: `MUTATE_TESTS=test/nat npm run mutate -- -m 'src/nat/*'` asks what the room's own tests notice, in a tenth of the time.
 */
export default defineConfig({
  test: {
    include: [`${process.env['MUTATE_TESTS'] ?? 'test/{nat,stun,rendezvous,connect,probe}'}/**/*.test.ts`],
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});

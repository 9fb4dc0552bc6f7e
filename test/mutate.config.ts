import { defineConfig } from 'vitest/config';

/**
 * What the mutation tester runs: the unit tests of the rooms that it mutates and of those right above. `MUTATE_TESTS`, a folder or a pattern
 * of files, narrows that: `MUTATE_TESTS=test/nat npm run mutate -- -m 'src/nat/*'` asks what the room's own tests notice, in a tenth of the time.
 */
const tests = process.env['MUTATE_TESTS'] ?? 'test/{nat,stun,rendezvous,connect,probe}';

export default defineConfig({
  test: {
    include: [tests.endsWith('.ts') ? tests : `${tests}/**/*.test.ts`],
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/fuzz/**/*.fuzz.ts'], testTimeout: 30 * 60_000, disableConsoleIntercept: true },
});

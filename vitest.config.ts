import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // The thread that reads long texts runs as it is built.
    globalSetup: 'test/harness/build.ts',
    // Tests that start real PostgreSQL instances wait for processes, not for clocks.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});

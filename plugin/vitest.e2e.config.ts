import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globals: true,
    include: ['e2e/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    expect: { poll: { timeout: 15_000 } }, // of what one click leads to, on a machine that is busy
    hookTimeout: 600_000, // the first time Perses itself is built
    pool: 'forks',
  },
});

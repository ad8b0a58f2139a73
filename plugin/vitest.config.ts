import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [react()],
  test: {
    globals: true,
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['src/test/setup.ts'],
    restoreMocks: true,
    unstubGlobals: true,
    testTimeout: 60_000, // a machine that is busy with other builds is no failure
    pool: 'forks',
    poolOptions: { forks: { maxForks: 2 } },
    server: { deps: { inline: [/@perses-dev\//, /mdi-material-ui/, /@mui\//] } },
  },
});

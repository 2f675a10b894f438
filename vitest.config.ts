import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    // Vitest leaves one processor free, which of two is half of them.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});

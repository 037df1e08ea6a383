import { defineConfig } from 'vitest/config';

// One project per tier; `npm test` runs them in the order of their cost (scripts/test.mjs).
const tier = (name: string, include: string[], testTimeout: number, fileParallelism: boolean) => ({
  test: { name, include, testTimeout, hookTimeout: 120_000, fileParallelism, pool: 'forks' as const },
});

export default defineConfig({
  test: {
    projects: [
      tier('unit', ['test/unit/**/*.test.ts', 'test/architecture.test.ts'], 10_000, true),
      tier('contract', ['test/contract/**/*.test.ts'], 60_000, true),
      tier('cluster', ['test/cluster/**/*.test.ts'], 120_000, false),
      tier('system', ['test/system/**/*.test.ts'], 240_000, false),
    ],
  },
});

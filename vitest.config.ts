import { defineConfig } from 'vitest/config';

// One project per tier; `npm test` runs them in the order of their cost (scripts/test.mjs).
const tier = (name: string, include: string[], testTimeout: number, more: object = {}) => ({
  test: { name, include, testTimeout, hookTimeout: 120_000, pool: 'forks' as const, ...more },
});
// One control plane for a run. The cluster tier is busy and takes turns; the system tier mostly waits for visibility
// time-outs and back-off, so that three of its files share two cores well.
const onControlPlane = { globalSetup: ['test/support/shared-control-plane.ts'] };

export default defineConfig({
  test: {
    projects: [
      tier(
        'unit',
        ['test/unit/**/*.test.ts', 'test/simulation/**/*.test.ts', 'test/architecture.test.ts'],
        30_000,
      ),
      tier('contract', ['test/contract/**/*.test.ts'], 60_000),
      tier('cluster', ['test/cluster/**/*.test.ts'], 120_000, { ...onControlPlane, fileParallelism: false }),
      tier('system', ['test/system/**/*.test.ts'], 240_000, { ...onControlPlane, maxWorkers: 3 }),
    ],
  },
});

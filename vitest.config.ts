import { defineConfig } from 'vitest/config';

// One project per tier; `npm test` runs them in the order of their cost (scripts/test.mjs).
const tier = (name: string, include: string[], testTimeout: number, more: object = {}) => ({
  test: { name, include, testTimeout, hookTimeout: 120_000, pool: 'forks' as const, ...more },
});
// One control plane for a run. Both tiers mostly wait: for visibility time-outs, back-off, silence. So some of their files
// share two cores well; a test that would disturb others on the control plane starts one of its own.
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
      tier('cluster', ['test/cluster/**/*.test.ts'], 120_000, { ...onControlPlane, maxWorkers: 3 }),
      tier('system', ['test/system/**/*.test.ts'], 240_000, { ...onControlPlane, maxWorkers: 4 }),
    ],
  },
});

import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Tests say themselves where AWS is: what leads a person's tools there would lead them astray.
for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];

// One project per tier; `npm test` runs them in the order of their cost (scripts/test.mjs).
const tier = (name: string, include: string[], testTimeout: number, more: object = {}) => ({
  test: { name, include, testTimeout, hookTimeout: 120_000, pool: 'forks' as const, ...more },
});
// One control plane for a run of each. Both tiers mostly wait: for visibility time-outs, back-off, silence. So files of
// both share two cores well; a test that would disturb others on the control plane starts one of its own.
const onControlPlane = { globalSetup: ['test/support/shared-control-plane.ts'], maxWorkers: 5 };

/** Files that take longest although they are short: begun first, or the run ends with one worker waiting for them. */
const slow = [
  'contract/managed-faults',
  'cluster/managed-kill',
  'system/outage',
  'system/kill',
  'system/load',
  'cluster/examples',
  'system/fleet',
  'system/docs',
];

class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = slow.findIndex((name) => moduleId.includes(`/test/${name}.`));
      return index === -1 ? slow.length : index;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: SlowFirst },
    projects: [
      tier(
        'unit',
        ['test/unit/**/*.test.ts', 'test/simulation/**/*.test.ts', 'test/architecture.test.ts'],
        30_000,
        { maxWorkers: 2 },
      ),
      tier('contract', ['test/contract/**/*.test.ts'], 60_000, { maxWorkers: 3 }),
      tier('cluster', ['test/cluster/**/*.test.ts'], 120_000, onControlPlane),
      tier('system', ['test/system/**/*.test.ts'], 240_000, onControlPlane),
    ],
  },
});

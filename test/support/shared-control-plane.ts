import fs from 'node:fs';
import path from 'node:path';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import {
  type ControlPlane,
  ControlPlaneAccess,
  type ControlPlaneInfo,
  startControlPlane,
} from './control-plane.ts';
import { established } from './established.ts';

declare module 'vitest' {
  interface ProvidedContext {
    controlPlane: ControlPlaneInfo;
  }
}

/**
 * The control plane that all tests of a run share, with Sluice's CRDs in it. A test that stops or freezes a server
 * starts one of its own. `setup` and `teardown` are called by vitest, once for a run.
 */
export function sharedControlPlane(): ControlPlaneAccess {
  return new ControlPlaneAccess(inject('controlPlane'));
}

/** Starts it, hands it to the tests, and gives the function that ends it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const controlPlane = await startControlPlane({ controllerManager: true });
  try {
    await applyCrds(controlPlane);
  } catch (error) {
    await controlPlane[Symbol.asyncDispose]();
    throw error;
  }
  project.provide('controlPlane', controlPlane.info);
  return () => controlPlane[Symbol.asyncDispose]();
}

/** Applies `crds/*.yaml` and waits until they are served. */
export async function applyCrds(controlPlane: ControlPlaneAccess | ControlPlane): Promise<void> {
  const folder = path.resolve(import.meta.dirname, '..', '..', 'crds');
  if (!fs.existsSync(folder) || !fs.readdirSync(folder).some((name) => name.endsWith('.yaml'))) return;
  const args = ['apply', '--server-side', '-f', folder];
  const result = await controlPlane.kubectl(args);
  if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr}`);
  await established(controlPlane, ['-f', folder]);
}

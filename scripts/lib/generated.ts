/**
 * The list of generated files. Each generator gives the whole text of its files; `scripts/generate.ts` writes or
 * compares them. To add one, add a line here.
 */
import { chartFiles } from './chart/chart-files.ts';
import { argoCdFiles } from './argocd-files.ts';
import { crdFiles } from './crd-files.ts';
import { cliPage, configurationPage } from './cli-pages.ts';
import { conditionsPage } from './conditions-page.ts';
import { eventsPage } from './events-page.ts';
import { managedCostPage } from './managed-cost-page.ts';
import { metricsGolden, metricsPage } from './metrics-page.ts';
import { performancePage } from './performance-page.ts';
import { resourcePages } from './resource-pages.ts';

/** A file made from sources; `path` is relative to the checkout. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

/** Every generated file. */
export function generatedFiles(): readonly GeneratedFile[] {
  return [
    ...crdFiles(),
    ...argoCdFiles(),
    ...chartFiles(),
    ...resourcePages(),
    conditionsPage(),
    eventsPage(),
    metricsPage(),
    metricsGolden(),
    cliPage(),
    configurationPage(),
    performancePage(),
    managedCostPage(),
  ];
}

import os from 'node:os';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { repository } from './markdown.ts';
import { prepared, startProcess } from './processes.ts';

/** Helm, and what the charts of this checkout become in its hands. `describe.skipIf(isAbsent('helm'))` where it may be missing. */
export type HelmName = 'helm' | 'helm3';

export interface HelmResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface HelmOptions {
  /** `helm` is the newest, `helm3` the last of its line. */
  readonly helm?: HelmName;
  readonly kubeconfig?: string;
  /** Text for standard input, as of `-f -`. */
  readonly input?: string;
}

/** Where they are, looked for once. */
const folders = new Map<HelmName, Promise<string>>();

function folderOf(name: HelmName): Promise<string> {
  const known = folders.get(name) ?? prepared(name);
  folders.set(name, known);
  return known;
}

/** Runs Helm to its end; does not throw on a failing exit code. Without a kubeconfig it finds no cluster. */
export async function runHelm(args: readonly string[], options: HelmOptions = {}): Promise<HelmResult> {
  const folder = await folderOf(options.helm ?? 'helm');
  const home = path.join(os.tmpdir(), 'sluice-helm-home');
  await using run = startProcess({
    name: 'helm',
    command: path.join(folder, 'helm'),
    args,
    env: {
      KUBECONFIG: options.kubeconfig ?? path.join(home, 'none'),
      HELM_CACHE_HOME: path.join(home, 'cache'),
      HELM_CONFIG_HOME: path.join(home, 'config'),
      HELM_DATA_HOME: path.join(home, 'data'),
    },
    ...(options.input === undefined ? {} : { input: options.input }),
  });
  const { code } = await run.ended;
  return { code: code ?? 1, stdout: run.stdout, stderr: run.stderr };
}

/** The same; throws what Helm says when it fails, and gives what it prints. */
export async function helm(args: readonly string[], options: HelmOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runHelm(args, options);
  if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Folder of a chart of this checkout. */
export const chartFolder = (chart: ChartName = 'sluice'): string => path.join(repository, 'helm', chart);

export type ChartName = 'sluice' | 'sluice-crds';

export type ChartValues = Readonly<Record<string, unknown>>;

export interface RenderOptions {
  readonly chart?: ChartName;
  readonly release?: string;
  readonly namespace?: string;
  readonly helm?: HelmName;
  /** Further arguments of `helm template`. */
  readonly args?: readonly string[];
}

/** An object of a rendered chart. */
export interface RenderedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** Runs `helm template` without a cluster. */
export function tryRender(values: ChartValues, options: RenderOptions = {}): Promise<HelmResult> {
  const { chart, release = 'sluice', namespace = 'sluice-system', args = [] } = options;
  return runHelm(
    ['template', release, chartFolder(chart), '--namespace', namespace, '--values', '-', ...args],
    {
      ...(options.helm === undefined ? {} : { helm: options.helm }),
      input: JSON.stringify(values),
    },
  );
}

/** The text of a chart with these values; throws what Helm says against them. */
export async function renderText(values: ChartValues, options: RenderOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await tryRender(values, options);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** The objects of a chart with these values. */
export async function renderChart(
  values: ChartValues,
  options: RenderOptions = {},
): Promise<readonly RenderedObject[]> {
  return objectsOf(await renderText(values, options));
}

/** The objects in YAML text; empty documents are passed over. */
export function objectsOf(text: string): readonly RenderedObject[] {
  return [...parseAllDocuments(text)].flatMap((document) => {
    const object = document.toJS() as RenderedObject | null;
    return object === null ? [] : [object];
  });
}

/** Kinds of the charts that are not in a namespace. */
export const clusterScoped: ReadonlySet<string> = new Set([
  'ClusterRole',
  'ClusterRoleBinding',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'CustomResourceDefinition',
  'MappingClass',
]);

/**
 * Files of `deploy/argocd` that follow from others there: `argocd-cm.yaml`, the customization for an Argo CD that does
 * not have it built in, from the Lua scripts; and the test data of the actions, from the captured objects.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { annotations, group, resources } from '../../src/api/meta.ts';
import type { GeneratedFile } from './generated.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
const folder = 'deploy/argocd';
const kind = resources.mapping.kind;
const tree = `${folder}/resource_customizations/${group}/${kind}`;
/** Actions in the order in which the configuration lists them. */
const actions = ['pause', 'pause-delivery', 'resume', 'reconcile'];

const banner = `# Generated from the Lua scripts of ${folder} by \`npm run generate\`. Do not edit.
#
#   kubectl -n argocd patch configmap argocd-cm --patch-file ${folder}/argocd-cm.yaml
`;

export function argoCdFiles(): readonly GeneratedFile[] {
  return [{ path: `${folder}/argocd-cm.yaml`, text: configuration() }, ...actionData()];
}

function configuration(): string {
  const definitions = actions.map((name) => ({
    name,
    'action.lua': read(`${tree}/actions/${name}/action.lua`),
  }));
  const offered = { 'discovery.lua': read(`${tree}/actions/discovery.lua`), definitions };
  const customizations = 'resource.customizations';
  return (
    banner +
    yaml({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'argocd-cm' },
      data: {
        [`${customizations}.health.${group}_${kind}`]: read(`${tree}/health.lua`),
        [`${customizations}.actions.${group}_${kind}`]: yaml(offered),
        [`${customizations}.health.argoproj.io_Application`]: read(`${folder}/application-health.lua`),
      },
    })
  );
}

/** What actions start from, and what they make of it: another value of an annotation, or none. */
const inputs = {
  serving: 'healthy-serving',
  paused: 'suspended-reconcile',
  'paused-delivery': 'suspended-delivery',
  deleting: 'progressing-deleting',
} as const;
const outputs: readonly {
  readonly name: string;
  readonly from: keyof typeof inputs;
  readonly set: Readonly<Record<string, string>>;
}[] = [
  { name: 'serving-paused', from: 'serving', set: { [annotations.paused]: 'reconcile' } },
  { name: 'serving-paused-delivery', from: 'serving', set: { [annotations.paused]: 'delivery' } },
  {
    name: 'serving-reconcile-requested',
    from: 'serving',
    // Stands for the time of the click.
    set: { [annotations.requestedAt]: '0001-01-01T00:00:00Z' },
  },
  { name: 'paused-stopped', from: 'paused', set: { [annotations.paused]: 'delivery' } },
  { name: 'paused-resumed', from: 'paused', set: {} },
  { name: 'paused-delivery-resumed', from: 'paused-delivery', set: {} },
];

function actionData(): readonly GeneratedFile[] {
  const file = (name: string, text: string): GeneratedFile => ({
    path: `${tree}/actions/testdata/${name}.yaml`,
    text,
  });
  return [
    ...Object.entries(inputs).map(([name, from]) => file(name, read(`${tree}/testdata/${from}.yaml`))),
    ...outputs.map(({ name, from, set }) => {
      const object = parse(read(`${tree}/testdata/${inputs[from]}.yaml`)) as { metadata: object };
      return file(name, yaml({ ...object, metadata: { ...object.metadata, annotations: set } }));
    }),
  ];
}

function read(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

/** Lines are kept as they are, and what another parser may take for a time or a number is quoted. */
function yaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, schema: 'yaml-1.1' });
}

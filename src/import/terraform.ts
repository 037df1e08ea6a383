/**
 * Terraform and OpenTofu → mappings: a state (version 4), the JSON of a plan or state (`terraform show -json`), or plain
 * HCL. Which it is, the text tells. A plan is the best of them: modules and `for_each` are worked out in it.
 */
import { isRecord } from '../api/structure.ts';
import { SluiceError, never } from '../lib/errors.ts';
import { holeOr, placeholderName, type Note, type Reading, type Settings } from './model.ts';
import { mappingTypes, readTerraformMapping } from './terraform-fields.ts';
import { readTerraformHcl } from './terraform-hcl.ts';
import { arnSources } from './terraform-references.ts';

type Members = Readonly<Record<string, unknown>>;

/** Reads one file; `all` are the texts of the files given together. Throws `InvalidSpec` for what is none of these. */
export function readTerraform(text: string, settings: Settings, all: readonly string[]): Reading {
  if (!text.trimStart().startsWith('{')) {
    return readTerraformHcl(
      text,
      settings,
      all.filter((one) => !one.trimStart().startsWith('{')),
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw notTerraform('it begins with `{` and is not JSON');
  }
  if (!isRecord(value)) throw notTerraform('it must be an object');
  if (value['version'] === 4 && Array.isArray(value['resources'])) return readState(value['resources']);
  const planned = value['planned_values'] ?? value['values'];
  if (value['format_version'] !== undefined && isRecord(planned)) return readShown(value, planned, settings);
  if (typeof value['version'] === 'number')
    throw notTerraform(
      `a state must be of version 4, not ${value['version']}; \`terraform refresh\` writes one`,
    );
  throw notTerraform('it must be a state, or what `terraform show -json` prints');
}

const notTerraform = (why: string): SluiceError =>
  new SluiceError('InvalidSpec', `this is no state, plan or HCL of Terraform: ${why}`, never);

const together = (readings: readonly Reading[]): Reading => ({
  mappings: readings.flatMap(({ mappings }) => mappings),
  notes: readings.flatMap(({ notes }) => notes),
});

function readState(resources: readonly unknown[]): Reading {
  return together(
    resources.flatMap((resource): readonly Reading[] => {
      if (!isRecord(resource) || resource['mode'] !== 'managed') return [];
      const { type, name, module, instances } = resource;
      if (typeof type !== 'string' || !mappingTypes.includes(type)) return [];
      const address = [...(typeof module === 'string' ? [module] : []), type, String(name)].join('.');
      return (Array.isArray(instances) ? instances : []).map((instance: unknown): Reading => {
        const { attributes, index_key: key } = isRecord(instance) ? instance : {};
        const subject = key === undefined ? address : `${address}[${JSON.stringify(key)}]`;
        if (!isRecord(attributes)) {
          const note: Note = { kind: 'refused', subject, message: '`attributes` must be an object' };
          return { mappings: [], notes: [note] };
        }
        return readTerraformMapping({ subject, values: attributes, hasZeros: true });
      });
    }),
  );
}

/** A plan or state as `terraform show -json` prints it. */
function readShown(whole: Members, values: Members, settings: Settings): Reading {
  const resources = resourcesOf(values['root_module']);
  const changes = Array.isArray(whole['resource_changes']) ? whole['resource_changes'] : [];
  return together(
    resources.flatMap((resource): readonly Reading[] => {
      const { address, type, mode, values: given } = resource;
      if (mode !== 'managed' || typeof type !== 'string' || !mappingTypes.includes(type) || !isRecord(given))
        return [];
      const subject = String(address);
      const change: unknown = changes.find((one: unknown) => isRecord(one) && one['address'] === address);
      const after =
        isRecord(change) && isRecord(change['change']) ? change['change']['after_unknown'] : undefined;
      const open = unknownValues(after, (name) => referenced(whole, resources, subject, name, settings));
      return [readTerraformMapping({ subject, values: { ...given, ...open }, hasZeros: true })];
    }),
  );
}

function resourcesOf(module: unknown): readonly Members[] {
  if (!isRecord(module)) return [];
  const own = Array.isArray(module['resources']) ? module['resources'].filter(isRecord) : [];
  const children: readonly unknown[] = Array.isArray(module['child_modules']) ? module['child_modules'] : [];
  return [...own, ...children.flatMap(resourcesOf)];
}

/** Attributes of the top level that only applying the plan will tell. */
function unknownValues(after: unknown, value: (name: string) => unknown): Members {
  if (!isRecord(after)) return {};
  return Object.fromEntries(
    Object.entries(after).flatMap(([name, unknown]) =>
      unknown === true && isConfigured(name) ? [[name, value(name)]] : [],
    ),
  );
}

/** Of what AWS fills in after a create only the source and the function are named by the plan's configuration. */
const isConfigured = (name: string): boolean =>
  ['event_source_arn', 'function_name', 'kms_key_arn', 'topics', 'queues'].includes(name);

/** What an attribute refers to, by the configuration that the plan repeats. */
function referenced(
  whole: Members,
  resources: readonly Members[],
  subject: string,
  name: string,
  settings: Settings,
): unknown {
  const configuration = isRecord(whole['configuration']) ? whole['configuration']['root_module'] : undefined;
  const bare = subject.replaceAll(/\[[^\]]*\]/g, '');
  const found = configuredResources(configuration, '').find(({ address }) => address === bare)?.resource;
  const expressions = isRecord(found?.['expressions']) ? found['expressions'][name] : undefined;
  const references: readonly unknown[] =
    isRecord(expressions) && Array.isArray(expressions['references']) ? expressions['references'] : [];
  const [text] = references.filter((one) => typeof one === 'string');
  if (text === undefined)
    return holeOr({ name: placeholderName(`${subject}.${name}`), text: `${subject}.${name}` }, settings);
  const module = /^(?:module[.][^.]+[.])*/.exec(bare)?.[0] ?? '';
  const [type = '', label = '', attribute = ''] = text.replace(/^data[.]/, '').split('.');
  const target = resources.find(
    ({ address }) => String(address).replaceAll(/\[[^\]]*\]/g, '') === `${module}${type}.${label}`,
  );
  const given = isRecord(target?.['values']) ? target['values'] : {};
  return arnSources({ type, attribute, text, get: (key) => given[key] ?? undefined, settings });
}

function configuredResources(
  module: unknown,
  prefix: string,
): readonly { readonly address: string; readonly resource: Members }[] {
  if (!isRecord(module)) return [];
  const own = (Array.isArray(module['resources']) ? module['resources'].filter(isRecord) : []).map(
    (resource) => ({
      address: prefix + String(resource['address']),
      resource,
    }),
  );
  const calls = isRecord(module['module_calls']) ? Object.entries(module['module_calls']) : [];
  return [
    ...own,
    ...calls.flatMap(([name, call]) =>
      configuredResources(isRecord(call) ? call['module'] : undefined, `${prefix}module.${name}.`),
    ),
  ];
}

/** `crds/*.yaml` from the schemas in `src/api`. */
import { stringify } from 'yaml';
import { customResourceDefinition, kinds } from '../../src/api/crd.ts';
import { group } from '../../src/api/meta.ts';
import type { GeneratedFile } from './generated.ts';

const banner = '# Generated from src/api by `npm run generate`. Do not edit.\n';

export function crdFiles(): readonly GeneratedFile[] {
  return kinds.map((kind) => ({
    path: `crds/${group}_${kind.name.plural}.yaml`,
    text:
      banner +
      // Without aliases: the same part of a schema is written out wherever it is used.
      stringify(customResourceDefinition(kind), { aliasDuplicateObjects: false, lineWidth: 0 }),
  }));
}

import fs from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { chartFolder, type ChartValues } from './helm.ts';

/** The profiles of values that the chart is rendered, checked and tried with. */
export interface Profile {
  readonly name: string;
  readonly values: ChartValues;
}

/** All profiles in `helm/sluice/ci`; `names` puts other namespaces in the place of those that they name. */
export function chartProfiles(names: Readonly<Record<string, string>> = {}): readonly Profile[] {
  const folder = path.join(chartFolder(), 'ci');
  return fs
    .readdirSync(folder)
    .toSorted()
    .map((file) => {
      const text = fs
        .readFileSync(path.join(folder, file), 'utf8')
        .replaceAll(/\b(shop|billing)\b/g, (name) => names[name] ?? name);
      return { name: file.replace('-values.yaml', ''), values: parse(text) as ChartValues };
    });
}

export function chartProfile(name: string, names: Readonly<Record<string, string>> = {}): Profile {
  const found = chartProfiles(names).find((profile) => profile.name === name);
  if (found === undefined) throw new Error(`there is no profile ${name}`);
  return found;
}

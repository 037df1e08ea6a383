/** A CloudFormation or SAM template as text: YAML with the short forms of intrinsic functions, or JSON. */
import { isRecord } from '../api/structure.ts';
import { readYaml } from '../api/yaml.ts';
import { SluiceError, never } from '../lib/errors.ts';

type Members = Readonly<Record<string, unknown>>;

/** A template, its intrinsic functions in their long form. */
export interface Template {
  readonly parameters: Members;
  readonly mappings: Members;
  readonly conditions: Members;
  readonly globals: Members;
  readonly resources: Members;
  readonly transforms: readonly unknown[];
  /** Line of a resource or of something in it. */
  readonly lineOf: (path: readonly (string | number)[]) => number;
}

const shortForms: ReadonlyMap<string, string> = new Map([
  ['!Ref', 'Ref'],
  ['!Condition', 'Condition'],
  ...'And Base64 Cidr Equals FindInMap GetAtt GetAZs If ImportValue Join Length Not Or Select Split Sub ToJsonString Transform'
    .split(' ')
    .map((name) => [`!${name}`, `Fn::${name}`] as const),
]);

/** Reads one template. Throws `InvalidSpec` for a text that is none. */
export function readTemplate(text: string): Template {
  const [document, second] = readYaml(text, shortForms);
  if (document === undefined || second !== undefined)
    throw notTemplate('the text must hold exactly one document');
  if (document.kind === 'unreadable') {
    const [fault] = document.faults;
    throw notTemplate(`line ${fault?.line ?? 1}: ${fault?.message ?? 'it cannot be read'}`);
  }
  const { value, lineOf } = document;
  if (!isRecord(value) || !isRecord(value['Resources']))
    throw notTemplate('a template must be an object with `Resources`');
  const part = (name: string): Members => (isRecord(value[name]) ? value[name] : {});
  return {
    parameters: part('Parameters'),
    mappings: part('Mappings'),
    conditions: part('Conditions'),
    globals: part('Globals'),
    resources: value['Resources'],
    transforms: value['Transform'] === undefined ? [] : [value['Transform']].flat(),
    lineOf,
  };
}

const notTemplate = (why: string): SluiceError =>
  new SluiceError('InvalidSpec', `this is no CloudFormation template: ${why}`, never);

/**
 * Terraform's own language → mappings, as far as the files alone tell: variables by their defaults, locals, and names
 * of resources that the files hold. Modules, `for_each` and whatever is looked up are told; a plan shows them.
 */
import { readHcl, type Block, type Body, type Expression } from './hcl.ts';
import {
  concat,
  hasUnknown,
  holeOr,
  placeholderName,
  Unknown,
  type Note,
  type Reading,
  type Settings,
} from './model.ts';
import { plainText } from './placeholders.ts';
import { mappingTypes, metaArguments, readTerraformMapping } from './terraform-fields.ts';
import { arnSources } from './terraform-references.ts';

/** Deepest chain of variables and locals that is followed. */
const maximumDepth = 40;

/** Reads one file; `all` are the texts of the whole module, which hold what it refers to. */
export function readTerraformHcl(text: string, settings: Settings, all: readonly string[]): Reading {
  const scope = new Scope(all.map(readHcl), settings);
  const readings = readHcl(text).blocks.flatMap((block) => readBlock(block, scope));
  return {
    mappings: readings.flatMap(({ mappings }) => mappings),
    notes: readings.flatMap(({ notes }) => notes),
  };
}

function readBlock(block: Block, scope: Scope): readonly Reading[] {
  const { type, labels, line } = block;
  const [resourceType = '', name = ''] = labels;
  const only = (note: Omit<Note, 'line'>): readonly Reading[] => [
    { mappings: [], notes: [{ ...note, line }] },
  ];
  if (type === 'module')
    return only({
      kind: 'info',
      subject: `module.${resourceType}`,
      message: 'a module may hold mappings: import the state or a plan (`terraform show -json`)',
    });
  if (type !== 'resource' || !mappingTypes.includes(resourceType)) return [];
  const subject = `${resourceType}.${name}`;
  if (block.attributes.has('for_each'))
    return only({
      kind: 'refused',
      subject,
      message: '`for_each` makes several mappings: import the state or a plan (`terraform show -json`)',
    });
  const notes: Note[] = [];
  if (block.attributes.has('count')) {
    const message = '`count` says how often it is made; one manifest is written';
    notes.push({ kind: 'info', subject, message, line });
  }
  for (const meta of block.blocks.filter((one) => one.type === 'dynamic'))
    notes.push({
      kind: 'refused',
      subject,
      message: `\`dynamic "${meta.labels[0] ?? ''}"\` is worked out by Terraform, and was left out`,
      line: meta.line,
    });
  const reading = readTerraformMapping({ subject, line, values: membersOf(block, scope) });
  return [{ mappings: reading.mappings, notes: [...notes, ...reading.notes] }];
}

/** Attributes and nested blocks as plain members; blocks of one type are a list. */
function membersOf(body: Body, scope: Scope): Readonly<Record<string, unknown>> {
  const members: Record<string, unknown> = {};
  for (const [name, { expression }] of body.attributes) {
    if (!metaArguments.includes(name)) members[name] = scope.resolve(expression, 0);
  }
  for (const block of body.blocks) {
    if (block.type === 'dynamic' || metaArguments.includes(block.type)) continue;
    const former = members[block.type];
    members[block.type] = [...(Array.isArray(former) ? former : []), membersOf(block, scope)];
  }
  return members;
}

class Scope {
  readonly #settings: Settings;
  readonly #variables = new Map<string, Expression>();
  readonly #locals = new Map<string, Expression>();
  readonly #resources = new Map<string, Block>();

  constructor(files: readonly Body[], settings: Settings) {
    this.#settings = settings;
    for (const block of files.flatMap(({ blocks }) => blocks)) {
      const [first = '', second = ''] = block.labels;
      const initial = block.attributes.get('default')?.expression;
      if (block.type === 'variable' && initial !== undefined) this.#variables.set(first, initial);
      if (block.type === 'locals')
        for (const [name, { expression }] of block.attributes) this.#locals.set(name, expression);
      if (block.type === 'resource') this.#resources.set(`${first}.${second}`, block);
      if (block.type === 'data') this.#resources.set(`data.${first}.${second}`, block);
    }
  }

  resolve(expression: Expression, depth: number): unknown {
    if (depth > maximumDepth) return this.#hole('Circular', 'a reference in a circle');
    switch (expression.kind) {
      case 'value':
        return expression.value;
      case 'template': {
        const parts = expression.parts.map((part) =>
          typeof part === 'string' ? part : this.resolve(part, depth + 1),
        );
        return concat(parts) ?? this.#hole('template', 'a template');
      }
      case 'list':
        return expression.items.map((item) => this.resolve(item, depth + 1));
      case 'object':
        return Object.fromEntries(
          expression.entries.map(([key, value]) => [
            this.#key(key, depth + 1),
            this.resolve(value, depth + 1),
          ]),
        );
      case 'call':
        return this.#call(expression.name, expression.args, expression.text, depth);
      case 'reference':
        return this.#reference(expression.text, depth);
      case 'other':
        return this.#hole('expression', expression.text);
    }
  }

  #key(expression: Expression, depth: number): string {
    const key = this.resolve(expression, depth);
    return key instanceof Unknown ? plainText(key) : String(key);
  }

  #call(name: string, args: readonly Expression[], text: string, depth: number): unknown {
    const values = args.map((arg) => this.resolve(arg, depth + 1));
    const [first] = values;
    if (name === 'jsonencode' && !hasUnknown(first)) return JSON.stringify(first);
    if (name === 'toset' || name === 'tolist') return first;
    if (name === 'tostring' || name === 'trimspace') return concat([first]);
    return this.#hole(name, text);
  }

  #reference(text: string, depth: number): unknown {
    const set = this.#settings.get(text);
    if (set !== undefined) return set;
    const steps = text.replaceAll(/\[[^\]]*\]/g, '').split('.');
    const isData = steps[0] === 'data';
    const [first = '', second = '', third = ''] = isData ? steps.slice(1) : steps;
    if (first === 'var' || first === 'local') {
      // `--set queue=…` is how Terraform's own `-var` names it.
      const named = first === 'var' ? this.#settings.get(second) : undefined;
      if (named !== undefined) return named;
      const known = (first === 'var' ? this.#variables : this.#locals).get(second);
      const value = known === undefined ? undefined : this.resolve(known, depth + 1);
      if (value !== undefined && value !== null && steps.length === 2) return value;
      return this.#hole(text, text);
    }
    const block = this.#resources.get(`${isData ? 'data.' : ''}${first}.${second}`);
    const attribute = (name: string): unknown => {
      const found = block?.attributes.get(name)?.expression;
      const value = found === undefined ? undefined : this.resolve(found, depth + 1);
      return value ?? undefined;
    };
    return arnSources({ type: first, attribute: third, text, get: attribute, settings: this.#settings });
  }

  #hole(name: string, text: string): string | Unknown {
    const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
    return holeOr({ name: placeholderName(name), text: shown }, this.#settings);
  }
}
